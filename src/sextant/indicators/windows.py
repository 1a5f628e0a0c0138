"""The primitives of all indicators, one implementation each; every function moves one row of S columns.

Notes
-----
Rows are 1-D arrays (S,), rings (w, S) with slot = bar_index mod w. ``count`` (int64) is the number of
rows of a column since its anchor, this row included, and 0 on a hole. No primitive clears anything at a
hole: sums begin at their first row, and a ring is read only after it was refilled, so what follows
equals a cold start bit for bit.

Only + - * / sqrt abs floor and comparisons are used, and nothing is fused or re-ordered, so that the bits are
the same on every machine; columns never meet, so a column alone equals the column among many.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np

from sextant.model.bar import Floats, Integers

F = TypeVar("F", bound=Callable[..., Any])

PLAIN_ROWS: Final = 32
REFRESH_ROWS: Final = 60

WindowSum = tuple[Floats, Floats, Floats, Integers]
"""Ring (w, S), sum, compensation and number of terms that are not 0, the last three (S,)."""


def compiled(function: F) -> F:
    """The function as machine code without the interpreter lock, kept on disk; IEEE arithmetic as written."""
    dispatcher: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    # The compiler stamps its files with the source of the function alone; the primitives it takes in from
    # this file must count too, or a changed primitive would leave stale code on disk.
    own = Path(__file__).stat()
    files = dispatcher._cache._cache_file  # noqa: SLF001  # there is no public way to the stamp
    files._source_stamp = (files._source_stamp, own.st_mtime, own.st_size)  # noqa: SLF001  # as above
    return cast("F", dispatcher)


def counter(columns: int) -> Integers:
    """Row counters of S cold columns."""
    return np.zeros(columns, dtype=np.int64)


def ring(rows: int, columns: int) -> Floats:
    """An empty ring, (rows, S)."""
    return np.zeros((rows, columns))


def window_sum_state(rows: int, columns: int) -> WindowSum:
    """The cold state of :func:`window_sum`."""
    return ring(rows, columns), np.zeros(columns), np.zeros(columns), counter(columns)


@compiled
def larger(a: float, b: float) -> float:
    """The larger of two numbers; a where it is NaN."""
    return b if b > a else a  # noqa: FURB136  # max() of the compiler spends branches on NaN


@compiled
def smaller(a: float, b: float) -> float:
    """The smaller of two numbers; a where it is NaN."""
    return b if b < a else a  # noqa: FURB136  # min() of the compiler spends branches on NaN


@compiled
def tick(count: Integers, x: Floats) -> None:
    """Counts the row where x is a number; a hole makes the column cold."""
    for s in range(count.shape[0]):
        count[s] = count[s] + 1 if x[s] == x[s] else 0  # false for NaN alone


@compiled
def void(count: Integers, x: Floats) -> None:
    """Makes the column cold where x, a further input of the row, is a hole."""
    for s in range(count.shape[0]):
        count[s] = count[s] if x[s] == x[s] else 0  # false for NaN alone


@compiled
def mask(out: Floats, count: Integers, warmup: int) -> None:
    """Leaves NaN in the rows that are warming."""
    for s in range(count.shape[0]):
        out[s] = out[s] if count[s] > warmup else np.nan


@compiled
def ema(v: Floats, count: Integers, skip: int, x: Floats, n: int) -> None:
    """Moves v: mean of the first n rows after ``skip`` of them, then v + (2/(n+1))*(x-v)."""
    k = 2.0 / (n + 1)
    for s in range(count.shape[0]):
        row = count[s] - skip
        if row > n:
            v[s] = v[s] + k * (x[s] - v[s])
        else:
            total = x[s] if row <= 1 else v[s] + x[s]
            v[s] = total / (n if row == n else 1)


@compiled
def wilder(v: Floats, count: Integers, skip: int, x: Floats, n: int) -> None:
    """Moves v: mean of the first n rows after ``skip`` of them, then (v*(n-1)+x)/n."""
    for s in range(count.shape[0]):
        row = count[s] - skip
        total = v[s] * (n - 1) + x[s] if row > n else (x[s] if row <= 1 else v[s] + x[s])
        v[s] = total / (n if row >= n else 1)


@compiled
def add_slots(slots: Floats, out: Floats) -> None:
    """The sum of a ring in the order of its slots, so that the bits do not depend on the first row."""
    for s in range(out.shape[0]):
        out[s] = slots[0, s]
    for slot in range(1, slots.shape[0]):
        one = slots[slot]
        for s in range(out.shape[0]):
            out[s] = out[s] + one[s]


@compiled
def window_sum(acc: WindowSum, bar_index: int, count: Integers, x: Floats, out: Floats) -> None:
    """The sum of the last w rows: re-added each row up to 32 rows, compensated beyond.

    Notes
    -----
    Beyond 32 rows the window is re-added when a column is first full and whenever bar_index mod 60 = 0, and
    between those rows the newest is added and the oldest subtracted after Neumaier (1974), so two
    runs agree bit for bit from the next multiple of 60. A window of zeros sums to exactly 0.
    """
    slots, total, lost, live = acc
    w = slots.shape[0]
    if w <= PLAIN_ROWS:
        slots[bar_index % w] = x
        add_slots(slots, out)
        return
    full = _exchange(acc, slots[bar_index % w], count, x)
    if bar_index % REFRESH_ROWS == 0 and full > 0:
        add_slots(slots, total)
        lost[:] = 0.0
    for s in range(out.shape[0]):
        if count[s] == w:
            fresh = 0.0
            for slot in range(w):
                fresh = fresh + slots[slot, s]
            total[s], lost[s] = fresh, 0.0
        if live[s] == 0:
            total[s], lost[s] = 0.0, 0.0
        out[s] = total[s] + lost[s]


@compiled
def _exchange(acc: WindowSum, one: Floats, count: Integers, x: Floats) -> int:
    slots, total, lost, live = acc
    full = 0
    for s in range(x.shape[0]):
        full += count[s] >= slots.shape[0]
        live[s] += (x[s] != 0) - (one[s] != 0)
        for term in (x[s], -one[s]):
            a = total[s] + term
            lost[s] += (total[s] - a) + term if abs(total[s]) >= abs(term) else (term - a) + total[s]
            total[s] = a
        one[s] = x[s]
    return full


@compiled
def window_max(slots: Floats, out: Floats) -> None:
    """The largest value of a ring."""
    out[:] = slots[0]
    for slot in range(1, slots.shape[0]):
        one = slots[slot]
        for s in range(out.shape[0]):
            out[s] = larger(one[s], out[s])


@compiled
def window_min(slots: Floats, out: Floats) -> None:
    """The smallest value of a ring."""
    out[:] = slots[0]
    for slot in range(1, slots.shape[0]):
        one = slots[slot]
        for s in range(out.shape[0]):
            out[s] = smaller(one[s], out[s])


@compiled
def lag(slots: Floats, bar_index: int, x: Floats, out: Floats) -> None:
    """The row k rows ago, k the length of the ring; x takes its place."""
    one = slots[bar_index % slots.shape[0]]
    for s in range(out.shape[0]):
        out[s] = one[s]
        one[s] = x[s]


@compiled
def true_range(high: Floats, low: Floats, before: Floats, out: Floats) -> None:
    """max(high, close before) - min(low, close before)."""
    for s in range(out.shape[0]):
        top = larger(high[s], before[s])
        bottom = smaller(low[s], before[s])
        out[s] = top - bottom


@compiled
def ratio(a: float, b: float) -> float:
    """a/b where b > 0, else 0."""
    return a / b if b > 0 else 0.0


@compiled
def clamp(x: float, low: float, high: float) -> float:
    """The number moved into low..high; NaN stays."""
    return smaller(larger(x, low), high)


@compiled
def strength(
    moved: tuple[Floats, Floats, Floats], count: Integers, close: Floats, n: int, out: Floats
) -> None:
    """Wilder's strength index; ``moved`` keeps the close before, the mean gain and the mean loss.

    Notes
    -----
    50 where the close never moved. A value is meant from n rows after the anchor on.
    """
    before, gain, loss = moved
    up, down = np.empty(close.shape[0]), np.empty(close.shape[0])
    for s in range(close.shape[0]):
        d = close[s] - before[s]
        up[s] = d if d > 0 else 0.0
        down[s] = -d if d < 0 else 0.0
        before[s] = close[s]
    wilder(gain, count, 1, up, n)
    wilder(loss, count, 1, down, n)
    for s in range(close.shape[0]):
        both = gain[s] + loss[s]
        out[s] = 100.0 * (gain[s] / both) if both > 0 else 50.0
