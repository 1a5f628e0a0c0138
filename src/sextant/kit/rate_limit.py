"""Budgets of calls per second, and silences a host asked for; both are kept before a call is made."""

from __future__ import annotations

from typing import Final, Protocol

from sextant.kit.clock import Clock

_SECOND_NS: Final = 1_000_000_000


class CallBudget:
    """A bucket of calls that fills at a steady rate.

    In any span of t seconds it lets at most ``burst + t * per_s`` calls pass.

    Parameters
    ----------
    clock
        Whose monotonic time fills it.
    per_s
        Calls added a second, above 0.
    burst
        Most calls it holds, and how many it holds at the start; at least 1.
    """

    def __init__(self, clock: Clock, per_s: float, burst: int) -> None:
        self._clock = clock
        self._per_s = per_s
        self._burst = burst
        self._calls = float(burst)
        self._at_ns = clock.monotonic_ns()

    async def spend(self) -> None:
        """Return when one call may be made; callers pass in the order in which they asked."""
        now_ns = self._clock.monotonic_ns()
        gained = (now_ns - self._at_ns) / _SECOND_NS * self._per_s
        self._calls = min(float(self._burst), self._calls + gained) - 1.0
        self._at_ns = now_ns
        if self._calls < 0.0:
            # A negative count is a debt: whoever comes next waits behind this caller.
            await self._clock.sleep(-self._calls / self._per_s)


class Kept(Protocol):
    """A silence that others keep too, and that outlives this process."""

    def ask(self, seconds: float, reason: str) -> None:
        """Be silent for ``seconds`` from now."""
        ...

    def remaining(self) -> tuple[float, str]:
        """Seconds that are left, and why; 0 and nothing when none are."""
        ...


class Silence:
    """A time in which one host is not called; shared by everything in a process that calls it.

    Parameters
    ----------
    clock
        Whose monotonic time counts.
    kept
        Where other processes ask for silence and learn of this one's wishes; None where nobody else calls the host.
    """

    def __init__(self, clock: Clock, kept: Kept | None = None) -> None:
        self._clock = clock
        self._kept = kept
        self._until_ns = 0
        self.reason = ""

    def ask(self, seconds: float, reason: str) -> None:
        """Be silent for ``seconds`` from now; a shorter wish never shortens a longer one."""
        until_ns = self._clock.monotonic_ns() + round(seconds * _SECOND_NS)
        if until_ns > self._until_ns:
            self._until_ns = until_ns
            self.reason = reason
        if self._kept is not None:
            self._kept.ask(seconds, reason)

    def remaining_s(self) -> float:
        """Seconds until the host may be called; 0 when it may be called now."""
        own_s = max(0, self._until_ns - self._clock.monotonic_ns()) / _SECOND_NS
        if self._kept is None:
            return own_s
        told_s, why = self._kept.remaining()
        if told_s > own_s:
            self.reason = why
        return max(own_s, told_s)
