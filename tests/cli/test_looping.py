from __future__ import annotations

import asyncio
import subprocess
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


LEAVING = """
import threading, time
from sextant.cli.looping import leave
from sextant.scans.crew import Crew
crew = Crew()
crew._threads.submit(time.sleep, {seconds})
print("done")
crew.close()
leave()
print("waited")
"""


@pytest.mark.parametrize(("seconds", "told"), [(60.0, "done\n"), (0.0, "done\n")])
def test_a_process_that_did_its_work_waits_for_no_strategy(seconds: float, told: str) -> None:
    script = LEAVING.format(seconds=seconds)
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 0
    assert ended.stdout.startswith(told)
    assert ("waited" in ended.stdout) <= (seconds == 0.0)


def test_a_process_without_threads_ends_as_usual() -> None:
    script = "from sextant.cli.looping import leave; leave(); print('here'); raise SystemExit(3)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (3, "here\n")
