"""Repeat a read that failed for a passing reason: few times, with full jitter, inside one deadline."""

from __future__ import annotations

import email.utils
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from sextant.errors import SextantError, Unreachable, VenueError, WireError
from sextant.kit.clock import Clock, Deadline

T = TypeVar("T")

Fraction: TypeAlias = Callable[[], float]
"""A source of numbers in [0, 1): seeded in tests, ``kit.ids.new_fraction`` in the program."""

LONGEST_WAIT_S: Final = 300.0  # a venue that states more than five minutes is not believed
_SECOND_NS: Final = 1_000_000_000
_HOPELESS: Final = frozenset({"tls", "redirect"})  # the same answer would come again


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that grow twofold from ``first_s`` to ``longest_s``, each drawn evenly from 0 to its bound.

    References
    ----------
    M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015: "full jitter".
    """

    first_s: float
    longest_s: float

    def wait_s(self, attempt: int, fraction: Fraction) -> float:
        """Seconds to wait after the failed attempt of this number, counted from 0."""
        bound = self.longest_s
        if attempt < 64:  # beyond, the power alone exceeds every bound
            bound = min(bound, self.first_s * 2.0**attempt)
        return bound * fraction()


def passing(error: SextantError) -> bool:
    """Whether a read that failed so may succeed when it is repeated: no answer, or a broken one."""
    if isinstance(error, WireError):
        return error.reason == "bad_body"
    return isinstance(error, Unreachable) and error.reason not in _HOPELESS


@dataclass(frozen=True, slots=True)
class Retrying:
    """How reads are repeated.

    Parameters
    ----------
    clock, fraction
        Sources of time and of jitter.
    backoff
        Waits between attempts; an error that states ``retry_after_s`` is waited for at least that long.
    repeats
        Most attempts after the first.
    may_pass
        Which errors are worth another attempt.
    """

    clock: Clock
    fraction: Fraction
    backoff: Backoff = Backoff(first_s=0.2, longest_s=2.0)
    repeats: int = 2
    may_pass: Callable[[SextantError], bool] = passing

    async def run(self, call: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """The answer of the first attempt that succeeds.

        Parameters
        ----------
        call
            One attempt.
        deadline
            Of all attempts and waits together; a wait that would pass it is not begun.

        Raises
        ------
        VenueError
            The error of the last attempt.
        """
        attempt = 0
        while True:
            try:
                return await call()
            except VenueError as error:
                wait_s = self.backoff.wait_s(attempt, self.fraction)
                wait_s = max(wait_s, float(error.facts.get("retry_after_s") or 0.0))
                if attempt >= self.repeats or not self.may_pass(error) or wait_s >= deadline.remaining_s():
                    raise
            attempt += 1
            await self.clock.sleep(wait_s)


def stated_wait_s(text: str | None, now_ns: int) -> float | None:
    """The seconds a ``Retry-After`` header asks for, at most 300; None where it asks for nothing usable.

    Parameters
    ----------
    text
        The header: seconds, or an HTTP date.
    now_ns
        Nanoseconds UTC against which a date is read.

    Notes
    -----
    0, negative numbers, past dates and unreadable texts give None: the caller's own back-off applies.

    Examples
    --------
    >>> stated_wait_s("30", 0), stated_wait_s("0", 0), stated_wait_s("1000000000", 0), stated_wait_s("x", 0)
    (30.0, None, 300.0, None)
    >>> stated_wait_s("Thu, 01 Jan 1970 00:00:10 GMT", 0)
    10.0
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:12])  # more digits only say "too long" again
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - now_ns / _SECOND_NS
        except (ValueError, OverflowError):
            return None
    return min(seconds, LONGEST_WAIT_S) if seconds > 0 else None
