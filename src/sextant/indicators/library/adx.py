"""Directional movement after Wilder: plus and minus indicator, and the strength of the trend."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import true_range
from sextant.indicators.windows import counter, mask, smaller, tick, void, wilder
from sextant.model.bar import Floats, Integers


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all windows
    return counter(columns), np.zeros((3, columns)), np.zeros((3, columns)), np.zeros((2, columns))


@compiled
def _movement(high: Floats, low: Floats, before: Floats, moved: Floats) -> None:
    """Plus and minus directional movement of the row, into moved[0] and moved[1]."""
    top, bottom = before[0], before[1]
    plus, minus = moved[0], moved[1]
    for s in range(high.shape[0]):
        up = high[s] - top[s]
        down = bottom[s] - low[s]
        plus[s] = up if up > down and up > 0 else 0.0
        minus[s] = down if down > up and down > 0 else 0.0


@compiled
def _smooth(v: Floats, count: Integers, x: Floats, n: int) -> None:
    """Wilder's sum: added over rows 1..n-1, then v - v/n + x."""
    for s in range(count.shape[0]):
        kept = v[s] - v[s] / n if count[s] > n else v[s]
        v[s] = 0.0 if count[s] <= 1 else kept + x[s]


@compiled
def _index(sums: Floats, plus: Floats, minus: Floats, dx: Floats) -> None:
    """Directional indicators and their index; the index keeps its last value where both are 0."""
    up, down, total = sums[0], sums[1], sums[2]
    for s in range(plus.shape[0]):
        scale = total[s] if total[s] > 0 else np.inf
        p = 100.0 * (up[s] / scale)
        m = 100.0 * (down[s] / scale)
        plus[s] = smaller(p, 100.0)
        minus[s] = smaller(m, 100.0)
        dx[s] = 100.0 * (abs(m - p) / (m + p)) if m + p > 0 else dx[s]


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the mean does not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, before, sums, last = state
    high, low, close = inputs
    plus, minus, adx = outputs
    (n,) = params
    dx, v = last[0], last[1]
    moved = np.empty((3, close.shape[1]))
    for t in range(close.shape[0]):
        tick(count, high[t])
        void(count, low[t])
        void(count, close[t])
        _movement(high[t], low[t], before, moved)
        true_range(high[t], low[t], before[2], moved[2])
        for k in range(3):
            _smooth(sums[k], count, moved[k], n)
        before[0], before[1], before[2] = high[t], low[t], close[t]
        for s in range(close.shape[1]):
            dx[s] = 0.0 if count[s] <= n else dx[s]
        _index(sums, plus[t], minus[t], dx)
        wilder(v, count, n, dx, n)
        adx[t] = v
        mask(plus[t], count, n)
        mask(minus[t], count, n)
        mask(adx[t], count, 2 * n - 1)


INDICATOR = Indicator(
    name="adx",
    inputs=("high", "low", "close"),
    outputs=(
        Output("plus_di", "index", 0.0, 100.0, warmup=lambda p: int(p["window"])),
        Output("minus_di", "index", 0.0, 100.0, warmup=lambda p: int(p["window"])),
        Output("adx", "index", 0.0, 100.0),
    ),
    params=(window(14),),
    warmup=lambda p: 2 * int(p["window"]) - 1,
    settle=lambda p: 18 * int(p["window"]),
    start=_start,
    advance=_advance,
    source="Wilder 1978, New Concepts in Technical Trading Systems; TA-Lib PLUS_DI, MINUS_DI, ADX",
)
