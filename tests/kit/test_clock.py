from __future__ import annotations

import asyncio

import pytest

from sextant.errors import BudgetExceeded
from sextant.kit.clock import Deadline, ManualClock, SystemClock, within


async def test_sleepers_wake_in_the_order_of_their_time() -> None:
    clock = ManualClock()
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 2.0), ("early", 1.0), ("at once", 0.0)):
            group.create_task(sleeper(name, seconds))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert woken == ["at once"]
        clock.advance(1.0)
        await asyncio.sleep(0)
        assert woken == ["at once", "early"]
        clock.advance(1.0)
    assert woken == ["at once", "early", "late"]


def test_a_deadline_counts_monotonic_time_only() -> None:
    clock = ManualClock(now_ns=10**18)
    deadline = Deadline(clock, 5.0)
    clock.set_now_ns(0)
    assert deadline.remaining_s() == 5.0
    clock.advance(4.0)
    deadline.check("view")
    clock.advance(1.0)
    assert deadline.passed()
    with pytest.raises(BudgetExceeded, match="budget of 5 s ended in 'view'"):
        deadline.check("view")


def test_a_shorter_deadline_never_outlives_its_parent() -> None:
    clock = ManualClock()
    parent = Deadline(clock, 5.0)
    clock.advance(3.0)
    assert parent.shorter(30.0).remaining_s() == 2.0
    assert parent.shorter(1.0).remaining_s() == 1.0


def test_the_machine_clock_moves_forward() -> None:
    clock = SystemClock()
    first = clock.monotonic_ns()
    assert clock.monotonic_ns() >= first
    assert clock.now_ns() > 1_700_000_000_000_000_000


async def test_work_that_ends_in_time_gives_its_result_and_late_work_is_cancelled() -> None:
    clock = ManualClock()
    cancelled: list[bool] = []

    async def work(seconds: float) -> str:
        try:
            await clock.sleep(seconds)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return "done"

    async def drive(seconds: float) -> asyncio.Task[str]:
        task = asyncio.ensure_future(within(clock, Deadline(clock, 5), work(seconds), "work"))
        for _ in range(6):
            for _ in range(5):
                await asyncio.sleep(0)
            clock.advance(1)
        await asyncio.wait((task,))
        return task

    assert (await drive(4)).result() == "done"
    late = await drive(6)
    assert isinstance(late.exception(), BudgetExceeded)
    assert cancelled == [True]


async def test_cancelling_the_waiter_cancels_the_work() -> None:
    clock = ManualClock()
    started, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await clock.sleep(100)
        finally:
            ended.set()

    task = asyncio.ensure_future(within(clock, Deadline(clock, 5), work(), "work"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
