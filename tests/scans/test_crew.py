from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from sextant.errors import BudgetExceeded, Conflict, Insufficient
from sextant.kit.clock import Deadline, SystemClock
from sextant.model.account import Account
from sextant.scans.crew import AT_ONCE, OUT_OF_MEMORY, Crew
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked
from sextant.scans.universe import choose
from support.house import MOMENTUM, market, misbehaving


def asked() -> Asked:
    part = market()
    return Asked(part, choose(part.view, ScanRequest(), part.turnover_usd), Account(), ScanRequest())


def failing(error: BaseException) -> Any:
    def evaluate(*_: object) -> Any:
        raise error

    return misbehaving(evaluate=evaluate)[MOMENTUM]


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (MemoryError(), "failed", OUT_OF_MEMORY),
        (ZeroDivisionError(), "failed", "ZeroDivisionError"),
        (RecursionError(), "failed", "RecursionError"),
        (Insufficient("too few", reason="too_little_history"), "failed", "too_little_history"),
        (BudgetExceeded("late"), "late", "deadline"),
    ],
)
async def test_whatever_a_strategy_meets_is_an_outcome_with_a_reason(
    error: BaseException, outcome: str, reason: str
) -> None:
    crew = Crew()
    run = await crew.guarded(failing(error), asked(), Deadline(SystemClock(), 10))
    crew.close()
    assert (run.report.outcome, run.report.reason) == (outcome, reason)
    assert run.report.dispositions[run.dispositions[0].kind] == run.report.candidates > 0


async def test_work_past_its_deadline_is_left_to_its_own_end() -> None:
    crew, gate = Crew(), threading.Event()
    with pytest.raises(BudgetExceeded):
        await crew.run(lambda _: gate.wait(10), None, Deadline(SystemClock(), 0.01), "view")
    gate.set()
    assert await crew.run(lambda given: given + 1, 1, Deadline(SystemClock(), 10), "view") == 2
    crew.close()


async def test_a_scan_that_was_ended_stops_waiting() -> None:
    crew, gate, ended = Crew(), threading.Event(), asyncio.Event()
    asyncio.get_running_loop().call_soon(ended.set)
    with pytest.raises(Conflict):
        await crew.run(lambda _: gate.wait(10), None, Deadline(SystemClock(), 10), "view", ended)
    gate.set()
    crew.close()


async def test_as_many_work_at_a_time_as_there_are_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sextant.scans.crew.TURN_S", 60.0)
    crew, lock = Crew(), threading.Lock()
    at_once: list[int] = []
    working: set[int] = set()

    def work(number: int) -> None:
        with lock:
            working.add(number)
            at_once.append(len(working))
        sum(range(20_000))
        with lock:
            working.remove(number)

    deadline = Deadline(SystemClock(), 10)
    await asyncio.gather(*(crew.run(work, number, deadline, "view") for number in range(40)))
    crew.close()
    assert len(at_once) == 40
    assert max(at_once) <= AT_ONCE


async def test_work_that_is_stuck_holds_nobody_else_up_for_long() -> None:
    crew, gate = Crew(), threading.Event()
    deadline = Deadline(SystemClock(), 10)
    stuck = [
        asyncio.create_task(crew.run(lambda _: gate.wait(10), None, deadline, "view")) for _ in range(AT_ONCE)
    ]
    await asyncio.sleep(0)
    assert await crew.run(lambda given: given + 1, 1, deadline, "view") == 2
    assert not any(task.done() for task in stuck)
    gate.set()
    assert await asyncio.gather(*stuck) == [True] * AT_ONCE
    crew.close()
