"""Squared returns of a window, upward and downward apart, and their balance."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import change
from sextant.indicators.windows import counter, larger, later, mask, ratio, tick, window_sum, window_sum_state
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return (
        (counter(columns), counter(columns)),
        np.zeros(columns),
        window_sum_state(p["window"], columns),
        window_sum_state(p["window"], columns),
    )


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    counts, before, gains, losses = state
    (close,) = inputs
    up, down, balance = outputs
    (w,) = params
    columns = close.shape[1]
    r, plus, minus = np.empty(columns), np.empty(columns), np.empty(columns)
    for t in range(close.shape[0]):
        tick(counts[0], close[t])
        later(counts[0], 1, counts[1])
        change(close[t], before, r)
        for s in range(columns):
            plus[s] = r[s] * r[s] if r[s] > 0 else 0.0
            minus[s] = r[s] * r[s] if r[s] < 0 else 0.0
        window_sum(gains, bar_index + t, counts[1], plus, plus)
        window_sum(losses, bar_index + t, counts[1], minus, minus)
        for s in range(columns):
            up[t, s] = larger(plus[s], 0.0)
            down[t, s] = larger(minus[s], 0.0)
            balance[t, s] = ratio(up[t, s] - down[t, s], up[t, s] + down[t, s])
        for k in range(3):
            mask(outputs[k][t], counts[1], w - 1)


INDICATOR = Indicator(
    name="semivariance",
    inputs=("close",),
    outputs=(
        Output("up", "fraction^2", low=0.0),
        Output("down", "fraction^2", low=0.0),
        Output("ratio", "fraction", -1.0, 1.0),
    ),
    params=(window(240),),
    warmup=lambda p: int(p["window"]),
    settle=lambda p: int(p["window"]),
    source="Barndorff-Nielsen, Kinnebrock, Shephard 2010, Measuring downside risk: realised semivariance",
    start=_start,
    advance=_advance,
)
