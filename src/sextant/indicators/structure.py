"""Turning points of prices and what follows from them.

Notes
-----
Down is up in the mirror: a low is the high of the negated price, so each rule is written once.
A swing is dated at the row that confirms it, ``side`` rows after its bar.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.windows import FADE_25, larger, ring
from sextant.model.bar import Floats, Integers
from sextant.model.view import Flags

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
def find_swings(slots: Floats, bar_index: int, count: Integers, found: Flags) -> None:
    """Whether the middle of a ring is above all rows before it and not below any after it."""
    rows = slots.shape[0]
    side = rows // 2
    middle = slots[(bar_index - side) % rows]
    for s in range(found.shape[0]):
        found[s] = count[s] >= rows
    for k in range(1, side + 1):
        earlier, after = slots[(bar_index - side - k) % rows], slots[(bar_index - side + k) % rows]
        for s in range(found.shape[0]):
            found[s] = found[s] & (earlier[s] < middle[s]) & (after[s] <= middle[s])


@compiled
def swing_row(
    swings: Swings, bar_index: int, count: Integers, row: tuple[Floats, Floats], found: Flags
) -> None:
    """Takes in a row (high, low); ``found`` (2, S) tells where it confirms a swing high and a swing low.

    Notes
    -----
    Without a swing the levels are inf, which is +inf above and, the low being negated, -inf below.
    """
    highs, lows, last, where = swings
    high, low = row
    rows = highs.shape[0]
    one = lows[bar_index % rows]
    for s in range(low.shape[0]):
        one[s] = -low[s]
    highs[bar_index % rows] = high
    find_swings(highs, bar_index, count, found[0])
    find_swings(lows, bar_index, count, found[1])
    middle = bar_index - rows // 2
    for k in range(2):
        one = highs[middle % rows] if k == 0 else lows[middle % rows]
        for s in range(high.shape[0]):
            last[k, s] = one[s] if found[k, s] else (np.inf if count[s] <= 1 else last[k, s])
            where[k, s] = middle if found[k, s] else where[k, s]


@compiled
def break_row(
    breaks: Breaks, levels: tuple[Floats, Flags], count: Integers, close: Floats, event: Floats
) -> None:
    """The events of a row: 1 with the trend, 2 against it, negative downward, 0 for none.

    Notes
    -----
    ``levels`` are the last swings and where this row confirmed them. A level is used up by its break; a break of both levels at once is none. Wicks do not break.
    """
    marks, used = breaks
    last, found = levels
    for s in range(close.shape[0]):
        if count[s] <= 1:
            marks[0, s], marks[1, s] = 0.0, 0.0
            used[0, s], used[1, s] = 1, 1
        for k in range(2):
            used[k, s] = 0 if found[k, s] else used[k, s]
        marks[0, s] = FADE_25 * marks[0, s]
        event[s] = 0.0
        up = used[0, s] == 0 and close[s] > last[0, s]
        down = used[1, s] == 0 and -close[s] > last[1, s]
        if up != down:
            sign = 1.0 if up else -1.0
            used[0 if up else 1, s] = 1
            against = marks[1, s] * sign < 0
            bias = BREAK_AGAINST_TREND if against else larger(BREAK_WITH_TREND, sign * marks[0, s])
            marks[0, s], marks[1, s] = sign * bias, sign
            event[s] = 2.0 * sign if against else sign


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
