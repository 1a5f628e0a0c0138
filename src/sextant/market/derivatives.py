"""Latest facts beyond the book, and their bounded histories."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import deque
from typing import Final

import numpy as np
from msgspec import UNSET

from sextant.model.events import DerivativesUpdate, Liquidation
from sextant.model.view import Series

KEEP_FUNDING: Final = 2_200  # two years of eight-hourly settlements
KEEP_OPEN_INTEREST: Final = 2_016  # seven days of 5-minute points
KEEP_LIQUIDATIONS: Final = 1_000

FACTS: Final = (
    "last",
    "volume_24h",
    "turnover_24h",
    "change_24h_frac",
    "mark",
    "index",
    "funding_rate",
    "funding_interval_s",
    "next_funding_ns",
    "open_interest",
    "long_share",
)
"""Fields of :class:`sextant.model.events.DerivativesUpdate`, in order."""

_ABOVE_ZERO: Final = frozenset({"last", "mark", "index", "funding_interval_s"})
_NOT_BELOW_ZERO: Final = frozenset(
    {"volume_24h", "turnover_24h", "next_funding_ns", "open_interest", "long_share"}
)


class Facts:
    """Latest values of one instrument, each with the time it was stated.

    Notes
    -----
    Each field has its own time, because a venue answers some on request and pushes others: an older
    message may still carry the newest value of a field.
    """

    __slots__ = ("_times", "_values")

    def __init__(self) -> None:
        self._values: dict[str, float] = {}
        self._times: dict[str, int] = {}

    def take(self, event: DerivativesUpdate) -> tuple[int, int]:
        """How many fields of an update were older than what is known, and how many no instrument can have."""
        older = refused = 0
        for name in FACTS:
            value = getattr(event, name)
            if value is UNSET:
                continue
            if event.event_ns < self._times.get(name, 0):
                older += 1
            elif value is None:
                self._values[name] = math.nan
                self._times[name] = event.event_ns
            elif not _allowed(name, value):
                refused += 1
            else:
                self._values[name] = value
                self._times[name] = event.event_ns
        return older, refused

    def value(self, name: str) -> float:
        """The latest value of a field; NaN where never stated or not applicable."""
        return self._values.get(name, math.nan)

    def time_ns(self, name: str) -> int:
        """When it was stated; 0 if never."""
        return self._times.get(name, 0)

    @property
    def event_ns(self) -> int:
        """When the newest field was stated; 0 before any."""
        return max(self._times.values(), default=0)

    def content(self) -> tuple[object, ...]:
        """Everything known, in canonical order, for hashing."""
        return tuple((name, self._values[name], self._times[name]) for name in FACTS if name in self._times)


def _allowed(name: str, value: float) -> bool:
    """Whether a field can have a value: finite, and not the zero price that means missing."""
    if not -math.inf < value < math.inf:
        return False
    return value > 0 if name in _ABOVE_ZERO else value >= 0 if name in _NOT_BELOW_ZERO else True


class History:
    """Values of one instrument in order of time, at most one per time, the newest ``keep``."""

    __slots__ = ("_keep", "_series", "_times", "_values")

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._times = array("q")
        self._values = array("d")
        self._series: Series | None = None

    def take(self, time_ns: int, value: float) -> bool:
        """Whether a point was taken; a later statement about the same time replaces the earlier one."""
        if not math.isfinite(value):
            return False
        times, values = self._times, self._values
        self._series = None
        if not times or time_ns > times[-1]:
            times.append(time_ns)
            values.append(value)
        else:
            at = bisect_left(times, time_ns)
            if times[at] == time_ns:
                values[at] = value
            else:
                times.insert(at, time_ns)
                values.insert(at, value)
        if len(times) > self._keep:
            del times[0], values[0]
        return True

    def series(self) -> Series | None:
        """All points, read-only; None before any."""
        if self._series is None and self._times:
            times, values = np.array(self._times), np.array(self._values)
            times.flags.writeable = values.flags.writeable = False
            self._series = Series(times, values)
        return self._series

    def content(self) -> tuple[bytes, bytes]:
        """Everything known, for hashing."""
        return self._times.tobytes(), self._values.tobytes()


class Liquidations:
    """The newest forced closes of one instrument, oldest first."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events: deque[Liquidation] = deque(maxlen=KEEP_LIQUIDATIONS)

    def take(self, event: Liquidation) -> bool:
        """Whether a forced close was taken; one without a price or size above 0 is not."""
        if not (0 < event.price < math.inf and 0 < event.size < math.inf):
            return False
        self._events.append(event)
        return True

    def recent(self, count: int = KEEP_LIQUIDATIONS) -> tuple[Liquidation, ...]:
        """The newest ``count``, oldest first."""
        return tuple(self._events)[-count:]

    def content(self) -> tuple[object, ...]:
        """Everything known, for hashing."""
        return tuple((event.event_ns, event.side, event.price, event.size) for event in self._events)
