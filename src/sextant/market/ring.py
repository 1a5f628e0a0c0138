"""The newest final bars of one interval, time-major, in one stretch of rows that is moved when it is full."""

from __future__ import annotations

import math
import sys
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from sextant.model.bar import BAR_FIELDS, Floats, Integers
from sextant.model.digests import DIGEST_BYTES
from sextant.model.times import INTERVAL_NS, Interval
from sextant.model.view import BarFrame, bar_frame, row_digest

BarValues: TypeAlias = tuple[float, float, float, float, float, float, float]
"""Open, high, low, close, volume, quote volume, taker buy volume."""

Origin = Literal[1, 2]
FOLDED: Final[Origin] = 1
STATED: Final[Origin] = 2

Outcome = Literal["closed", "duplicate", "repaired", "confirmed", "replaced", "kept", "too_old"]
"""What a bar did: was the first of its place; repeated or changed what was there; confirmed or replaced
a folded bar; lost against a stated one; lies before the ring."""

CHANGES: Final = frozenset({"closed", "repaired", "replaced"})

LEAST_SLACK_ROWS: Final = 8
SLACK_SHARE: Final = (
    8  # one eighth of the rows, once for late bars and once as room: minutes move every three hours
)

_CLOSE: Final = BAR_FIELDS.index("close")
_OPTIONAL: Final = BAR_FIELDS.index("quote_volume")  # the first of those a venue may leave out
_NOTHING: Final = -1
_OWN_REFERENCES: Final = 2


class Tally(msgspec.Struct):
    """How many bars of a grid had which outcome; ``late`` are those of ``closed`` that came after a later bar."""

    closed: int = 0
    duplicate: int = 0
    repaired: int = 0
    confirmed: int = 0
    replaced: int = 0
    too_old: int = 0
    late: int = 0


class HeldRows(msgspec.Struct, frozen=True, eq=False):
    """Rows of a ring and who stated them.

    Parameters
    ----------
    first
        The first row: open time divided by the interval.
    values
        float64 (7, R, C) in the order of ``BAR_FIELDS``; NaN where absent.
    origin
        uint8 (R, C): 0 absent, 1 folded, 2 stated.
    newest
        int64 (C,): row of the newest bar of each column; -1 without any.
    versions
        int64 (R,): another number whenever a row has changed.
    """

    first: int
    values: Floats
    origin: NDArray[np.uint8]
    newest: Integers
    versions: Integers


