"""Ranges the price jumped over, and how those still open pull on the close."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import tick_bar, true_range
from sextant.indicators.structure import near, outside
from sextant.indicators.windows import FADE_25, counter, lag, lin, mask, ring, smaller, wilder
from sextant.model.bar import Floats, Integers

ATR_ROWS: Final = 14
LEAST_ATR: Final = 0.1


def _start(columns: int, p: Values) -> State:
    gaps = (np.zeros((3, p["keep"], columns)), np.zeros((3, p["keep"], columns)))
    return counter(columns), np.zeros((2, columns)), (ring(2, columns), ring(2, columns)), gaps


@compiled
def _follow(gaps: Floats, count: Integers, sign: float, row: tuple[Floats, Floats], atr: Floats) -> None:
    """Fades and fills the gaps of one direction and opens one between (edge, low): above the high two bars ago."""
    edge, low = row
    for k in range(gaps.shape[1]):
        bottom, top, weight = gaps[0, k], gaps[1, k], gaps[2, k]
        for s in range(low.shape[0]):
            top[s] = smaller(top[s], sign * low[s])
            closed = count[s] <= 1 or top[s] <= bottom[s]
            weight[s] = 0.0 if closed else FADE_25 * weight[s]
    for s in range(low.shape[0]):
        if count[s] > ATR_ROWS and sign * low[s] > sign * edge[s] + LEAST_ATR * atr[s]:
            for k in range(gaps.shape[1] - 1, 0, -1):
                for part in range(3):
                    gaps[part, k, s] = gaps[part, k - 1, s]
            gaps[0, 0, s], gaps[1, 0, s], gaps[2, 0, s] = sign * edge[s], sign * low[s], 1.0


@compiled
def _pull(gaps: Floats, sign: float, close: Floats, atr: Floats, out: Floats) -> None:
    """Sum of the weights by nearness; a gap counts by its size up to one average range."""
    out[:] = 0.0
    for k in range(gaps.shape[1]):
        bottom, top, weight = gaps[0, k], gaps[1, k], gaps[2, k]
        for s in range(close.shape[0]):
            size = smaller((top[s] - bottom[s]) / atr[s], 1.0) if atr[s] > 0 else 1.0
            pull = size * weight[s] * near(outside(sign * close[s], bottom[s], top[s]), atr[s])
            out[s] = out[s] + (pull if weight[s] > 0 else 0.0)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # the number of gaps is in the state
) -> None:
    count, means, past, gaps = state
    high, low, close = inputs
    (out,) = outputs
    columns = close.shape[1]
    span, tops, bottoms = np.empty(columns), np.empty(columns), np.empty(columns)
    before, atr = means[0], means[1]
    for t in range(close.shape[0]):
        tick_bar(count, high[t], low[t], close[t])
        true_range(high[t], low[t], before, span)
        wilder(atr, count, 1, span, ATR_ROWS)
        before[:] = close[t]
        lag(past[0], bar_index + t, high[t], tops)
        lag(past[1], bar_index + t, low[t], bottoms)
        _follow(gaps[0], count, 1.0, (tops, low[t]), atr)
        _follow(gaps[1], count, -1.0, (bottoms, high[t]), atr)
        _pull(gaps[0], 1.0, close[t], atr, out[t])
        _pull(gaps[1], -1.0, close[t], atr, span)
        for s in range(columns):
            out[t, s] = lin(out[t, s] - span[s])
        mask(out[t], count, ATR_ROWS)


INDICATOR = Indicator(
    name="price_gaps",
    inputs=("high", "low", "close"),
    outputs=(Output("pull", "fraction", -1.0, 1.0, anchored=False),),
    params=(window(3, "keep", low=1, high=20),),
    warmup=lambda p: ATR_ROWS,  # noqa: ARG005  # a gap is measured in average ranges
    settle=lambda p: 196,  # noqa: ARG005  # that of the average range
    start=_start,
    advance=_advance,
    source="low above the high two bars ago by .1 average range; filled by later lows, halved in 25 rows",
    known_gaps=("Depends on the whole past: 196 bars are asked for, and two anchors need not agree.",),
)
