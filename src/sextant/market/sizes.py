"""Which trades of an instrument are large: those of its own upper twentieth of a day."""

from __future__ import annotations

import math
from typing import Any, Final

from sextant.model.cells import Cells, compiled, ints_at, reals_at
from sextant.model.times import INTERVAL_NS, MINUTE_NS

HOURS: Final = 24
FLOOR_USD: Final = 10_000.0
SHARE: Final = 0.95
_HOUR_NS: Final = INTERVAL_NS["1h"]
_QUARTERS: Final = (0.5946035575013605, 0.7071067811865476, 0.8408964152537145)
"""2 to the power of -3/4, -1/2 and -1/4: where a mantissa of frexp passes into the next quarter of an octave."""


LIMIT, MINUTE, HOUR, COUNTED = range(4)
"""Cells of sizes: from what a trade is large, the newest minute and hour, and the numbers of trades of that hour by bins."""
LOWEST: Final = -64
BINS: Final = 256
"""Bins counted in cells: notionals from 2^-16 to 2^48; others are counted apart."""
SIZES_CELLS: Final = COUNTED + BINS


class TradeSizes:
    """Numbers of trades by quarter octaves of their notional in the last 24 hours.

    Notes
    -----
    The limit is the lower edge of the bin in which the 95th percentile lies, at least 10,000 USD, told anew each minute from
    the trades before it. Counted by whole hours, so that between 23 and 24 hours are covered.
    """

    __slots__ = ("_hours", "cells")

    def __init__(self) -> None:
        self._hours: dict[int, dict[int, int]] = {}
        self.cells = Cells(SIZES_CELLS)
        self.cells.reals[LIMIT] = FLOOR_USD

    def take(self, event_ns: int, usd: float) -> bool:
        """Whether a trade is large; it counts for those after its minute."""
        ints = self.cells.ints
        hour, minute = event_ns // _HOUR_NS, event_ns // MINUTE_NS
        if minute > ints[MINUTE]:
            ints[MINUTE] = minute
            self.cells.reals[LIMIT] = self._told(hour)
        if hour > ints[HOUR]:
            self._put_aside()
            ints[HOUR] = hour
        at = bin_of(usd)
        if hour == ints[HOUR] and 0 <= at - LOWEST < BINS:
            ints[COUNTED + at - LOWEST] += 1
        else:
            bins = self._hours.setdefault(hour, {})
            bins[at] = bins.get(at, 0) + 1
        return usd >= self.cells.reals[LIMIT]

    def content(self) -> tuple[object, ...]:
        """Everything it will act on, for hashing."""
        hours = [(hour, sorted(bins.items())) for hour, bins in sorted(self._all().items())]
        return (hours, self.cells.reals[LIMIT], self.cells.ints[MINUTE], self.cells.ints[HOUR])

    def restore(self, content: Any) -> None:
        """Become the sizes whose :meth:`content` it was."""
        ints = self.cells.ints
        hours, self.cells.reals[LIMIT], ints[MINUTE], ints[HOUR] = content
        self._hours = {hour: dict(map(tuple, bins)) for hour, bins in hours}
        self.cells.put_ints(COUNTED, [0] * BINS)

    def _all(self) -> dict[int, dict[int, int]]:
        """The counts of every hour, those of the newest in cells among them."""
        hours = {hour: dict(bins) for hour, bins in self._hours.items()}
        newest = self.cells.ints[COUNTED : COUNTED + BINS].tolist()
        if any(newest):
            bins = hours.setdefault(self.cells.ints[HOUR], {})
            for place, count in enumerate(newest):
                if count:
                    bins[LOWEST + place] = bins.get(LOWEST + place, 0) + count
        return hours

    def _put_aside(self) -> None:
        self._hours = self._all()
        self.cells.put_ints(COUNTED, [0] * BINS)

    def _told(self, hour: int) -> float:
        if self.cells.ints[HOUR] <= hour - HOURS:
            self._put_aside()
        for old in [one for one in self._hours if one <= hour - HOURS]:
            del self._hours[old]
        counts: dict[int, int] = {}
        for bins in self._all().values():
            for at, count in bins.items():
                counts[at] = counts.get(at, 0) + count
        need, seen = SHARE * sum(counts.values()), 0
        for at in sorted(counts):
            seen += counts[at]
            if seen >= need:
                return max(FLOOR_USD, lower_edge(at))
        return FLOOR_USD


@compiled
def place_of(sizes: int, event_ns: int, usd: float) -> int:
    """The cell that counts a trade of the newest minute; -1 where it is of another, or counted apart."""
    cells = ints_at(sizes)
    if event_ns // MINUTE_NS != cells[MINUTE] or event_ns // _HOUR_NS != cells[HOUR]:
        return -1
    mantissa, exponent = math.frexp(usd)
    first, second, third = _QUARTERS
    at = 4 * (exponent - 1) + (mantissa >= first) + (mantissa >= second) + (mantissa >= third) - LOWEST
    return COUNTED + at if 0 <= at < BINS else -1


@compiled
def count_at(sizes: int, place: int, usd: float) -> bool:
    """Whether a trade is large, after it was counted in its cell."""
    ints_at(sizes)[place] += 1
    large: bool = usd >= reals_at(sizes)[LIMIT]
    return large


def bin_of(usd: float) -> int:
    """The quarter octave of a notional above 0: four to a doubling.

    Examples
    --------
    >>> bin_of(1.0), bin_of(1.2), bin_of(2.0)
    (0, 1, 4)
    """
    mantissa, exponent = math.frexp(usd)
    first, second, third = _QUARTERS
    return 4 * (exponent - 1) + (mantissa >= first) + (mantissa >= second) + (mantissa >= third)


def lower_edge(at: int) -> float:
    """The least notional of a quarter octave.

    Examples
    --------
    >>> lower_edge(4), lower_edge(0)
    (2.0, 1.0)
    """
    octave, quarter = divmod(at, 4)
    return math.ldexp((0.5, *_QUARTERS)[quarter], octave + 1)