class BarRing:
    """The newest final bars of one interval for all instruments.

    Row ``open_ns // interval_ns`` lies at its distance from a base, so that any window of held rows is one contiguous
    slice. There is room for an eighth more rows than are held; where a bar lies beyond it, the held rows move to the front.

    Parameters
    ----------
    interval
        Length of each bar.
    keep
        Rows a frame may hold. The ring holds ``max(8, keep // 8)`` rows more, which late bars may still reach.

    Notes
    -----
    A frame that was handed out never changes. A write that would touch one of its rows first moves
    the ring to new arrays and leaves the old ones to the frame, unless nobody holds it any more. A bar stated again without its quote
    or taker volume, and otherwise equal, keeps those that are known.
    """

    def __init__(self, interval: Interval, keep: int) -> None:
        self.interval: Interval = interval
        self.step_ns = INTERVAL_NS[interval]
        self.keep = keep
        self.capacity = keep + max(LEAST_SLACK_ROWS, keep // SLACK_SHARE)
        self.room = self.capacity + max(LEAST_SLACK_ROWS, keep // SLACK_SHARE)
        self.first = 0
        self.last = _NOTHING
        self.copies = 0
        self._base = 0
        self._data: Floats = np.empty((len(BAR_FIELDS), self.room, 0))
        self._origin: NDArray[np.uint8] = np.zeros((self.room, 0), dtype=np.uint8)
        self._newest: Integers = np.empty(0, dtype=np.int64)
        self._filled = np.zeros(self.room, dtype=np.int64)
        self._versions: Integers = np.ones(self.room, dtype=np.int64)
        self._digested: Integers = np.zeros(self.room, dtype=np.int64)
        self._digests: NDArray[np.void] = np.zeros(self.room, dtype=f"V{DIGEST_BYTES}")
        self._frozen_first = 0
        self._frozen_last = _NOTHING
        self._frame: BarFrame | None = None

    # -- writing ---------------------------------------------------------------------------------

    def reshape(self, moved: Integers, size: int) -> None:
        """Move to ``size`` columns; ``moved`` is int64, the new column of each present one."""
        newest = np.full(size, _NOTHING, dtype=np.int64)
        newest[moved] = self._newest
        self._newest = newest
        self._move(moved, size)
        self._versions += 1

    def put(self, row: int, column: int, values: BarValues, origin: Origin) -> Outcome:
        """What one bar did to its place; nothing else changes.

        Parameters
        ----------
        row
            Open time divided by the interval.
        column
            Of the instrument.
        values
            Seven numbers in the order of ``BAR_FIELDS``.
        origin
            Whether the venue stated the bar or smaller bars were folded to it.
        """
        if self.last != _NOTHING and row <= self.last - self.capacity:
            return "too_old"
        self._reach(row, row)
        slot = row - self._base
        had = self._origin[slot, column]
        outcome: Outcome = "closed"
        if had:
            if had > origin:
                return "kept"
            present = self._data[:, slot, column].tolist()
            values = _completed(values, present)
            same = all(a == b or (a != a and b != b) for a, b in zip(present, values, strict=True))  # noqa: PLR0124  # NaN
            if same:
                self._origin[slot, column] = origin
                return "duplicate" if had == origin else "confirmed"
            outcome = "repaired" if had == origin else "replaced"
        self._thaw(row, row)
        self._data[:, slot, column] = values
        self._origin[slot, column] = origin
        self._filled[slot] += not had
        self._versions[slot] += 1
        self._newest[column] = max(row, self._newest[column])
        self._frame = None
        return outcome

    def put_grid(self, row: int, values: Floats, columns: Integers, origin: Origin) -> Tally:
        """What the bars of consecutive rows did to their places.

        Parameters
        ----------
        row
            Of the first row of ``values``.
        values
            float64 (7, R, C); a bar whose close is NaN is absent and changes nothing.
        columns
            int64 (C,), distinct.
        origin
            As in :meth:`put`.
        """
        tally = Tally()
        present = ~np.isnan(values[_CLOSE])
        held = np.flatnonzero(present.any(axis=1))
        if not held.size:
            return tally
        top = int(held[-1]) + 1
        low = max(int(held[0]), max(self.last, row + top - 1) - self.capacity + 1 - row)
        tally.too_old = int(np.count_nonzero(present[:low]))
        if low >= top:
            return tally
        values, present, row = values[:, low:top], present[low:top], row + low
        self._reach(row, row + top - low - 1)
        self._merge(row, values, present, (columns, origin), tally)
        return tally

    def _merge(
        self, row: int, values: Floats, present: NDArray[np.bool_], to: tuple[Integers, Origin], tally: Tally
    ) -> None:
        columns, origin = to
        rows = values.shape[1]
        at = row - self._base
        where = self._columns(columns)
        had = self._origin[at : at + rows, where]
        old = self._data[:, at : at + rows, where]
        absent = had == 0
        wanted = present & (had <= origin)
        changed = wanted
        if not absent.all():
            # A statement without a taker or quote volume says nothing against the one that is known.
            unsaid = np.isnan(values[_OPTIONAL:]) & (old[:_OPTIONAL] == values[:_OPTIONAL]).all(axis=0)
            values = np.concatenate(
                (values[:_OPTIONAL], np.where(unsaid, old[_OPTIONAL:], values[_OPTIONAL:]))
            )
            same = ((old == values) | (np.isnan(old) & np.isnan(values))).all(axis=0)
            changed = wanted & (absent | ~same)
            known = wanted & ~absent
            again = known & (had == origin)
            folded = known & (had != origin)
            tally.duplicate = int(np.count_nonzero(again & same))
            tally.repaired = int(np.count_nonzero(again & ~same))
            tally.confirmed = int(np.count_nonzero(folded & same))
            tally.replaced = int(np.count_nonzero(folded & ~same))
        closed = wanted & absent
        index = np.arange(row, row + rows)
        newest = self._newest[columns]
        tally.closed = int(np.count_nonzero(closed))
        tally.late = int(np.count_nonzero(closed & (index[:, None] < newest)))
        self._newest[columns] = np.maximum(newest, np.where(present, index[:, None], _NOTHING).max(axis=0))
        touched = np.flatnonzero(changed.any(axis=1))
        if touched.size:
            merged = values if changed.all() else np.where(changed, values, old)
            self._thaw(row + int(touched[0]), row + int(touched[-1]))
            self._data[:, at : at + rows, where] = merged
            slots = at + touched
            self._versions[slots] += 1
            self._filled[slots] += np.count_nonzero(closed[touched], axis=1)
            self._frame = None
        self._origin[at : at + rows, where] = np.where(wanted, np.uint8(origin), had)

    # -- reading ---------------------------------------------------------------------------------

    def newest(self, column: int) -> int:
        """Row of the newest bar of an instrument; -1 without any."""
        return int(self._newest[column])

    def window(self, row: int, rows: int, columns: Integers) -> Floats:
        """A copy, float64 (7, rows, C), of rows the ring holds; NaN where absent or not held."""
        out = np.full((len(BAR_FIELDS), rows, len(columns)), np.nan)
        low, high = max(row, self.first), min(row + rows - 1, self.last)
        if low <= high:
            at = low - self._base
            out[:, low - row : high - row + 1] = self._data[
                :, at : at + high - low + 1, self._columns(columns)
            ]
        return out

    def group(self, row: int, rows: int, column: int) -> list[list[float]] | None:
        """The seven fields of consecutive bars of one instrument, oldest first; None if one is absent."""
        if row < self.first or row + rows - 1 > self.last:
            return None
        at = row - self._base
        if not self._origin[at : at + rows, column].all():
            return None
        values: list[list[float]] = self._data[:, at : at + rows, column].tolist()
        return values

    def frame(self, last_row: int) -> BarFrame | None:
        """The newest ``keep`` rows up to ``last_row`` without copying any; None if there is no bar among them."""
        span = self._span(last_row)
        if span is None:
            return None
        first, last = span
        ready = self._frame
        if ready is not None and ready.rows == last - first + 1 and ready.open_ns[0] == first * self.step_ns:
            return ready
        self._refresh_digests(first, last)
        self._frozen_first = min(first, self._frozen_first) if self._frozen_last != _NOTHING else first
        self._frozen_last = max(last, self._frozen_last)
        at, end = first - self._base, last + 1 - self._base
        open_ns = np.arange(first, last + 1) * self.step_ns
        columns = {name: self._data[field, at:end] for field, name in enumerate(BAR_FIELDS)}
        for array in (open_ns, *columns.values()):
            array.flags.writeable = False
        digests = self._digests[at:end].tobytes()
        self._frame = BarFrame(self.interval, open_ns, row_digests=digests, **columns)
        return self._frame

    def content(self) -> tuple[object, ...] | None:
        """The newest ``keep`` rows and who stated each bar, for hashing; None without bars."""
        span = self._span(self.last)
        if span is None:
            return None
        first, last = span
        self._refresh_digests(first, last)
        at, end = first - self._base, last + 1 - self._base
        digests = self._digests[at:end].tobytes()
        return (self.interval, first, digests, self._origin[at:end].tobytes())

    def column(self, last: int, rows: int, column: int) -> BarFrame:
        """Up to ``rows`` bars of one instrument that end with row ``last``, a copy, float64 (T, 1)."""
        first = max(self.first, last - rows + 1)
        values = self.window(first, last - first + 1, np.array([column]))
        open_ns = np.arange(first, last + 1) * self.step_ns
        return bar_frame(self.interval, open_ns, dict(zip(BAR_FIELDS, values, strict=True)))

    # -- moving to another process -----------------------------------------------------------------

    def held(self, *, freeze: bool = False) -> HeldRows | None:
        """Every row that is held, not copied; None without any.

        Parameters
        ----------
        freeze
            The rows will be read later: a write that would change them leaves them alone, as it does those of a frame.
        """
        if self.last == _NOTHING:
            return None
        at, end = self.first - self._base, self.last + 1 - self._base
        if freeze:
            empty = self._frozen_last == _NOTHING
            self._frozen_first = self.first if empty else min(self.first, self._frozen_first)
            self._frozen_last = self.last
        return HeldRows(
            first=self.first,
            values=self._data[:, at:end],
            origin=self._origin[at:end].copy() if freeze else self._origin[at:end],
            newest=self._newest.copy(),
            versions=self._versions[at:end].copy(),
        )

    def fill(self, rows: HeldRows, columns: Integers) -> None:
        """Take the rows of another ring for some columns, which must be blank; the oldest where they do not fit."""
        self._newest[columns] = rows.newest
        count = len(rows.origin)
        last = max(self.last, rows.first + count - 1)
        low = max(0, last - self.capacity + 1 - rows.first)
        if low >= count:
            return
        row, values, origin = rows.first + low, rows.values[:, low:], rows.origin[low:]
        self._reach(row, rows.first + count - 1)
        self._thaw(row, rows.first + count - 1)
        slots = slice(row - self._base, rows.first + count - self._base)
        self._data[:, slots, columns] = values
        self._origin[slots, columns] = origin
        self._filled[slots] += np.count_nonzero(origin, axis=1)
        self._versions[slots] += 1
        self._frame = None

    def drop(self, kept: Integers) -> None:
        """Forget all columns but the given ones, which keep their order."""
        self._data, self._origin = self._data[:, :, kept], self._origin[:, kept]
        self._newest = self._newest[kept]
        self._frozen_first, self._frozen_last = 0, _NOTHING
        self._filled = np.count_nonzero(self._origin, axis=1).astype(np.int64)
        self._versions += 1
        self._frame = None

    # -- rows and memory -------------------------------------------------------------------------

    def _span(self, last_row: int) -> tuple[int, int] | None:
        """First and last of the newest ``keep`` rows up to ``last_row``, without leading rows that hold no bar."""
        last = min(last_row, self.last)
        first = max(self.first, last - self.keep + 1)
        held = np.flatnonzero(self._filled[first - self._base : last + 1 - self._base])
        return (first + int(held[0]), last) if held.size else None

    def _columns(self, columns: Integers) -> Integers | slice:
        """The columns as a slice where they are all of them, which NumPy reads without gathering."""
        size = self._data.shape[2]
        everything = len(columns) == size and bool((columns == np.arange(size)).all())
        return slice(None) if everything else columns

    def _reach(self, low: int, high: int) -> None:
        """Hold rows ``low`` to ``high``, blank where they were not held."""
        if self.last == _NOTHING:
            self.first, self.last = high, high
            self._base = high - self.capacity + 1  # whatever may still be stated before it has a place
            self._blank(high, high)
        elif high > self.last:
            if high >= self._base + self.room:
                self._rebase(high - self.capacity + 1)
            self._blank(max(self.last + 1, high - self.capacity + 1), high)
            self.last = high
            self.first = max(self.first, high - self.capacity + 1)
        if low < self.first:
            self._blank(low, self.first - 1)
            self.first = low

    def _blank(self, low: int, high: int) -> None:
        slots = slice(low - self._base, high + 1 - self._base)
        self._data[:, slots] = np.nan
        self._origin[slots] = 0
        self._filled[slots] = 0
        self._versions[slots] += 1
        self._frame = None

    def _thaw(self, low: int, high: int) -> None:
        """Leave the arrays to the frames that were handed out, if rows ``low`` to ``high`` are in one."""
        if low <= self._frozen_last and high >= self._frozen_first:
            self._copy()

    def _copy(self) -> None:
        """Leave the arrays to whoever still reads them; where nobody does, there is nothing to leave."""
        self._frame = None
        if self._read_by_others():
            self.copies += 1
            self._move(slice(None), self._data.shape[2])
        else:
            self._frozen_first, self._frozen_last = 0, _NOTHING

    def _read_by_others(self) -> bool:
        """Whether a frame that was handed out is still read.

        Notes
        -----
        Every slice of an array, and every slice of a slice, holds a reference to the array that owns the
        memory: two references, the ring's and the one of this call, say that no frame is read any more.
        """
        return sys.getrefcount(self._data) > _OWN_REFERENCES

    def _move(self, moved: Integers | slice, size: int) -> None:
        """Take arrays of ``size`` columns and carry the held rows over; untouched rows cost no memory."""
        data = np.empty((len(BAR_FIELDS), self.room, size))
        origin = np.zeros((self.room, size), dtype=np.uint8)
        if self.last != _NOTHING:
            held = slice(self.first - self._base, self.last + 1 - self._base)
            if size > self._data.shape[2]:
                data[:, held] = np.nan
            data[:, held, moved] = self._data[:, held]
            origin[held, moved] = self._origin[held]
        self._data, self._origin = data, origin
        self._frozen_first, self._frozen_last = 0, _NOTHING
        self._frame = None

    def _rebase(self, base: int) -> None:
        """Move the rows that stay held to the front, a later base; field by field, so that little is held twice."""
        self._copy()
        self.first = max(self.first, base)
        rows = max(0, self.last - self.first + 1)
        old, new = self.first - self._base, self.first - base
        for array in (*self._data, self._origin, self._filled, self._versions, self._digested, self._digests):
            array[new : new + rows] = array[old : old + rows]
        self._base = base

    def _refresh_digests(self, first: int, last: int) -> None:
        slots = slice(first - self._base, last + 1 - self._base)
        for at in (slots.start + np.flatnonzero(self._versions[slots] != self._digested[slots])).tolist():
            digest = row_digest((self._base + at) * self.step_ns, tuple(self._data[:, at]))
            self._digests[at] = np.void(digest)
            self._digested[at] = self._versions[at]


def _completed(values: BarValues, present: list[float]) -> BarValues:
    """A statement with the volumes it leaves out, where it otherwise repeats what is present."""
    first, high, low, close, volume, quote_volume, taker = values
    if [first, high, low, close, volume] == present[:_OPTIONAL]:
        quote_volume = present[_OPTIONAL] if math.isnan(quote_volume) else quote_volume
        taker = present[_OPTIONAL + 1] if math.isnan(taker) else taker
    return (first, high, low, close, volume, quote_volume, taker)
