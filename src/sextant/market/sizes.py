"""Which trades of an instrument are large: those of its own upper twentieth of a day."""

from __future__ import annotations

import math
from typing import Any, Final

from sextant.model.times import INTERVAL_NS

HOURS: Final = 24
FLOOR_USD: Final = 10_000.0
SHARE: Final = 0.95
_HOUR_NS: Final = INTERVAL_NS["1h"]
_QUARTERS: Final = (0.5946035575013605, 0.7071067811865476, 0.8408964152537145)
"""2 to the power of -3/4, -1/2 and -1/4: where a mantissa of frexp passes into the next quarter of an octave."""


class TradeSizes:
    """Numbers of trades by quarter octaves of their notional in the last 24 hours.

    Notes
    -----
    The limit is the lower edge of the bin in which the 95th percentile lies, at least 10,000 USD, told anew each minute from
    the trades before it. Counted by whole hours, so that between 23 and 24 hours are covered.
    """

    __slots__ = ("_hours", "_limit", "_minute")

    def __init__(self) -> None:
        self._hours: dict[int, dict[int, int]] = {}
        self._limit = FLOOR_USD
        self._minute = 0

    def take(self, event_ns: int, usd: float) -> bool:
        """Whether a trade is large; it counts for those after its minute."""
        hour, minute = event_ns // _HOUR_NS, event_ns // (_HOUR_NS // 60)
        if minute > self._minute:
            self._minute = minute
            self._limit = self._told(hour)
        bins = self._hours.get(hour)
        if bins is None:
            bins = self._hours[hour] = {}
        at = bin_of(usd)
        bins[at] = bins.get(at, 0) + 1
        return usd >= self._limit

    def content(self) -> tuple[object, ...]:
        """Everything it will act on, for hashing."""
        hours = [(hour, sorted(bins.items())) for hour, bins in sorted(self._hours.items())]
        return (hours, self._limit, self._minute)

    def restore(self, content: Any) -> None:
        """Become the sizes whose :meth:`content` it was."""
        hours, self._limit, self._minute = content
        self._hours = {hour: dict(map(tuple, bins)) for hour, bins in hours}

    def _told(self, hour: int) -> float:
        for old in [one for one in self._hours if one <= hour - HOURS]:
            del self._hours[old]
        counts: dict[int, int] = {}
        for bins in self._hours.values():
            for at, count in bins.items():
                counts[at] = counts.get(at, 0) + count
        need, seen = SHARE * sum(counts.values()), 0
        for at in sorted(counts):
            seen += counts[at]
            if seen >= need:
                return max(FLOOR_USD, lower_edge(at))
        return FLOOR_USD


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
