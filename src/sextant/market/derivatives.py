"""Latest facts beyond the book, and their bounded histories."""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_left
from operator import attrgetter
from typing import Any, Final

import numpy as np
from msgspec import UNSET

from sextant.model.cells import Cells, IntCell, compiled, ints_at, reals_at
from sextant.model.event_block import FIELDS, SIDES
from sextant.model.events import DerivativesUpdate, Liquidation
from sextant.model.instrument import Instrument
from sextant.model.view import LiquidationTape, Series

KEEP_FUNDING: Final = 2_200  # two years of eight-hourly settlements
KEEP_OPEN_INTEREST: Final = 2_016  # seven days of 5-minute points
KEEP_LONG_SHARE: Final = 2_016  # as above
KEEP_LIQUIDATIONS: Final = 1_000
TRIM_LIQUIDATIONS: Final = 64  # as trades are trimmed: together, because dropping the oldest moves all others
_LONG, _SHORT = 1.0, -1.0

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

_SMALLEST: Final = 5e-324  # above zero: a zero price is how some venues say that there is none
_LOWEST: Final = tuple(
    _SMALLEST
    if name in ("last", "mark", "index", "funding_interval_s")
    else -sys.float_info.max
    if name in ("change_24h_frac", "funding_rate")
    else 0.0
    for name in FACTS
)
_FIELDS_OF: Final = attrgetter(*FACTS)


FACTS_NS: Final = 0
VALUES: Final = 1
TIMES: Final = VALUES + len(FACTS)
FACTS_CELLS: Final = TIMES + len(FACTS)
INTERVAL_PLACE: Final = FACTS.index("funding_interval_s")
NEXT_PLACE: Final = FACTS.index("next_funding_ns")
INTEREST_PLACE: Final = FACTS.index("open_interest")
_WHOLE: Final = frozenset({INTERVAL_PLACE, NEXT_PLACE})
_NO_NUMBER: Final = -(2**63)
"""Stands in a cell of whole numbers for NaN."""


class Facts:
    """Latest values of one instrument, each with the time it was stated.

    Notes
    -----
    Each field has its own time, because a venue answers some on request and pushes others: an older
    message may still carry the newest value of a field.
    """

    __slots__ = ("cells",)

    event_ns = IntCell(FACTS_NS)

    def __init__(self) -> None:
        self.cells = Cells(FACTS_CELLS)
        for place in range(len(FACTS)):
            self._put(place, math.nan)

    def take(self, event: DerivativesUpdate) -> tuple[int, int]:
        """How many fields of an update were older than what is known, and how many no instrument can have."""
        older = refused = 0
        event_ns, ints = event.event_ns, self.cells.ints
        for place, value in enumerate(_FIELDS_OF(event)):
            if value is UNSET:
                continue
            if event_ns < ints[TIMES + place]:
                older += 1
                continue
            if value is None:
                value = math.nan  # noqa: PLW2901  # not applicable is unknown to every reader
            elif not _LOWEST[place] <= value < math.inf:
                refused += 1
                continue
            self._put(place, value)
            ints[TIMES + place] = event_ns
            ints[FACTS_NS] = max(ints[FACTS_NS], event_ns)
        return older, refused

    def value(self, name: str) -> float:
        """The latest value of a field; NaN where never stated or not applicable."""
        return self._value(FACTS.index(name))

    def time_ns(self, name: str) -> int:
        """When it was stated; 0 if never."""
        return self.cells.ints[TIMES + FACTS.index(name)]

    def content(self) -> tuple[object, ...]:
        """Everything known, in canonical order, for hashing."""
        places = range(len(FACTS))
        return ([self._value(place) for place in places], self.cells.ints[TIMES:FACTS_CELLS].tolist())

    def restore(self, content: Any) -> None:
        """Become the facts whose :meth:`content` it was."""
        for place, value in enumerate(content[0]):
            self._put(place, value)
        self.cells.put_ints(TIMES, list(content[1]))
        self.event_ns = max(content[1])

    def _value(self, place: int) -> float:
        if place not in _WHOLE:
            return self.cells.reals[VALUES + place]
        whole = self.cells.ints[VALUES + place]
        return math.nan if whole == _NO_NUMBER else whole

    def _put(self, place: int, value: float) -> None:
        if place not in _WHOLE:
            self.cells.reals[VALUES + place] = value
        else:
            self.cells.ints[VALUES + place] = _NO_NUMBER if math.isnan(value) else int(value)


