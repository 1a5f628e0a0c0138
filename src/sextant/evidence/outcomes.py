"""What became of past signals: one function decides it, for scans, tests and live scoring alike.

A position is entered at the open after the signal, or by a resting order at a limit. It ends at the
stop, the target, a flag, or after the horizon, whichever comes first; a bar that holds both stop and
target counts as stopped.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sextant.errors import Insufficient
from sextant.model.bar import Floats, Integers
from sextant.model.view import BarFrame, Flags
from sextant.strategies.contract import Signals

TARGET: Final = 0
STOP: Final = 1
TIME: Final = 2
FLAG: Final = 3
EXIT_NAMES: Final = ("target", "stop", "time", "flag")
"""Names of the ways out, by their number."""

BUCKETS: Final = 4
BUCKET_EDGES: Final = (1.0, 1.15, 1.35, 1.7)
"""Lower edges of the buckets of strength; the first also takes what is below it, the last has no upper edge."""

_VOID: Final = 4
_PENDING: Final = 5
_UNFILLED: Final = 6
_ORDER_ROWS: Final = 2  # strategies.md 2.2: a resting order stands for two rows
_ROUNDING: Final = 1e-12  # of the price: a bar that passes by exactly one tick passes in float64 too


class Prices(NamedTuple):
    """float64 (T, S) each: the bars that are walked."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats


class Orders(NamedTuple):
    """What is done on each signal.

    ``passing`` bool (T, S), ``direction`` int8 (T, S), ``strength``, ``stop``, ``target`` float64 (T, S),
    ``exit_flag`` bool (T, S, 2); ``exit_close`` and ``limit`` float64 (T, S) or (0, 0) for none, ``tick``
    float64 (S,), ``horizon`` rows.
    """

    passing: Flags
    direction: NDArray[np.int8]
    strength: Floats
    stop: Floats
    target: Floats
    exit_flag: Flags
    exit_close: Floats
    limit: Floats
    tick: Floats
    horizon: int


class Outcomes(NamedTuple):
    """n outcomes in the order of their signal's row, then column.

    Parameters
    ----------
    where
        int64 (n, 6): column, row of the signal, row of entry, row of exit, exit kind, 1 where ambiguous.
    prices
        float64 (n, 5): entry, exit, greatest adverse and favourable excursion (fractions of entry, >= 0), strength.
    void, unfilled
        int64 (8,): signals that could not be entered or followed, and resting orders that were not
        filled, by :func:`cell_of`.
    pending
        Signals whose exit is not yet known.
    """

    where: Integers
    prices: Floats
    void: Integers
    unfilled: Integers
    pending: int


@njit(cache=True, nogil=True)
def cell_of(direction: int, strength: float) -> int:
    """Number of the cell of a signal: 0..3 the buckets of longs, 4..7 those of shorts."""
    bucket = 0
    for edge in BUCKET_EDGES[1:]:
        if strength >= edge:
            bucket += 1
    return bucket if direction > 0 else bucket + BUCKETS


@njit(cache=True, nogil=True)
def _enter(bars: Prices, orders: Orders, t: int, s: int) -> tuple[int, int, float]:
    """(TARGET, row, price) of an entry, or why there is none; TARGET only means that there is one."""
    d = orders.direction[t, s]
    resting = orders.limit.shape[0] > 0
    price = orders.limit[t, s] if resting else bars.open[t + 1, s]
    if not (d * (price - orders.stop[t, s]) > 0 and d * (orders.target[t, s] - price) > 0):
        return _VOID, t, price
    if not resting:
        return TARGET, t + 1, price
    for row in range(t + 1, t + 1 + _ORDER_ROWS):
        if row >= bars.close.shape[0]:
            return _PENDING, row, price
        extreme = bars.low[row, s] if d > 0 else bars.high[row, s]
        if np.isnan(extreme):
            return _VOID, row, price
        if d * (price - extreme) >= orders.tick[s] - _ROUNDING * price:
            return TARGET, row, price
    return _UNFILLED, t + _ORDER_ROWS, price


