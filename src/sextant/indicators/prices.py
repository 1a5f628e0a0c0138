"""Rows made of the prices and volumes of bars, shared by several indicators; all arrays are (S,)."""

from __future__ import annotations

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.windows import larger, ratio, smaller, tick, void, wilder
from sextant.model.bar import Floats, Integers


@compiled
def tick_bar(count: Integers, high: Floats, low: Floats, close: Floats) -> None:
    """Counts the row where high, low and close are numbers; a hole makes the column cold."""
    tick(count, high)
    void(count, low)
    void(count, close)


@compiled
def typical(high: Floats, low: Floats, close: Floats, out: Floats) -> None:
    """(high + low + close) / 3."""
    for s in range(out.shape[0]):
        out[s] = (high[s] + low[s] + close[s]) / 3.0


@compiled
def money_flow(high: Floats, low: Floats, close: Floats, volume: Floats, out: Floats) -> None:
    """Volume times where the bar closed in its range: 1 at the high, -1 at the low, 0 without a range."""
    for s in range(out.shape[0]):
        out[s] = ratio((close[s] - low[s]) - (high[s] - close[s]), high[s] - low[s]) * volume[s]


@compiled
def change(close: Floats, before: Floats, out: Floats) -> None:
    """Close / close before - 1; the close takes the place of the one before."""
    for s in range(out.shape[0]):
        out[s] = close[s] / before[s] - 1.0
        before[s] = close[s]


@compiled
def true_range(high: Floats, low: Floats, before: Floats, out: Floats) -> None:
    """max(high, close before) - min(low, close before)."""
    for s in range(out.shape[0]):
        top = larger(high[s], before[s])
        bottom = smaller(low[s], before[s])
        out[s] = top - bottom


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


@compiled
def sides(volume: Floats, buy: Floats, net: Floats, total: Floats) -> None:
    """Bought minus sold and bought plus sold volume; what was not bought by an aggressor was sold by one."""
    for s in range(net.shape[0]):
        sell = volume[s] - buy[s]
        net[s] = buy[s] - sell
        total[s] = buy[s] + sell


@compiled
def times_usual(volume: Floats, mean: Floats, out: Floats) -> None:
    """Volume over its mean, at most 100; without a mean 0 or 100, as nothing or something traded."""
    for s in range(out.shape[0]):
        usual = smaller(volume[s] / mean[s], 100.0)
        out[s] = usual if mean[s] > 0 else (100.0 if volume[s] > 0 else 0.0)