@compiled
def are_newest(facts: int, event_ns: int, told: int) -> bool:
    """Whether none of the fields told was stated later; bits from ``last`` on."""
    times = ints_at(facts)
    newer = 0
    for place in range(FIELDS - SIDES):
        newer += told >> place & 1 and event_ns < times[TIMES + place]
    return newer == 0


@compiled
def take_facts(facts: int, event_ns: int, body: int, told: int, missing: int) -> None:
    """Take the fields that are told, none of them stated later; the missing ones of them do not apply."""
    ints, reals, values, wholes = ints_at(facts), reals_at(facts), reals_at(body), ints_at(body)
    for place in range(FIELDS - SIDES):
        if told >> place & 1:
            ints[TIMES + place] = event_ns
            if place in (INTERVAL_PLACE, NEXT_PLACE):
                ints[VALUES + place] = _NO_NUMBER if missing >> place & 1 else wholes[SIDES + place]
            else:
                reals[VALUES + place] = math.nan if missing >> place & 1 else values[SIDES + place]
    ints[FACTS_NS] = max(ints[FACTS_NS], event_ns)


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

    @property
    def newest_ns(self) -> int:
        """Time of the newest point; 0 before any."""
        return self._times[-1] if self._times else 0

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

    def restore(self, content: Any) -> None:
        """Become the history whose :meth:`content` it was."""
        self._times, self._values, self._series = array("q", content[0]), array("d", content[1]), None


class Liquidations:
    """The newest forced closes of one instrument.

    Notes
    -----
    Held as columns: an event of its own for each takes 300 bytes where a row takes 40, and an hour of a busy market fills
    the thousand of every instrument.
    """

    __slots__ = ("_numbers", "_received", "_tape", "_times")

    def __init__(self) -> None:
        self._times, self._received = array("q"), array("q")
        self._numbers = (array("d"), array("d"), array("d"))  # price, size and side, as of a tape
        self._tape: LiquidationTape | None = None

    def take(self, event: Liquidation) -> bool:
        """Whether a forced close was taken; one without a price or size above 0 is not."""
        if not (0 < event.price < math.inf and 0 < event.size < math.inf):
            return False
        self._tape = None
        side = _LONG if event.side == "long" else _SHORT
        for column, value in zip(self._numbers, (event.price, event.size, side), strict=True):
            column.append(value)
        self._times.append(event.event_ns)
        self._received.append(event.receive_ns)
        if len(self._times) >= KEEP_LIQUIDATIONS + TRIM_LIQUIDATIONS:
            for held in (self._times, self._received, *self._numbers):
                del held[:-KEEP_LIQUIDATIONS]
        return True

    def tape(self, as_of_ns: int) -> LiquidationTape | None:
        """Those up to a time, in the order of their own times; None without any."""
        if self._tape is None and self._times:
            self._tape = self._sorted()
        whole = self._tape
        if whole is None or whole.event_ns[-1] <= as_of_ns:
            return whole
        count = int(np.searchsorted(whole.event_ns, as_of_ns, side="right"))
        if not count:
            return None
        return LiquidationTape(
            whole.event_ns[:count], whole.price[:count], whole.size[:count], whole.side[:count]
        )

    def content(self) -> tuple[object, ...]:
        """Everything known, for hashing: of each time, time of receipt, side, price and size, as they came."""
        newest = slice(-KEEP_LIQUIDATIONS, None)
        price, size, side = (column[newest] for column in self._numbers)
        sides = ("long" if one == _LONG else "short" for one in side)
        return tuple(zip(self._times[newest], self._received[newest], sides, price, size, strict=True))

    def restore(self, content: Any, instrument: Instrument) -> None:
        """Become those of an instrument whose :meth:`content` it was."""
        for held in (self._times, self._received, *self._numbers):
            del held[:]
        self._tape = None
        for item in content:
            self.take(Liquidation(instrument, *item))

    def _sorted(self) -> LiquidationTape:
        times, *numbers = (np.array(column[-KEEP_LIQUIDATIONS:]) for column in (self._times, *self._numbers))
        order = np.lexsort((*reversed(numbers), times))
        columns = [column[order] for column in (times, *numbers)]
        for column in columns:
            column.flags.writeable = False
        return LiquidationTape(*columns)
