"""Past events of couples: what became of two instruments held against each other, before cost.

Both legs are entered at the open after the signal and left together at a later open, or at the close at which time is
up. Whether to leave is decided at closes only: nobody knows in which order two instruments moved within a bar.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sextant.evidence.events import EventTable, cells_of, settled_funding
from sextant.evidence.outcomes import BUCKETS, FLAG, STOP, TARGET, TIME, cell_of
from sextant.model.bar import Floats, Integers
from sextant.model.times import INTERVAL_NS
from sextant.model.view import BarFrame, View
from sextant.strategies.contract import Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.couples import Couple, CoupleSet, PastSignals, weights_of
from sextant.strategies.gates import without

PENDING: Final = 4
VOID: Final = 5


class _Walked(NamedTuple):
    where: Integers
    """int64 (k, 4): index of the signal, row of entry, row of exit, exit kind."""
    prices: Floats
    """float64 (k, 3): change of the spread in favour, greatest adverse and favourable excursion, per unit of the larger side."""
    void: Integers
    pending: int


def couple_table(strategy: Strategy, params: Mapping[str, float], verdict: Verdict, view: View) -> EventTable:
    """All past events of a verdict about couples, before cost; ``column`` counts its couples first, then those of the past.

    Notes
    -----
    Gross is ``direction * change of (ln first - ratio ln second) / max(1, ratio)`` from open to open, less the funding
    settled on both legs in between. A position is left at the open after the close at which its spread passed stop or
    target, or was flagged; at the close of its last row time is up. A signal is void when an open is missing, when the
    spread at entry has passed a level already, or when a close is missing before the exit. Per couple a signal counts
    only if its row is not before the exit row of the last one. Where the gross is made of funding, events whose
    settlements are not all known are left out.
    """
    said = verdict.couples
    assert said is not None  # noqa: S101  # asked of verdicts about couples only
    past = said.past()
    frame = view.bars[verdict.interval]
    found = _walked(frame, past)
    signal, entry_row, exit_row, kind = (np.ascontiguousarray(found.where[:, i]) for i in range(4))
    step = INTERVAL_NS[verdict.interval]
    entry_ns = frame.open_ns[entry_row]
    exit_ns = frame.open_ns[exit_row] + np.where(kind == TIME, step, 0)
    direction, ratio = past.direction[signal], past.ratio[signal]
    largest = np.maximum(1.0, ratio)
    legs = past.legs[past.couple[signal]]
    paid, funded = settled_funding(view, legs[:, 0], entry_ns, exit_ns)
    hedge_paid, hedge_funded = settled_funding(view, legs[:, 1], entry_ns, exit_ns)
    income = -direction * (paid - ratio * hedge_paid) / largest
    known = funded & hedge_funded
    kept = known if strategy.evidence_kind == "funding" else np.ones(len(signal), dtype=np.bool_)
    units, place = _units(said, past)
    weights = _weights(said, past, place, len(units))
    lacking = () if bool(known.all()) else ("settled_funding",)
    strength = past.strength[signal]
    return EventTable(
        strategy_id=strategy.id,
        params=tuple(sorted(params.items())),
        interval=verdict.interval,
        horizon_rows=said.horizon_rows,
        instruments=units,
        column=place[past.couple[signal]][kept],
        row=past.row[signal][kept],
        entry_row=entry_row[kept],
        exit_row=exit_row[kept],
        entry_ns=entry_ns[kept],
        exit_ns=exit_ns[kept],
        direction=direction[kept],
        strength=strength[kept],
        cell=cells_of(direction, strength)[kept],
        gross=(found.prices[:, 0] + income)[kept],
        funded=known[kept],
        exit_kind=kind[kept],
        ambiguous=np.zeros(int(kept.sum()), dtype=np.bool_),
        adverse=found.prices[:, 1][kept],
        favourable=found.prices[:, 2][kept],
        void=found.void,
        unfilled=np.zeros(2 * BUCKETS, dtype=np.int64),
        pending_count=found.pending,
        rows=frame.rows,
        median_run_s=past.median_run_s,
        without=(*without(verdict), *lacking),
        window_start_ns=int(frame.open_ns[0]) if frame.rows else None,
        window_end_ns=frame.last_close_ns,
        kind=strategy.evidence_kind,
        span_ns=said.span_ns,
        weights=weights,
    )


def couple_costs_bps(pricing: Pricing, table: EventTable) -> Floats:
    """The round trip of each couple of a table for an account, float64 (U,), basis points; NaN where unknown.

    Notes
    -----
    Two taker fees and the quoted spread of both legs, at today's spreads; funding is in the events themselves.
    """
    column_of, single = pricing.view.column_of, pricing.round_trip_bps
    costs = np.full(len(table.instruments), np.nan)
    for place, unit in enumerate(table.instruments):
        if isinstance(unit, Couple) and table.weights is not None:
            columns = [column_of.get(instrument) for instrument in unit.instruments]
            if None not in columns:
                pair = single[np.array(columns, dtype=np.int64)]
                costs[place] = float(pair @ table.weights[place])
    return costs


def _units(said: CoupleSet, past: PastSignals) -> tuple[tuple[Couple, ...], Integers]:
    """The couples of now, then those that signalled before only; and the place of each couple of the past."""
    places = {couple: place for place, couple in enumerate(said.couples)}
    for couple in past.couples:
        places.setdefault(couple, len(places))
    return tuple(places), np.array([places[couple] for couple in past.couples], dtype=np.int64)


def _weights(said: CoupleSet, past: PastSignals, place: Integers, count: int) -> Floats:
    """Notional of both legs per reference notional, float64 (U, 2): of now, else of the last past signal."""
    ratio = np.ones(count)
    ratio[place[past.couple]] = past.ratio
    ratio[: said.count] = said.ratio
    return np.array([weights_of(value) for value in ratio.tolist()]).reshape(-1, 2)


def _walked(frame: BarFrame, past: PastSignals) -> _Walked:
    strength = np.ascontiguousarray(past.strength)
    return _Walked(
        *_walk(
            (frame.open, frame.close),
            (past.legs, past.couple, past.row, past.last_row, past.leave_row),
            (past.direction, strength),
            (past.ratio, past.stop, past.target),
        )
    )


@njit(cache=True, nogil=True)
def spread_at(prices: Floats, row: int, legs: Integers, ratio: float) -> float:
    """``ln first - ratio ln second`` on a row; NaN where a price is unknown."""
    first, second = prices[row, legs[0]], prices[row, legs[1]]
    if not (first > 0 and second > 0):
        return np.nan
    return float(np.log(first) - ratio * np.log(second))


@njit(cache=True, nogil=True)
def left_of(
    bars: tuple[Floats, Floats],
    legs: Integers,
    terms: tuple[float, float, float, float, float],
    rows: tuple[int, int, int],
) -> tuple[int, int, float, float, float]:
    """(kind, row, change in favour, adverse, favourable) of a position held from the open of the first row on.

    Parameters
    ----------
    bars
        Opens and closes, float64 (T, S).
    legs
        int64 (2,).
    terms
        Direction, ratio, stop and target (NaN for none) in the direction, and the spread that was paid.
    rows
        First row, row at whose close time is up, and row at whose close it is flagged (-1 for none).
    """
    opens, closes = bars
    d, ratio, stop, target, paid = terms
    first, last, leave = rows
    worst, best, reason = 0.0, 0.0, -1
    for u in range(first, last + 1):
        if u >= closes.shape[0]:
            return PENDING, u, np.nan, worst, best
        if reason >= 0:
            begin = spread_at(opens, u, legs, ratio)
            if not np.isnan(begin):
                move = d * (begin - paid)
                return reason, u, move, max(worst, -move), max(best, move)
        end = spread_at(closes, u, legs, ratio)
        if np.isnan(end):
            return VOID, u, np.nan, worst, best
        move = d * (end - paid)
        worst, best = max(worst, -move), max(best, move)
        if u == last:
            return TIME, u, move, worst, best
        if reason < 0:
            if d * end <= stop:
                reason = STOP
            elif d * end >= target:
                reason = TARGET
            elif u == leave:
                reason = FLAG
    return VOID, first, np.nan, worst, best


@njit(cache=True, nogil=True)
def _walk(
    bars: tuple[Floats, Floats],
    places: tuple[Integers, Integers, Integers, Integers, Integers],
    said: tuple[NDArray[np.int8], Floats],
    levels: tuple[Floats, Floats, Floats],
) -> tuple[Integers, Floats, Integers, int]:
    legs, couple, row, last_row, leave_row = places
    direction, strength = said
    ratio, stop, target = levels
    count = len(row)
    where, prices = np.empty((count, 4), dtype=np.int64), np.empty((count, 3))
    void = np.zeros(2 * BUCKETS, dtype=np.int64)
    free_from = np.zeros(legs.shape[0], dtype=np.int64)
    found, pending, rows = 0, 0, bars[1].shape[0]
    for n in range(count):
        own = couple[n]
        if row[n] < free_from[own]:
            continue
        if row[n] + 1 >= rows:
            pending += 1
            continue
        largest = max(1.0, ratio[n])
        d = float(direction[n])
        paid = spread_at(bars[0], row[n] + 1, legs[own], ratio[n])
        kind, end, move, worst, best = VOID, row[n] + 1, np.nan, 0.0, 0.0
        if not (np.isnan(paid) or d * paid <= stop[n] or d * paid >= target[n]):
            kind, end, move, worst, best = left_of(
                bars,
                legs[own],
                (d, ratio[n], stop[n], target[n], paid),
                (row[n] + 1, last_row[n], leave_row[n]),
            )
        free_from[own] = end
        if kind == PENDING:
            pending += 1
            free_from[own] = rows
        elif kind == VOID:
            void[cell_of(direction[n], strength[n])] += 1
        else:
            where[found, 0], where[found, 1], where[found, 2], where[found, 3] = n, row[n] + 1, end, kind
            prices[found, 0], prices[found, 1], prices[found, 2] = (
                move / largest,
                worst / largest,
                best / largest,
            )
            found += 1
    return where[:found].copy(), prices[:found].copy(), void, pending
