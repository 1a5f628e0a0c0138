"""Support and resistance: prices at which the bars turned at least twice."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import tick_bar, true_range
from sextant.indicators.structure import SIDE, near, swing_row, swings_state
from sextant.indicators.windows import FADE_50, counter, lin, mask, wilder
from sextant.model.bar import Floats, Integers
from sextant.model.view import Flags

ATR_ROWS: Final = 14
JOIN_ATR: Final = 0.25
FULL_WEIGHT: Final = 3.0
LEAST_TOUCHES: Final = 2

Turns = tuple[Integers, Floats, Integers]
"""Number of turns (S,); price and weight (2, capacity, S), sorted by price; age in rows (capacity, S)."""


def _start(columns: int, p: Values) -> State:
    # Two swings of a kind lie at least SIDE + 1 rows apart.
    capacity = 2 * (p["lookback"] // (SIDE + 1) + 2)
    turns = (
        counter(columns),
        np.zeros((2, capacity, columns)),
        np.zeros((capacity, columns), dtype=np.int64),
    )
    return counter(columns), swings_state(SIDE, columns), turns, np.zeros((2, columns))


@compiled
def _age(turns: Turns, count: Integers, lookback: int) -> None:
    """Lets the turns grow a row older and forgets those beyond the lookback; a cold column has none."""
    n, marks, ages = turns
    for s in range(n.shape[0]):
        kept = 0
        for k in range(n[s]):
            if ages[k, s] + 1 < lookback and count[s] > 1:
                marks[0, kept, s] = marks[0, k, s]
                marks[1, kept, s] = FADE_50 * marks[1, k, s]
                ages[kept, s] = ages[k, s] + 1
                kept += 1
        n[s] = kept


@compiled
def _insert(turns: Turns, found: Flags, sign: float, last: Floats) -> None:
    """Takes in the turns of SIDE rows ago in the order of prices."""
    n, marks, ages = turns
    weight = 1.0
    for _ in range(SIDE):
        weight = FADE_50 * weight
    for s in range(n.shape[0]):
        if found[s]:
            price = sign * last[s]
            k = n[s]
            while k > 0 and marks[0, k - 1, s] > price:
                marks[0, k, s], marks[1, k, s] = marks[0, k - 1, s], marks[1, k - 1, s]
                ages[k, s] = ages[k - 1, s]
                k -= 1
            marks[0, k, s], marks[1, k, s], ages[k, s] = price, weight, SIDE
            n[s] += 1


@compiled
def _nearest(
    marks: Floats, turns: int, s: int, close: float, join: float
) -> tuple[float, float, float, float]:
    """Support, resistance and their strengths; -inf and inf of strength 0 where there is none."""
    support, resistance, below, above = -np.inf, np.inf, 0.0, 0.0
    k = 0
    while k < turns:
        weight, moment, touches = 0.0, 0.0, 0
        while True:
            weight += marks[1, k, s]
            moment += marks[1, k, s] * marks[0, k, s]
            touches += 1
            k += 1
            if k >= turns or not marks[0, k, s] - marks[0, k - 1, s] < join:
                break
        price = moment / weight
        if touches < LEAST_TOUCHES:
            continue
        if price < close:
            support, below = price, min(1.0, weight / FULL_WEIGHT)
        elif price > close and above == 0.0:
            resistance, above = price, min(1.0, weight / FULL_WEIGHT)
    return support, resistance, below, above


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, swings, turns, means = state
    high, low, close = inputs
    support, resistance, below, above, pull = outputs
    (lookback,) = params
    span, found = np.empty(close.shape[1]), np.empty((2, close.shape[1]), np.bool_)
    before, atr = means[0], means[1]
    for t in range(close.shape[0]):
        tick_bar(count, high[t], low[t], close[t])
        true_range(high[t], low[t], before, span)
        wilder(atr, count, 1, span, ATR_ROWS)
        before[:] = close[t]
        _age(turns, count, lookback)
        swing_row(swings, bar_index + t, count, (high[t], low[t]), found)
        _insert(turns, found[0], 1.0, swings[2][0])
        _insert(turns, found[1], -1.0, swings[2][1])
        for s in range(close.shape[1]):
            c = close[t, s]
            support[t, s], resistance[t, s], below[t, s], above[t, s] = _nearest(
                turns[1], turns[0][s], s, c, JOIN_ATR * atr[s]
            )
            up = below[t, s] * near(c - support[t, s], atr[s])
            pull[t, s] = lin(up - above[t, s] * near(resistance[t, s] - c, atr[s]))
        for k in range(5):
            mask(outputs[k][t], count, lookback - 1)


INDICATOR = Indicator(
    name="levels",
    inputs=("high", "low", "close"),
    outputs=(
        Output("support", "quote", anchored=False),
        Output("resistance", "quote", anchored=False),
        Output("support_strength", "fraction", 0.0, 1.0, anchored=False),
        Output("resistance_strength", "fraction", 0.0, 1.0, anchored=False),
        Output("pull", "fraction", -1.0, 1.0, anchored=False),
    ),
    params=(window(100, "lookback", low=ATR_ROWS + 1),),
    warmup=lambda p: int(p["lookback"]) - 1,
    settle=lambda p: max(196, int(p["lookback"])),
    start=_start,
    advance=_advance,
    source="Swings of the lookback closer than a quarter of an average range are one level; weight halved in 50 rows",
    known_gaps=(
        "The join of neighbours depends on the average range: 196 bars are asked for.",
        "No level is -inf below and +inf above, of strength 0.",
    ),
)
