from __future__ import annotations

import asyncio
import threading
import time
from functools import partial

import pytest
import structlog

from sextant.kit import watchdog
from sextant.kit.clock import SystemClock
from sextant.kit.watchdog import Watchdog, stack_of


def the_culprit(told: threading.Event) -> None:
    """Hold the loop up until it was told, and a while longer."""
    assert told.wait(10)
    time.sleep(0.05)


def telling(told: threading.Event, thread: int) -> list[str]:
    """The stack, and that it was asked for."""
    stack = stack_of(thread)
    told.set()
    return stack


async def test_what_holds_the_loop_up_is_told_once_while_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "BLOCKED_S", 0.1)
    monkeypatch.setattr(watchdog, "BEAT_S", 0.01)
    told = threading.Event()
    with structlog.testing.capture_logs() as events:
        monkeypatch.setattr(watchdog, "stack_of", partial(telling, told))
        watching = asyncio.create_task(Watchdog(SystemClock()).watch())
        await asyncio.sleep(0)
        the_culprit(told)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    blocked = [event for event in events if event["event"] == "loop.blocked"]
    assert len(blocked) == 1
    assert blocked[0]["seconds"] >= 0.1
    assert any("the_culprit" in frame and "test_watchdog.py" in frame for frame in blocked[0]["stack"])
    assert len(blocked[0]["stack"]) <= 12


async def test_a_loop_that_turns_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "BEAT_S", 0.01)
    with structlog.testing.capture_logs() as events:
        watching = asyncio.create_task(Watchdog(SystemClock()).watch())
        await asyncio.sleep(0.1)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert events == []
    assert not any(thread.name == "watchdog" and thread.is_alive() for thread in _joined())


def _joined() -> list[threading.Thread]:
    """All threads, after those of watchdogs had time to end."""
    for thread in threading.enumerate():
        if thread.name == "watchdog":
            thread.join(2)
    return threading.enumerate()


def test_a_thread_that_is_gone_has_no_stack() -> None:
    assert stack_of(-1) == []
