"""Signals and markets whose outcomes are known before they are scored."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sextant.evidence.events import EventTable, event_table
from sextant.evidence.outcomes import EXIT_NAMES
from sextant.model.bar import Floats
from sextant.model.instrument import Kind
from sextant.model.times import DAY_NS, HOUR_NS, INTERVAL_NS, Interval
from sextant.model.view import BarFrame, View, bar_frame
from sextant.strategies.contract import Gate, Signals, Verdict
from support.markets import FIRST_OPEN_NS, framed, specs_of, view_of
from support.views import spec


def noise_of(seeds: Sequence[int], rows: int) -> Floats:
    """``support.markets.noise`` of many seeds at once, (rows, seeds)."""
    state = np.array(seeds, dtype=np.int64)
    values = np.empty((rows, len(seeds)))
    for row in range(rows):
        total = np.zeros(len(seeds))
        for _ in range(12):
            state = (1_103_515_245 * state + 12_345) % 2**31
            total += state / 2**31
        values[row] = total - 6.0
    return values


def walked_bars(*bars: tuple[float, float, float, float], interval: Interval = "1h") -> BarFrame:
    """A frame of one instrument from its (open, high, low, close)."""
    block = np.array(bars, dtype=np.float64)
    return framed(interval, {name: block[:, [i]] for i, name in enumerate(("open", "high", "low", "close"))})


@dataclass(frozen=True)
class Plan:
    """Signals of one direction that all have the same barriers."""

    rows: Sequence[int]
    direction: int
    stop: float
    target: float
    horizon: int
    strength: float = 1.2
    flags: Sequence[int] = ()
    exit_close: float | None = None


def planned(frame: BarFrame, plan: Plan) -> Verdict:
    """A verdict with the signals of a plan on every instrument of a frame."""
    shape = frame.close.shape
    direction = np.zeros(shape, dtype=np.int8)
    direction[list(plan.rows)] = plan.direction
    flag = np.zeros((*shape, 2), dtype=np.bool_)
    flag[list(plan.flags), :, 0 if plan.direction > 0 else 1] = True
    spoken = direction != 0
    signals = Signals(
        direction=direction,
        strength=np.full(shape, plan.strength),
        stop=np.where(spoken, plan.stop, np.nan),
        target=np.where(spoken, plan.target, np.nan),
        exit_flag=flag,
        horizon_rows=plan.horizon,
        exit_close=None if plan.exit_close is None else np.where(spoken, plan.exit_close, np.nan),
    )
    return Verdict(frame.interval, signals, (), (None,) * shape[1], {})


def planned_events(
    frame: BarFrame, plan: Plan, kind: Kind = "spot", tick: str = "0.01", limit: float | None = None
) -> EventTable:
    """The events of a plan."""
    specs = tuple(
        msgspec.structs.replace(spec(f"C{column:03d}", kind), tick=Decimal(tick))
        for column in range(frame.close.shape[1])
    )
    verdict = planned(frame, plan)
    orders = None if limit is None else np.full(frame.close.shape, limit)
    verdict = dataclasses.replace(verdict, signals=dataclasses.replace(verdict.signals, limit=orders))
    return event_table("planned", {}, verdict, view_of(frame, specs))


def hashed(columns: int, frame: BarFrame, share: float, salt: int) -> NDArray[np.int8]:
    """Directions from a hash of instrument and bar time: +1 or -1 on a share of the rows, knowing nothing."""
    hours = (frame.open_ns // INTERVAL_NS["1h"]).astype(np.uint64)[:, None]
    names = np.arange(columns, dtype=np.uint64)[None, :]
    mixed = hours * np.uint64(1_000_003) + names * np.uint64(7_919) + np.uint64(salt * 104_729)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # the mixer of splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    chosen = mixed % np.uint64(10_000) < np.uint64(round(share * 10_000))
    return np.where(chosen, np.where(mixed >> np.uint64(63), 1, -1), 0).astype(np.int8)


def apart(direction: NDArray[np.int8], rows: int) -> NDArray[np.int8]:
    """The directions without those that begin within ``rows`` of the last one kept, column by column."""
    kept = np.zeros_like(direction)
    for column in range(direction.shape[1]):
        free = 0
        for row in np.flatnonzero(direction[:, column]).tolist():
            if row >= free:
                kept[row, column] = direction[row, column]
                free = row + rows
    return kept


def wide(frame: BarFrame, direction: NDArray[np.int8], horizon: int) -> Verdict:
    """A verdict of given directions whose barriers are too wide to be met; one historic and one live gate."""
    spoken = direction != 0
    signals = Signals(
        direction=direction,
        strength=np.ones(direction.shape),
        stop=np.where(spoken, frame.close * (1.0 - 0.9 * direction), np.nan),
        target=np.where(spoken, frame.close * (1.0 + 0.9 * direction), np.nan),
        exit_flag=np.zeros((*direction.shape, 2), dtype=np.bool_),
        horizon_rows=horizon,
    )
    gates = (
        Gate("chosen", spoken.astype(np.float64), 1.0, 1),
        Gate("quote", np.ones((1, direction.shape[1])), 1.0, 1, live_only=True),
    )
    return Verdict(frame.interval, signals, gates, (None,) * direction.shape[1], {})


def scored_view(frame: BarFrame) -> View:
    """A view of spot instruments over a frame."""
    return view_of(frame, specs_of(frame.close.shape[1]))


def recorded_hours(data_dir: Path) -> BarFrame:
    """Hourly bars of 136 recorded spot instruments on one axis; NaN where one was not yet listed."""
    table = pq.read_table(data_dir / "ohlcv" / "binance_spot_1h_136symbols_2024.parquet")
    names = table.column("symbol").combine_chunks().indices.to_numpy()
    times = table.column("date").to_numpy().astype("datetime64[ns]").astype(np.int64)
    step = INTERVAL_NS["1h"]
    rows = (times - times.min()) // step
    shape = (int(rows.max()) + 1, int(names.max()) + 1)
    columns = {}
    for name in ("open", "high", "low", "close", "volume"):
        block = np.full(shape, np.nan)
        block[rows, names] = table.column(name).to_numpy()
        columns[name] = block
    open_ns = times.min() + np.arange(shape[0], dtype=np.int64) * step
    return bar_frame("1h", open_ns, columns)


EMPTY = planned_events(walked_bars((100, 101, 99, 100)), Plan((), 1, 90.0, 110.0, 1))


def table_of(
    gross: Floats, *, cell: int | Floats = 0, column: int | Floats = 0, size: int = 1, apart_days: float = 1.0
) -> EventTable:
    """A table of stated outcomes, one after the other; they last 3 hours and end by time."""
    n = len(gross)
    row = (np.arange(n) * apart_days * 24).astype(np.int64)
    cells = np.broadcast_to(np.asarray(cell, dtype=np.int64), (n,)).copy()
    return dataclasses.replace(
        EMPTY,
        instruments=tuple(spec.instrument for spec in specs_of(size)),
        column=np.broadcast_to(np.asarray(column, dtype=np.int64), (n,)).copy(),
        row=row,
        entry_row=row + 1,
        exit_row=row + 3,
        entry_ns=FIRST_OPEN_NS + row * HOUR_NS,
        exit_ns=FIRST_OPEN_NS + (row + 3) * HOUR_NS,
        direction=np.where(cells < 4, 1, -1).astype(np.int8),
        strength=np.ones(n),
        cell=cells,
        gross=np.asarray(gross, dtype=np.float64),
        funded=np.ones(n, dtype=np.bool_),
        exit_kind=np.full(n, EXIT_NAMES.index("time")),
        ambiguous=np.zeros(n, dtype=np.bool_),
        adverse=np.full(n, 0.004),
        favourable=np.full(n, 0.006),
        rows=int(row[-1]) + 10 if n else 10,
        window_end_ns=FIRST_OPEN_NS + 400 * DAY_NS,
    )
