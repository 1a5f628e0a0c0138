"""The one seam through which time enters: wall clock, monotonic clock, sleep, and deadlines made of them."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Coroutine
from typing import Any, Final, Protocol, TypeVar

from sextant.errors import BudgetExceeded

T = TypeVar("T")

_SECOND_NS: Final = 1_000_000_000


class Clock(Protocol):
    """Time as the program sees it."""

    def now_ns(self) -> int:
        """Nanoseconds UTC; may step when the operator corrects the machine's clock."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds of a clock that never steps; for durations, ages and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of monotonic time."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ns(self) -> int:
        """Nanoseconds UTC of the machine."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Nanoseconds since some fixed instant of this boot."""
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that a test or a replay drives; sleepers wake when time is advanced past them.

    Parameters
    ----------
    now_ns
        Nanoseconds UTC at which it starts.
    """

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = 0
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Event]] = []

    def now_ns(self) -> int:
        """Nanoseconds UTC as driven."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Nanoseconds advanced since it was made."""
        return self._monotonic_ns

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass and wake whoever slept until then."""
        step = round(seconds * _SECOND_NS)
        self._now_ns += step
        self._monotonic_ns += step
        while self._sleepers and self._sleepers[0][0] <= self._monotonic_ns:
            heapq.heappop(self._sleepers)[2].set()

    def set_now_ns(self, now_ns: int) -> None:
        """Step the wall clock, forwards or backwards, without letting monotonic time pass."""
        self._now_ns = now_ns

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been advanced by ``seconds``."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        awake = asyncio.Event()
        due = self._monotonic_ns + round(seconds * _SECOND_NS)
        heapq.heappush(self._sleepers, (due, next(self._order), awake))
        await awake.wait()


class Deadline:
    """The one bound of a piece of work; made at the edge and carried to every call.

    Parameters
    ----------
    clock
        Whose monotonic time counts.
    seconds
        From now until the end.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end_ns = clock.monotonic_ns() + round(seconds * _SECOND_NS)
        self.seconds = seconds

    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0, self._end_ns - self._clock.monotonic_ns()) / _SECOND_NS

    def passed(self) -> bool:
        """Whether the end has come."""
        return self._clock.monotonic_ns() >= self._end_ns

    def shorter(self, seconds: float) -> Deadline:
        """A deadline in ``seconds``, but never later than this one."""
        return Deadline(self._clock, min(seconds, self.remaining_s()))

    def check(self, stage: str) -> None:
        """Do nothing while time is left.

        Raises
        ------
        BudgetExceeded
            If the end has come; names the stage and the budget.
        """
        if self.passed():
            raise BudgetExceeded(
                f"The budget of {self.seconds:g} s ended in '{stage}'.", reason="deadline", stage=stage
            )


async def within(clock: Clock, deadline: Deadline, work: Coroutine[Any, Any, T], stage: str) -> T:
    """The result of the work, if it comes before the deadline on the given clock.

    Parameters
    ----------
    clock
        Whose time passes; a ``ManualClock`` ends the work when it is advanced past the deadline.
    deadline
        The end; when it comes the work is cancelled and has finished being cancelled before this returns.
    work
        What is awaited.
    stage
        Named in the error.

    Raises
    ------
    BudgetExceeded
        If the end came first.
    """
    running = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(clock.sleep(deadline.remaining_s()))
    try:
        await asyncio.wait((running, alarm), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()
        raise BudgetExceeded(
            f"The budget of {deadline.seconds:g} s ended in '{stage}'.", reason="deadline", stage=stage
        )
    finally:
        for task in (running, alarm):
            task.cancel()
        await asyncio.gather(running, alarm, return_exceptions=True)
