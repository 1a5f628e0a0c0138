"""Durations of the newest minutes, hours and day: counted in fine buckets, so that percentiles are measured."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from sextant.kit.clock import Clock

GROWTH: Final = 1.04  # bounds of a bucket lie 4 % apart, so a percentile is at most 2 % from the sample
SMALLEST_S: Final = 1e-5
LARGEST_S: Final = 3_600.0
FINE_S: Final = 60
COARSE_S: Final = 300
FINE_KEPT: Final = 61  # slots of one minute: an hour and the minute that is being filled
COARSE_KEPT: Final = 289  # slots of five minutes: a day and the slot that is being filled

_LOG_GROWTH: Final = math.log(GROWTH)
_SECOND_NS: Final = 1_000_000_000


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a window; percentiles are seconds, None where nothing happened.

    ``seconds`` is the length of the window, so that ``count / seconds`` is a rate.
    """

    seconds: float
    count: int = 0
    errors: int = 0
    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None
    greatest_s: float | None = None
    mean_s: float | None = None

    @property
    def error_frac(self) -> float | None:
        """The share of events that failed."""
        return self.errors / self.count if self.count else None


class _Slot:
    """What happened in one piece of time."""

    __slots__ = ("buckets", "count", "errors", "greatest_s", "number", "sum_s")

    def __init__(self, number: int) -> None:
        self.number = number
        self.count = 0
        self.errors = 0
        self.sum_s = 0.0
        self.greatest_s = 0.0
        self.buckets: dict[int, int] = {}

    def add(self, bucket: int, seconds: float, *, failed: bool) -> None:
        """Count one event."""
        self.count += 1
        self.errors += failed
        self.sum_s += seconds
        self.greatest_s = max(self.greatest_s, seconds)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1


class Rolling:
    """Counts events with their durations; remembers a day in bounded memory.

    Parameters
    ----------
    clock
        Whose monotonic time decides to which slot an event belongs.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fine: list[_Slot] = []
        self._coarse: list[_Slot] = []

    def add(self, seconds: float, *, failed: bool = False) -> None:
        """Count an event that took so long."""
        now_s = self._clock.monotonic_ns() // _SECOND_NS
        bucket = _bucket(seconds)
        for slots, width_s, kept in (
            (self._fine, FINE_S, FINE_KEPT),
            (self._coarse, COARSE_S, COARSE_KEPT),
        ):
            number = now_s // width_s
            if not slots or slots[-1].number != number:
                slots.append(_Slot(number))
                while slots[0].number <= number - kept:
                    del slots[0]
            slots[-1].add(bucket, seconds, failed=failed)

    def summary(self, window_s: int) -> Summary:
        """What happened in the last ``window_s`` seconds, whole slots counted; at most a day.

        Notes
        -----
        Up to an hour the slots are minutes, beyond it five minutes; the slot in which the window
        begins counts as a whole, so the window is never shorter than asked for.
        """
        fine = window_s <= FINE_S * (FINE_KEPT - 1)
        slots, width_s = (self._fine, FINE_S) if fine else (self._coarse, COARSE_S)
        oldest = (self._clock.monotonic_ns() // _SECOND_NS - window_s) // width_s
        chosen = [slot for slot in slots if slot.number >= oldest]
        count = sum(slot.count for slot in chosen)
        if not count:
            return Summary(seconds=float(window_s))
        merged: dict[int, int] = {}
        for slot in chosen:
            for bucket, hits in slot.buckets.items():
                merged[bucket] = merged.get(bucket, 0) + hits
        greatest_s = max(slot.greatest_s for slot in chosen)
        ordered = sorted(merged.items())
        p50_s, p95_s, p99_s = (min(_percentile(ordered, count, q), greatest_s) for q in (0.5, 0.95, 0.99))
        return Summary(
            seconds=float(window_s),
            count=count,
            errors=sum(slot.errors for slot in chosen),
            p50_s=p50_s,
            p95_s=p95_s,
            p99_s=p99_s,
            greatest_s=greatest_s,
            mean_s=sum(slot.sum_s for slot in chosen) / count,
        )


def _bucket(seconds: float) -> int:
    clipped = min(max(seconds, SMALLEST_S), LARGEST_S)
    return math.floor(math.log(clipped / SMALLEST_S) / _LOG_GROWTH)


def _percentile(ordered: list[tuple[int, int]], count: int, share: float) -> float:
    """The middle of the bucket that holds the sample of this rank (nearest rank)."""
    rank = max(1, math.ceil(share * count))
    seen = 0
    for bucket, hits in ordered:
        seen += hits
        if seen >= rank:
            return float(SMALLEST_S * GROWTH ** (bucket + 0.5))
    raise AssertionError("a rank beyond the count")