@njit(cache=True, nogil=True)
def _leave(
    bars: Prices, orders: Orders, t: int, s: int, entry: tuple[int, float]
) -> tuple[int, int, float, bool, float, float]:
    """(kind, row, price, ambiguous, adverse, favourable) of the exit of a position entered at (row, price)."""
    first, paid = entry
    d = orders.direction[t, s]
    stop, target = orders.stop[t, s], orders.target[t, s]
    side = 0 if d > 0 else 1
    resting = orders.limit.shape[0] > 0
    last = t + orders.horizon
    worst, best, flagged = 0.0, 0.0, False
    for u in range(first, last + 1):
        if u >= bars.close.shape[0]:
            return _PENDING, u, np.nan, False, worst, best
        begin, end = bars.open[u, s], bars.close[u, s]
        if flagged and not np.isnan(begin):
            move = d * (begin - paid) / paid
            return FLAG, u, begin, False, max(worst, -move), max(best, move)
        adverse = bars.low[u, s] if d > 0 else bars.high[u, s]
        favourable = bars.high[u, s] if d > 0 else bars.low[u, s]
        if np.isnan(begin + end + adverse + favourable):
            return _VOID, u, np.nan, False, worst, best
        stopped = d * (adverse - stop) <= 0
        # In the bar that filled a resting order the favourable extreme may have come before the fill.
        reached = d * (favourable - target) >= orders.tick[s] - _ROUNDING * target and not (
            resting and u == first
        )
        if stopped:
            price = begin if d * (begin - stop) < 0 else stop
            return STOP, u, price, reached, max(worst, -d * (price - paid) / paid), best
        if reached:
            return TARGET, u, target, False, worst, max(best, d * (target - paid) / paid)
        worst = max(worst, -d * (adverse - paid) / paid)
        best = max(best, d * (favourable - paid) / paid)
        if u == last:
            return TIME, u, end, False, worst, best
        flagged = orders.exit_flag[u, s, side]
        if orders.exit_close.shape[0] > 0 and d * (end - orders.exit_close[t, s]) < 0:
            flagged = True
    return _VOID, first, np.nan, False, worst, best


@njit(cache=True, nogil=True)
def _walk(bars: Prices, orders: Orders) -> tuple[Integers, Floats, Integers, Integers, int]:
    rows, size = orders.passing.shape
    most = 0
    for t in range(rows):
        for s in range(size):
            most += orders.passing[t, s]
    where = np.empty((most, 6), dtype=np.int64)
    prices = np.empty((most, 5))
    void = np.zeros(2 * BUCKETS, dtype=np.int64)
    unfilled = np.zeros(2 * BUCKETS, dtype=np.int64)
    free_from = np.zeros(size, dtype=np.int64)
    found, pending = 0, 0
    for t in range(rows):
        for s in range(size):
            if not orders.passing[t, s] or t < free_from[s]:
                continue
            if t + 1 >= rows:
                pending += 1
                continue
            strength = orders.strength[t, s]
            cell = cell_of(orders.direction[t, s], strength)
            kind, row, paid = _enter(bars, orders, t, s)
            first = row
            price, both, worst, best = np.nan, False, 0.0, 0.0
            if kind == TARGET:
                kind, row, price, both, worst, best = _leave(bars, orders, t, s, (first, paid))
            free_from[s] = row
            if kind == _PENDING:
                pending += 1
                free_from[s] = rows
            elif kind == _VOID:
                void[cell] += 1
            elif kind == _UNFILLED:
                unfilled[cell] += 1
            else:
                line = where[found]
                line[0], line[1], line[2], line[3], line[4], line[5] = s, t, first, row, kind, both
                facts = prices[found]
                facts[0], facts[1], facts[2], facts[3], facts[4] = paid, price, worst, best, strength
                found += 1
    return where[:found].copy(), prices[:found].copy(), void, unfilled, pending


