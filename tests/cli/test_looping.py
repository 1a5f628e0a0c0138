from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import pytest

from sextant.cli.looping import SWITCH_S, run_loop


@pytest.fixture(autouse=True)
def _interval() -> Iterator[None]:
    """The interval of the tests, whatever is set meanwhile."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


async def loop_name() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_work_is_done_in_the_quick_loop() -> None:
    assert run_loop(loop_name()).startswith("uvloop")


def test_where_there_is_none_the_usual_one_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert run_loop(loop_name()).startswith("asyncio")


def test_the_loop_has_its_turn_soon_beside_threads_that_compute() -> None:
    async def interval() -> float:
        return sys.getswitchinterval()

    assert run_loop(interval()) == pytest.approx(SWITCH_S)
