"""Past events of a strategy: every signal that could be acted on, and what became of it before cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sextant.evidence.outcomes import FLAG, STOP, TARGET, cell_of, outcomes
from sextant.model.bar import Floats, Integers
from sextant.model.digests import digest_of
from sextant.model.instrument import Instrument
from sextant.model.scorecard import EvidenceKind
from sextant.model.times import DAY_NS, INTERVAL_NS, SECOND_NS, Interval
from sextant.model.view import Flags, View
from sextant.strategies.contract import Verdict
from sextant.strategies.couples import Couple
from sextant.strategies.gates import historic_pass, without

Kept = TypeVar("Kept")

FUNDING_UNKNOWN: Final = "settled_funding"
"""Stands in ``without`` when events of perpetuals lie outside the funding history that is known."""

_USUAL_FUNDING_S: Final = 8 * 3600  # where a perpetual's own interval is not published


PER_EVENT: Final = (
    "column",
    "row",
    "entry_row",
    "exit_row",
    "entry_ns",
    "exit_ns",
    "direction",
    "strength",
    "cell",
    "gross",
    "funded",
    "exit_kind",
    "ambiguous",
    "adverse",
    "favourable",
)
"""The arrays of a table that have one entry per event."""


@dataclass(frozen=True, eq=False)
class EventTable:
    """Events of all instruments, in the order of entry; each array has one entry per event.

    Parameters
    ----------
    strategy_id, params
        Whose events these are; parameters sorted by name.
    interval, horizon_rows
        Frame and time barrier.
    instruments
        S identities, of instruments or of couples; the meaning of ``column``.
    column, row, entry_row, exit_row
        int64: instrument, row of the signal, row of the entry, row of the exit.
    entry_ns, exit_ns
        int64: open time of the entry row; of the exit row for flags, else its close time.
    direction
        int8: +1 or -1.
    strength
        float64: 1 = at threshold.
    cell
        int64: direction and bucket of strength, see :func:`~sextant.evidence.outcomes.cell_of`.
    gross
        float64: ``direction * (exit/entry - 1)``, fraction, less what the hedge earned where there is one; perpetuals
        after the funding that was settled.
    funded
        bool: the funding of the event is known; always true where there is none.
    exit_kind
        int64: index into :data:`~sextant.evidence.outcomes.EXIT_NAMES`.
    ambiguous
        bool: stop and target lay in one bar.
    adverse, favourable
        float64: greatest excursion against and with the direction, fraction of entry, >= 0.
    void, unfilled
        int64 (8,): signals by cell that could not be entered or followed; resting orders without a fill.
    pending_count
        Signals whose exit is not yet known.
    rows
        Rows of the frame.
    median_run_s
        Median length of past runs of signals; None where no run has ended.
    without
        Names of what evidence could not apply: gates without history, unknown funding.
    window_start_ns, window_end_ns
        Open of the first and close of the last bar; None without bars.
    resting
        Entered by post-only orders, which pay the maker fee and cross no spread.
    kind
        Kind of the evidence.
    span_ns
        Length of the clusters; None for the longer of a day and the horizon.
    weights
        float64 (S, 2): notional of both legs per unit of notional, where the events are those of couples; else None.
    """

    strategy_id: str
    params: tuple[tuple[str, float], ...]
    interval: Interval
    horizon_rows: int
    instruments: tuple[Instrument | Couple, ...]
    column: Integers
    row: Integers
    entry_row: Integers
    exit_row: Integers
    entry_ns: Integers
    exit_ns: Integers
    direction: NDArray[np.int8]
    strength: Floats
    cell: Integers
    gross: Floats
    funded: Flags
    exit_kind: Integers
    ambiguous: Flags
    adverse: Floats
    favourable: Floats
    void: Integers
    unfilled: Integers
    pending_count: int
    rows: int
    median_run_s: float | None
    without: tuple[str, ...]
    window_start_ns: int | None
    window_end_ns: int | None
    resting: bool = False
    kind: EvidenceKind = "bars"
    span_ns: int | None = None
    weights: Floats | None = None

    @property
    def count(self) -> int:
        """n, the number of events."""
        return len(self.gross)

    def since(self, entry_ns: int) -> EventTable:
        """The events that were entered at or after a time; what was void or unfilled stays counted as a whole."""
        chosen = self.entry_ns >= entry_ns
        arrays = {name: getattr(self, name)[chosen] for name in PER_EVENT}
        start_ns = None if self.window_start_ns is None else max(self.window_start_ns, entry_ns)
        return dataclasses.replace(self, **arrays, window_start_ns=start_ns)

    @cached_property
    def _kept(self) -> dict[tuple[Any, ...], Any]:
        return {}

    def once(self, key: tuple[Any, ...], make: Callable[[], Kept]) -> Kept:
        """What ``make`` gave the first time this key was asked for; for what is read off the events alone."""
        if key not in self._kept:
            self._kept[key] = make()
        known: Kept = self._kept[key]
        return known

    @cached_property
    def cluster(self) -> Integers:
        """int64 (n,): number of the cluster of each event, 0 the earliest.

        Notes
        -----
        A cluster holds the events of all instruments entered within one span, of max(1 day, horizon) where none is
        stated: 500 instruments that fall together are one event.
        """
        span = self.span_ns or max(DAY_NS, self.horizon_rows * INTERVAL_NS[self.interval])
        numbers: Integers = np.unique(self.entry_ns // span, return_inverse=True)[1].astype(np.int64)
        return numbers

    @cached_property
    def content_hash(self) -> bytes:
        """16 bytes of the events; equal events give equal random streams."""
        columns = (self.column, self.entry_ns, self.exit_ns, self.cell, self.gross)
        return digest_of((self.strategy_id.encode(), *map(np.ascontiguousarray, columns)))


def event_table(
    strategy_id: str,
    params: Mapping[str, float],
    verdict: Verdict,
    view: View,
) -> EventTable:
    """All past events of a verdict and what became of them, before cost.

    Parameters
    ----------
    strategy_id, params
        Whose verdict it is.
    verdict
        What the strategy says on every row of the view.
    view
        The view it was computed from.

    Notes
    -----
    The table of a shorter view is the beginning of the table of the longer one, as far as exits were known.
    """
    frame = view.bars[verdict.interval]
    signals = verdict.signals
    passing = np.ascontiguousarray(historic_pass(verdict) & (signals.direction != 0))
    tick = np.array([float(spec.tick) for spec in view.instruments], dtype=np.float64)
    found = outcomes(frame, signals, passing, tick)
    column, row, entry_row, exit_row, kind = (np.ascontiguousarray(found.where[:, i]) for i in range(5))
    entry, leave, adverse, favourable, strength = (found.prices[:, i].copy() for i in range(5))
    direction = signals.direction[row, column]
    step = INTERVAL_NS[verdict.interval]
    entry_ns = frame.open_ns[entry_row]
    exit_ns = frame.open_ns[exit_row] + np.where(kind == FLAG, 0, step)
    gross = direction * (leave / entry - 1.0)
    if verdict.hedge is not None:
        # Whoever leaves at an open has not held that row.
        gross -= direction * verdict.hedge.returns(column, row, entry_row, exit_row - (kind == FLAG))
    held_ns = np.where((kind == STOP) | (kind == TARGET), exit_ns - 1, exit_ns)
    paid, funded = settled_funding(view, column, entry_ns, held_ns)
    lacking = () if bool(funded.all()) else (FUNDING_UNKNOWN,)
    return EventTable(
        strategy_id=strategy_id,
        params=tuple(sorted(params.items())),
        interval=verdict.interval,
        horizon_rows=signals.horizon_rows,
        instruments=view.names,
        column=column,
        row=row,
        entry_row=entry_row,
        exit_row=exit_row,
        entry_ns=entry_ns,
        exit_ns=exit_ns,
        direction=direction,
        strength=strength,
        cell=cells_of(direction, strength),
        gross=gross - direction * paid,
        funded=funded,
        exit_kind=kind,
        ambiguous=found.where[:, 5] > 0,
        adverse=adverse,
        favourable=favourable,
        void=found.void,
        unfilled=found.unfilled,
        pending_count=found.pending,
        rows=frame.rows,
        median_run_s=_median_run_s(passing, signals.direction, step),
        without=(*without(verdict), *lacking),
        window_start_ns=int(frame.open_ns[0]) if frame.rows else None,
        window_end_ns=frame.last_close_ns,
        resting=signals.limit is not None,
    )


def settled_funding(
    view: View, column: Integers, entry_ns: Integers, held_ns: Integers
) -> tuple[Floats, Flags]:
    """Sum of the rates settled while in position, and whether the history covers it; per event.

    Parameters
    ----------
    column, entry_ns, held_ns
        int64 (n,): instrument, entry, and the last instant in position.

    Notes
    -----
    Whoever enters at the very instant of a settlement enters after it.
    """
    paid = np.zeros(len(column))
    known = np.ones(len(column), dtype=np.bool_)
    order = np.argsort(column, kind="stable")
    ends = np.searchsorted(column[order], np.arange(view.size + 1))
    for number in np.flatnonzero(np.diff(ends)).tolist():
        spec = view.instruments[number]
        if spec.instrument.kind != "perpetual":
            continue
        mine = order[ends[number] : ends[number + 1]]
        history = view.funding_history.get(spec.instrument)
        if history is None or not len(history.time_ns):
            known[mine] = False
            continue
        total = np.concatenate(([0.0], np.cumsum(history.value)))
        start = np.searchsorted(history.time_ns, entry_ns[mine], side="right")
        end = np.searchsorted(history.time_ns, held_ns[mine], side="right")
        paid[mine] = total[end] - total[start]
        gap = (spec.funding_interval_s or _USUAL_FUNDING_S) * SECOND_NS
        early = entry_ns[mine] + gap < history.time_ns[0]
        late = held_ns[mine] - gap >= history.time_ns[-1]
        known[mine] = ~(early | late) & np.isfinite(paid[mine])
    return np.where(known, paid, 0.0), known


@njit(cache=True, nogil=True)
def cells_of(direction: NDArray[np.int8], strength: Floats) -> Integers:
    """Number of the cell of each signal, int64 (n,); see :func:`~sextant.evidence.outcomes.cell_of`."""
    cells = np.empty(len(strength), dtype=np.int64)
    for event in range(len(strength)):
        cells[event] = cell_of(direction[event], strength[event])
    return cells


@njit(cache=True, nogil=True)
def run_lengths(passing: Flags, direction: NDArray[np.int8]) -> Integers:
    """Rows of each run of signals of one direction that has ended, int64 (n,)."""
    rows, size = passing.shape
    lengths = np.empty(rows * size, dtype=np.int64)
    found = 0
    running = np.zeros(size, dtype=np.int64)
    for t in range(rows):
        for s in range(size):
            goes_on = running[s] > 0 and passing[t, s] and direction[t, s] == direction[t - 1, s]
            if running[s] > 0 and not goes_on:
                lengths[found] = running[s]
                found += 1
                running[s] = 0
            if passing[t, s]:
                running[s] += 1
    return lengths[:found].copy()


def _median_run_s(passing: Flags, direction: NDArray[np.int8], step_ns: int) -> float | None:
    lengths = run_lengths(passing, direction)
    return float(np.median(lengths)) * step_ns / SECOND_NS if len(lengths) else None
