"""A circuit breaker: a source that keeps failing is left alone, and tried by one call at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sextant.kit.clock import Clock

Circuit = Literal["closed", "open", "half_open"]

_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a breaker opens and for how long.

    Parameters
    ----------
    failures
        Failures in a row that open it.
    open_s
        Seconds until one call may try whether the source is back.
    """

    failures: int = 5
    open_s: float = 30.0


class Breaker:
    """Closed while calls succeed, open after too many failures in a row, half open while one call tries.

    Parameters
    ----------
    clock
        Whose monotonic time counts.
    rules
        When it opens.
    """

    def __init__(self, clock: Clock, rules: BreakerRules | None = None) -> None:
        self._clock = clock
        self._rules = rules or BreakerRules()
        self._failures = 0
        self._opened_ns: int | None = None
        self._trying = False
        self.reason = ""

    @property
    def circuit(self) -> Circuit:
        """What calls meet now."""
        if self._opened_ns is None:
            return "closed"
        return "half_open" if self._trying or self.remaining_s() == 0 else "open"

    def remaining_s(self) -> float:
        """Seconds until a call may try; 0 when one may, or when it is closed."""
        if self._opened_ns is None:
            return 0.0
        passed = (self._clock.monotonic_ns() - self._opened_ns) / _SECOND_NS
        return max(0.0, self._rules.open_s - passed)

    def enter(self) -> bool:
        """Whether a call may be made now; in the half-open circuit only the first may, until it is judged."""
        if self._opened_ns is None:
            return True
        if self._trying or self.remaining_s() > 0:
            return False
        self._trying = True
        return True

    def succeed(self) -> None:
        """Close: a call was answered."""
        self._failures, self._opened_ns, self._trying, self.reason = 0, None, False, ""

    def fail(self, reason: str, *, at_once: bool = False) -> None:
        """Count a failure; opens after enough of them, at once where asked, and again when a trying call fails."""
        self._failures += 1
        if self._trying or at_once or self._failures >= self._rules.failures:
            self._opened_ns = self._clock.monotonic_ns()
            self.reason = reason
        self._trying = False

    def leave(self) -> None:
        """Judge nothing: the call ended without an answer or a failure of the source; another may try."""
        self._trying = False
