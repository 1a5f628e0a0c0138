"""Volatility of a window from the highs and lows of its bars, per bar."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.windows import (
    counter,
    larger,
    ln_ratio,
    mask,
    tick,
    void,
    window_sum,
    window_sum_state,
)
from sextant.model.bar import Floats

FOUR_LN_2: Final = 2.772588722239781


def _start(columns: int, p: Values) -> State:
    return counter(columns), window_sum_state(p["window"], columns)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, acc = state
    high, low = inputs
    (out,) = outputs
    (w,) = params
    x = np.empty(high.shape[1])
    for t in range(high.shape[0]):
        tick(count, high[t])
        void(count, low[t])
        for s in range(high.shape[1]):
            span = ln_ratio(high[t, s], low[t, s])
            x[s] = span * span
        window_sum(acc, bar_index + t, count, x, x)
        for s in range(high.shape[1]):
            out[t, s] = np.sqrt(larger(x[s], 0.0) / (FOUR_LN_2 * w))
        mask(out[t], count, w - 1)


INDICATOR = Indicator(
    name="parkinson",
    inputs=("high", "low"),
    outputs=(Output("parkinson", "fraction per bar", low=0.0),),
    params=(window(60),),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: int(p["window"]) - 1,
    source="Parkinson 1980, Journal of Business 53, 61-65",
    known_gaps=("The logarithm is a series, exact to 1e-9 while high/low <= 2.",),
    start=_start,
    advance=_advance,
)