def outcomes(bars: BarFrame, signals: Signals, passing: Flags, tick: Floats) -> Outcomes:
    """What became of the signals of all instruments, before cost and funding.

    Parameters
    ----------
    bars
        The frame of the signals, (T, S).
    signals
        What the strategy said on its rows.
    passing
        bool (T, S): rows that count as signals, where all historic gates passed and there is a direction.
    tick
        float64 (S,): smallest step of the price.

    Notes
    -----
    On rows ``t+1 .. t+H``, in this order: an exit flag of the row before leaves at the open; the stop is hit
    when the adverse extreme reaches it and fills there, or at the open when that is beyond; the target is
    hit when the favourable extreme passes it by a tick, and fills there; stop and target in one bar are a
    stop, ``ambiguous``; at the close of ``t+H`` time is up. A signal is ``void`` when its entry is not
    strictly between stop and target, or when a bar is missing before its exit. A resting order stands for
    two rows, is filled when a bar passes it by a tick, and cannot reach its target in the bar of its fill.

    Per instrument a signal is taken only if its row is not before the exit row of the last one taken. Nothing
    looks beyond an exit, so cutting off later rows changes no outcome that is known before them.
    """
    nothing = np.empty((0, 0))
    orders = Orders(
        passing=passing,
        direction=signals.direction,
        strength=np.ascontiguousarray(signals.strength),
        stop=np.ascontiguousarray(signals.stop),
        target=np.ascontiguousarray(signals.target),
        exit_flag=np.ascontiguousarray(signals.exit_flag),
        exit_close=nothing if signals.exit_close is None else np.ascontiguousarray(signals.exit_close),
        limit=nothing if signals.limit is None else np.ascontiguousarray(signals.limit),
        tick=tick,
        horizon=signals.horizon_rows,
    )
    prices = Prices(
        *(np.ascontiguousarray(column) for column in (bars.open, bars.high, bars.low, bars.close))
    )
    return Outcomes(*_walk(prices, orders))


class Exit(NamedTuple):
    """How a position ended: kind (index of :data:`EXIT_NAMES`), row, price, excursions; see :class:`Outcomes`."""

    kind: int
    row: int
    price: float
    ambiguous: bool
    adverse: float
    favourable: float


class Held(NamedTuple):
    """A position that is held: +1 or -1, what was paid, its barriers, and the smallest step of the price."""

    direction: int
    paid: float
    stop: float
    target: float
    tick: float


def exit_of(bars: Prices, held: Held, leave: Flags, last: int) -> Exit | None:
    """How a position that is held from row 0 on ends; None while no row shows it.

    Parameters
    ----------
    bars
        float64 (T, 1) each.
    held
        The position.
    leave
        bool (T,): at the close of the row the position is to be left at the next open.
    last
        Row at whose close time is up; it may lie beyond the bars.

    Raises
    ------
    Insufficient
        If a bar is missing before the exit.

    Notes
    -----
    The rules are those of :func:`outcomes`, by the same code.
    """
    shape = bars.close.shape
    nothing = np.empty((0, 0))
    orders = Orders(
        passing=np.zeros(shape, dtype=np.bool_),
        direction=np.full(shape, held.direction, dtype=np.int8),
        strength=np.ones(shape),
        stop=np.full(shape, held.stop),
        target=np.full(shape, held.target),
        exit_flag=np.ascontiguousarray(np.repeat(leave[:, None, None], 2, axis=2)),
        exit_close=nothing,
        limit=nothing,
        tick=np.array([held.tick]),
        horizon=last,
    )
    kind, row, price, ambiguous, adverse, favourable = _leave(bars, orders, 0, 0, (0, held.paid))
    if kind == _VOID:
        raise Insufficient(
            f"A bar is missing {row} rows after the position was opened.", reason="missing_data"
        )
    return None if kind == _PENDING else Exit(kind, row, price, bool(ambiguous), adverse, favourable)
