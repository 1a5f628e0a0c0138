"""Ranges the price jumped over, and how those still open pull on the close."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import tick_bar, true_range
from sextant.indicators.structure import near, outside
from sextant.indicators.windows import FADE_25, counter, lag, lin, mask, ring, wilder
from sextant.model.bar import Floats

ATR_ROWS: Final = 14
LEAST_ATR: Final = 0.1


def _start(columns: int, p: Values) -> State:
    gaps = (np.zeros((3, p["keep"], columns)), np.zeros((3, p["keep"], columns)))
    return counter(columns), np.zeros((2, columns)), (ring(2, columns), ring(2, columns)), gaps


@compiled
def _follow(  # a bar, what it jumped over and where the gaps are kept
    gaps: Floats, s: int, count: int, edge: float, low: float, atr: float
) -> None:
    """Fades and fills the upward gaps of a column and opens one from ``edge``, the high two bars ago."""
    for k in range(gaps.shape[1]):
        gaps[1, k, s] = min(gaps[1, k, s], low)
        closed = count <= 1 or gaps[1, k, s] <= gaps[0, k, s]
        gaps[2, k, s] = 0.0 if closed else FADE_25 * gaps[2, k, s]
    if count > ATR_ROWS and low > edge + LEAST_ATR * atr:
        for k in range(gaps.shape[1] - 1, 0, -1):
            gaps[:, k, s] = gaps[:, k - 1, s]
        gaps[0, 0, s], gaps[1, 0, s], gaps[2, 0, s] = edge, low, 1.0


@compiled
def _pull(gaps: Floats, s: int, close: float, atr: float) -> float:
    """Sum of the weights by nearness; a gap counts by its size up to one average range."""
    total = 0.0
    for k in range(gaps.shape[1]):
        if gaps[2, k, s] > 0:
            bottom, top = gaps[0, k, s], gaps[1, k, s]
            size = min(1.0, (top - bottom) / atr) if atr > 0 else 1.0
            total += size * gaps[2, k, s] * near(outside(close, bottom, top), atr)
    return total


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
        for s in range(columns):
            _follow(gaps[0], s, count[s], tops[s], low[t, s], atr[s])
            _follow(gaps[1], s, count[s], -bottoms[s], -high[t, s], atr[s])
            up = _pull(gaps[0], s, close[t, s], atr[s])
            out[t, s] = lin(up - _pull(gaps[1], s, -close[t, s], atr[s]))
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
