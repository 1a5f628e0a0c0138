"""Final bars of every interval: what the venues state, and what is folded from smaller bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from sextant.errors import InputError
from sextant.market.counters import Counters
from sextant.market.ring import CHANGES, FOLDED, STATED, BarRing, BarValues, HeldRows, Origin, Tally
from sextant.model.bar import BAR_FIELDS, Bar, BarBlock, Floats, Integers
from sextant.model.events import BarUpdate
from sextant.model.times import DAY_NS, INTERVAL_NS, INTERVALS, Interval
from sextant.model.view import BarFrame, Flags

KEEP_ROWS: Final[Mapping[Interval, int]] = {
    "1m": 1_440,
    "5m": 1_000,
    "30m": 1_000,
    "1h": 1_000,
    "4h": 1_000,
    "1d": 1_000,
}

_OPEN, _HIGH, _LOW, _CLOSE = 0, 1, 2, 3
_VOLUMES: Final = (4, 5, 6)
_LARGER: Final[Mapping[Interval, Interval]] = dict(pairwise(INTERVALS))


def bar_values(bar: Bar) -> BarValues:
    """The seven numbers of a bar in the order of ``BAR_FIELDS``."""
    return (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.quote_volume, bar.taker_buy_volume)


def fold_bars(fields: Sequence[Sequence[float]]) -> BarValues:
    """One bar over consecutive bars: first open, highest high, lowest low, last close, volumes added in order.

    Parameters
    ----------
    fields
        Seven sequences of equal length in the order of ``BAR_FIELDS``, oldest first, none absent.

    Notes
    -----
    A volume of which one part is unknown (NaN) is unknown.
    """
    volumes = []
    for field in _VOLUMES:
        total = fields[field][0]
        for part in fields[field][1:]:
            total += part
        volumes.append(total)
    return (
        fields[_OPEN][0],
        max(fields[_HIGH]),
        min(fields[_LOW]),
        fields[_CLOSE][-1],
        volumes[0],
        volumes[1],
        volumes[2],
    )


def fold_grid(values: Floats, count: int) -> Floats:
    """As :func:`fold_bars`, for many groups at once.

    Parameters
    ----------
    values
        float64 (7, G * count, C), NaN where a bar is absent.
    count
        Bars per group.

    Returns
    -------
    Floats
        float64 (7, G, C); NaN where a bar of the group is absent.
    """
    fields, rows, columns = values.shape
    parts = values.reshape(fields, rows // count, count, columns)
    out = parts[:, :, 0].copy()
    for index in range(1, count):
        part = parts[:, :, index]
        np.maximum(out[_HIGH], part[_HIGH], out=out[_HIGH])
        np.minimum(out[_LOW], part[_LOW], out=out[_LOW])
        out[_VOLUMES[0] :] += part[_VOLUMES[0] :]
    out[_CLOSE] = parts[_CLOSE, :, -1]
    out[:, np.isnan(parts[_CLOSE]).any(axis=1)] = np.nan
    return out


def impossible(values: Floats) -> Flags:
    """Which bars of float64 (7, R, C) are present and break the rules of :class:`sextant.model.bar.Bar`: bool (R, C)."""
    first, high, low, close, volume, quote_volume, taker = values
    good = (
        (low > 0)
        & (low <= first)
        & (first <= high)
        & (high < np.inf)
        & (low <= close)
        & (close <= high)
        & (volume >= 0)
        & (volume < np.inf)
        & ~(quote_volume < 0)
        & ~(taker < 0)
    )
    bad: Flags = ~np.isnan(close) & ~good
    return bad


class BarStore:
    """Rings of final bars by interval, one column per instrument.

    Parameters
    ----------
    counters
        Where outcomes are counted.
    keep_rows
        Rows to keep by interval; :data:`KEEP_ROWS` for those not named.

    Raises
    ------
    InputError
        If an interval is unknown or a count is below 1.
    """

    def __init__(self, counters: Counters, keep_rows: Mapping[Interval, int] | None = None) -> None:
        self._counters = counters
        self._keep = {**KEEP_ROWS, **(keep_rows or {})}
        for interval, rows in self._keep.items():
            if interval not in INTERVAL_NS or rows < 1:
                raise InputError(
                    f"Rows to keep of '{interval}' are {rows}; known are {', '.join(INTERVALS)}, from 1."
                )
        self._rings: dict[Interval, BarRing] = {}
        self._size = 0

    @property
    def rings(self) -> Mapping[Interval, BarRing]:
        """The rings of the intervals that hold a bar, smallest first."""
        return {interval: self._rings[interval] for interval in INTERVALS if interval in self._rings}

    def reshape(self, moved: Integers, size: int) -> None:
        """Move to ``size`` columns; ``moved`` is int64, the new column of each present one."""
        self._size = size
        for ring in self._rings.values():
            ring.reshape(moved, size)

    def update(self, event: BarUpdate, column: int) -> bool:
        """Whether a final bar found its place; a refused one is counted.

        Notes
        -----
        A bar is refused when its open is no multiple of its interval, or lies after the message that states it:
        one such bar with a wrong unit would push every true row out of the ring.
        """
        step = INTERVAL_NS[event.interval]
        open_ns = event.bar.open_ns
        if open_ns < 0 or open_ns % step or open_ns > max(event.event_ns, event.receive_ns):
            self._counters.add("bars_refused")
            return False
        row = open_ns // step
        ring = self._ring(event.interval)
        late = row < ring.newest(column)
        outcome = ring.put(row, column, bar_values(event.bar), STATED)
        self._counters.add(f"bars_{outcome}")
        if late and outcome == "closed":
            self._counters.add("bars_late")
        if outcome in CHANGES:
            self._fold_one(event.interval, row, column)
        return outcome != "too_old"

    def block(self, block: BarBlock, take: Integers, columns: Integers) -> None:
        """Take the bars of a block; bars that break the rules are counted and left out.

        Parameters
        ----------
        take
            int64 (C,): columns of the block whose instruments are known.
        columns
            int64 (C,): their columns here.
        """
        known = int(np.searchsorted(block.open_ns, max(block.event_ns, block.receive_ns), side="right"))
        first = int(np.searchsorted(block.open_ns, 0))
        values = np.stack([getattr(block, name)[first:known] for name in BAR_FIELDS])
        if len(take) != len(block.instruments):
            values = values[:, :, take]
        bad = impossible(values)
        dropped = np.count_nonzero(bad)
        for outside in (block.close[:first], block.close[known:]):
            dropped += np.count_nonzero(~np.isnan(outside[:, take]))
        if bad.any():
            values[:, bad] = np.nan
        self._counters.add("bars_refused", int(dropped))
        rows = block.open_ns[first:known] // INTERVAL_NS[block.interval]
        for low, high in _pieces(rows, self._ring(block.interval)):
            index = rows[low:high] - rows[low]
            grid = values[:, low:high]
            if len(index) != index[-1] + 1:
                grid = np.full((len(BAR_FIELDS), int(index[-1]) + 1, len(columns)), np.nan)
                grid[:, index] = values[:, low:high]
            self._put_grid(block.interval, int(rows[low]), grid, columns, STATED)

    def frames(self, as_of_ns: int, intervals: Sequence[Interval] | None) -> dict[Interval, BarFrame]:
        """Frames of bars closed by ``as_of_ns``; an interval without such bars is absent."""
        found = {}
        for interval, ring in self.rings.items():
            if intervals is None or interval in intervals:
                frame = ring.frame(as_of_ns // ring.step_ns - 1)
                if frame is not None:
                    found[interval] = frame
        return found

    def newest_ns(self, interval: Interval, column: int) -> int:
        """Open time of the newest final bar of an instrument; -1 without any."""
        ring = self._rings.get(interval)
        row = -1 if ring is None else ring.newest(column)
        return -1 if row < 0 else row * INTERVAL_NS[interval]

    def column(self, interval: Interval, column: int, rows: int) -> BarFrame | None:
        """The newest ``rows`` bars of one instrument, a copy, float64 (T, 1); None without any."""
        newest_ns = self.newest_ns(interval, column)
        if newest_ns < 0 or rows < 1:
            return None
        return self._rings[interval].column(newest_ns // INTERVAL_NS[interval], rows, column)

    def drop(self, kept: Integers) -> None:
        """Forget all columns but the given ones, which keep their order."""
        self._size = len(kept)
        for ring in self._rings.values():
            ring.drop(kept)

    def fill(self, interval: Interval, rows: HeldRows, columns: Integers) -> None:
        """Take the rows of another store's ring for some columns, which must be blank."""
        self._ring(interval).fill(rows, columns)

    def _ring(self, interval: Interval) -> BarRing:
        ring = self._rings.get(interval)
        if ring is None:
            ring = self._rings[interval] = BarRing(interval, self._keep[interval])
            ring.reshape(np.empty(0, dtype=np.int64), self._size)
        return ring

    def _fold_one(self, interval: Interval, row: int, column: int) -> None:
        """Fold the group of a changed bar, if complete, and what follows from it."""
        while interval in _LARGER:
            larger = _LARGER[interval]
            count = INTERVAL_NS[larger] // INTERVAL_NS[interval]
            row //= count
            fields = self._rings[interval].group(row * count, count, column)
            if fields is None:
                return
            outcome = self._ring(larger).put(row, column, fold_bars(fields), FOLDED)
            if outcome not in CHANGES:
                return
            interval = larger

    def _put_grid(
        self, interval: Interval, row: int, grid: Floats, columns: Integers, origin: Origin
    ) -> None:
        """Write consecutive rows and fold the groups they touch, up to the largest interval."""
        while True:
            ring = self._ring(interval)
            tally = ring.put_grid(row, grid, columns, origin)
            if origin == STATED:
                self._count(tally)
            larger = _LARGER.get(interval)
            if larger is None:
                return
            count = INTERVAL_NS[larger] // INTERVAL_NS[interval]
            base, end = row // count, (row + grid.shape[1] - 1) // count + 1
            whole = ring.window(base * count, (end - base) * count, columns)
            # Rows before the ring are known only from the grid itself; later ones as the ring merged them.
            outside = min(max(ring.first - row, 0), grid.shape[1])
            whole[:, row - base * count : row - base * count + outside] = grid[:, :outside]
            grid, row, interval, origin = fold_grid(whole, count), base, larger, FOLDED
            if np.isnan(grid[_CLOSE]).all():
                return

    def _count(self, tally: Tally) -> None:
        for name in Tally.__struct_fields__:
            self._counters.add(f"bars_{name}", getattr(tally, name))


def _pieces(rows: Integers, ring: BarRing) -> Iterator[tuple[int, int]]:
    """Ranges of a block's rows that lie in the same whole days and, if a day does, fit into the ring.

    Notes
    -----
    So every bar passes through the ring once, no fold crosses two pieces, and the memory a block needs
    beyond itself is bounded.
    """
    day = DAY_NS // ring.step_ns
    length = max(1, ring.capacity // day) * day
    cuts = np.flatnonzero(np.diff(rows // length)) + 1
    bounds = [0, *cuts.tolist(), len(rows)]
    return ((low, high) for low, high in pairwise(bounds) if low < high)
