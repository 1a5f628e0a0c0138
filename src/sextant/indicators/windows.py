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

from typing import Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.model.bar import Floats, Integers

FADE_3: Final = 0.7937005259840998
FADE_10: Final = 0.9330329915368074
FADE_25: Final = 0.9726549474122855
FADE_50: Final = 0.9862327044933592
"""2^(-1/h): what is left after one row of a weight that halves in h rows."""

PLAIN_ROWS: Final = 32
REFRESH_ROWS: Final = 60

WindowSum = tuple[Floats, Floats, Floats, Integers]
"""Ring (w, S), sum, compensation and number of terms that are not 0, the last three (S,)."""


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
def later(count: Integers, skip: int, out: Integers) -> None:
    """Rows since the anchor of a series that begins ``skip`` rows after its column."""
    for s in range(count.shape[0]):
        out[s] = count[s] - skip


@compiled
def push(slots: Floats, bar_index: int, x: Floats) -> None:
    """Puts the row into its slot of a ring."""
    slots[bar_index % slots.shape[0]] = x


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
    Beyond 32 rows the window is re-added in the order of its slots when a column is first full and whenever
    bar_index mod 60 = 0; between those rows the newest is added and the oldest subtracted. All is
    compensated after Neumaier (1974), so a thousandfold term leaves nothing behind, and two runs agree bit for
    bit from the next multiple of 60. A window of zeros sums to exactly 0.
    """
    slots, total, lost, live = acc
    w = slots.shape[0]
    if w <= PLAIN_ROWS:
        slots[bar_index % w] = x
        add_slots(slots, out)
        return
    full = _exchange(acc, slots[bar_index % w], count, x)
    refresh = full > 0 and bar_index % REFRESH_ROWS == 0
    for slot in range(w if refresh else 0):
        _accumulate(total, lost, slots[slot], slot == 0)
    for s in range(out.shape[0]):
        if count[s] == w and not refresh:
            total[s], lost[s] = 0.0, 0.0
            for slot in range(w):
                total[s], lost[s] = compensated(total[s], lost[s], slots[slot, s])
        if live[s] == 0:
            total[s], lost[s] = 0.0, 0.0
        out[s] = total[s] + lost[s]


@compiled
def compensated(total: float, lost: float, term: float) -> tuple[float, float]:
    """Sum and compensation with one more term."""
    a = total + term
    missed = (total - a) + term if abs(total) >= abs(term) else (term - a) + total
    return a, lost + missed


@compiled
def _accumulate(total: Floats, lost: Floats, row: Floats, first: bool) -> None:
    for s in range(total.shape[0]):
        before, missed = (0.0, 0.0) if first else (total[s], lost[s])
        total[s], lost[s] = compensated(before, missed, row[s])


@compiled
def _exchange(acc: WindowSum, one: Floats, count: Integers, x: Floats) -> int:
    slots, total, lost, live = acc
    full = 0
    for s in range(x.shape[0]):
        full += count[s] >= slots.shape[0]
        live[s] += (x[s] != 0) - (one[s] != 0)
        a, missed = compensated(total[s], lost[s], x[s])
        total[s], lost[s] = compensated(a, missed, -one[s])
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
def ratio(a: float, b: float) -> float:
    """a/b where b > 0, else 0."""
    return a / b if b > 0 else 0.0


@compiled
def clamp(x: float, low: float, high: float) -> float:
    """The number moved into low..high; NaN stays."""
    return smaller(larger(x, low), high)


@compiled
def lin(z: float) -> float:
    """The number held in [-1, 1]."""
    return clamp(z, -1.0, 1.0)


@compiled
def ln_ratio(a: float, b: float) -> float:
    """ln(a/b) to 1.1e-10 for 1/2 <= a/b <= 2, from nine terms of the series of artanh."""
    u = (a - b) / (a + b)
    q = u * u
    series = 0.0
    for k in (17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0):
        series = 1.0 / k + q * series
    return 2.0 * u * series


@compiled
def tolerate(age: Integers, missing: Floats, x: Floats) -> None:
    """Counts a row of a column that tolerates holes; ``missing`` is 1 on a hole after the first row, else 0."""
    for s in range(age.shape[0]):
        here = x[s] == x[s]
        age[s] += here or age[s] > 0
        missing[s] = 0.0 if here or age[s] == 0 else 1.0


@compiled
def tolerate_mask(out: Floats, age: Integers, warmup: int, missing: Floats, share: Floats) -> None:
    """Leaves NaN while warming, on a hole, and where more than 5 % of the window are holes."""
    for s in range(age.shape[0]):
        told = age[s] > warmup and missing[s] == 0 and share[s] <= 0.05
        out[s] = out[s] if told else np.nan


@compiled
def share_missing(acc: WindowSum, bar_index: int, age: Integers, missing: Floats, out: Floats) -> None:
    """The share of holes among the last w rows."""
    window_sum(acc, bar_index, age, missing, out)
    for s in range(out.shape[0]):
        out[s] = out[s] / acc[0].shape[0]


@compiled
def fade_in(v: Floats, count: Integers, keep: float, x: Floats) -> None:
    """Moves v to keep*v + x, beginning with x."""
    for s in range(v.shape[0]):
        v[s] = x[s] if count[s] <= 1 else keep * v[s] + x[s]
