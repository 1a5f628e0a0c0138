"""Turning points of prices and what follows from them; the parts work on one column ``s`` of (rows, S) arrays.

Notes
-----
Down is up in the mirror: a low is the high of the negated price, so each rule is written once.
A swing is dated at the row that confirms it, ``side`` rows after its bar.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.windows import FADE_25, ring
from sextant.model.bar import Floats, Integers

SIDE: Final = 5
BREAK_WITH_TREND: Final = 0.6
BREAK_AGAINST_TREND: Final = 0.8

Swings = tuple[Floats, Floats, Floats, Integers]
"""Rings of highs and negated lows (2*side+1, S); last swings (2, S), the low negated; bar_index of their bars."""

Breaks = tuple[Floats, Integers]
"""(bias, trend) as (2, S), and 1 where the last swing is used up (2, S)."""


def swings_state(side: int, columns: int) -> Swings:
    """The cold state of :func:`swing_row`."""
    rows = 2 * side + 1
    return (
        ring(rows, columns),
        ring(rows, columns),
        np.full((2, columns), np.inf),
        np.zeros((2, columns), dtype=np.int64),
    )


def breaks_state(columns: int) -> Breaks:
    """The cold state of :func:`break_row`."""
    return np.zeros((2, columns)), np.ones((2, columns), dtype=np.int64)


@compiled
def is_swing(slots: Floats, s: int, bar_index: int) -> bool:
    """Whether the middle of a ring is above all rows before it and not below any after it."""
    rows = slots.shape[0]
    side = rows // 2
    x = slots[(bar_index - side) % rows, s]
    for k in range(1, side + 1):
        if slots[(bar_index - side - k) % rows, s] >= x or slots[(bar_index - side + k) % rows, s] > x:
            return False
    return True


@compiled
def swing_row(
    swings: Swings, s: int, bar_index: int, count: int, bar: tuple[float, float]
) -> tuple[bool, bool]:
    """Takes in high and low of a column; whether a swing high and a swing low are confirmed by this row.

    Notes
    -----
    Without a swing the levels are inf, which is +inf above and, the low being negated, -inf below.
    """
    highs, lows, last, where = swings
    rows = highs.shape[0]
    highs[bar_index % rows, s] = bar[0]
    lows[bar_index % rows, s] = -bar[1]
    if count <= 1:
        last[0, s], last[1, s] = np.inf, np.inf
    if count < rows:
        return False, False
    middle = bar_index - rows // 2
    top, bottom = is_swing(highs, s, bar_index), is_swing(lows, s, bar_index)
    if top:
        last[0, s], where[0, s] = highs[middle % rows, s], middle
    if bottom:
        last[1, s], where[1, s] = lows[middle % rows, s], middle
    return top, bottom


@compiled
def break_row(
    breaks: Breaks, last: Floats, s: int, count: int, close: float, fresh: tuple[bool, bool]
) -> int:
    """The event of a column: 1 with the trend, 2 against it, negative downward, 0 for none.

    Notes
    -----
    A level is used up by its break; a break of both levels at once is none. Wicks do not break.
    """
    marks, used = breaks
    if count <= 1:
        marks[0, s], marks[1, s] = 0.0, 0.0
        used[0, s], used[1, s] = 1, 1
    if fresh[0]:
        used[0, s] = 0
    if fresh[1]:
        used[1, s] = 0
    marks[0, s] = FADE_25 * marks[0, s]
    up = used[0, s] == 0 and close > last[0, s]
    down = used[1, s] == 0 and -close > last[1, s]
    if up == down:
        return 0
    side = 0 if up else 1
    sign = 1 if up else -1
    used[side, s] = 1
    against = marks[1, s] * sign < 0
    bias = sign * marks[0, s]
    marks[0, s] = sign * (BREAK_AGAINST_TREND if against else max(bias, BREAK_WITH_TREND))
    marks[1, s] = float(sign)
    return 2 * sign if against else sign


@compiled
def near(gap: float, atr: float) -> float:
    """Weight of a price level: 1 at it, 1/2 one average range away, 0 far off."""
    if gap <= 0:
        return 1.0
    return 1.0 / (1.0 + (gap / atr) * (gap / atr)) if atr > 0 else 0.0


@compiled
def outside(close: float, bottom: float, top: float) -> float:
    """Distance of the close to a zone, 0 inside."""
    return bottom - close if close < bottom else (close - top if close > top else 0.0)
