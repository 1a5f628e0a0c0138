"""Distance of a fast and a slow mean of the middle of the bar."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.windows import counter, mask, tick, void, window_sum, window_sum_state
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return (
        counter(columns),
        window_sum_state(p["fast"], columns),
        window_sum_state(p["slow"], columns),
    )


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, fast_acc, slow_acc = state
    high, low = inputs
    (out,) = outputs
    fast, slow = params
    columns = high.shape[1]
    middle, short, long = np.empty(columns), np.empty(columns), np.empty(columns)
    for t in range(high.shape[0]):
        tick(count, high[t])
        void(count, low[t])
        for s in range(columns):
            middle[s] = (high[t, s] + low[t, s]) / 2.0
        window_sum(fast_acc, bar_index + t, count, middle, short)
        window_sum(slow_acc, bar_index + t, count, middle, long)
        for s in range(columns):
            out[t, s] = short[s] / fast - long[s] / slow
        mask(out[t], count, slow - 1)


INDICATOR = Indicator(
    name="awesome_oscillator",
    inputs=("high", "low"),
    outputs=(Output("awesome_oscillator", "quote"),),
    params=(window(5, "fast"), window(34, "slow")),
    rising=("fast", "slow"),
    warmup=lambda p: int(p["slow"]) - 1,
    settle=lambda p: int(p["slow"]) - 1,
    source="Williams 1998, New Trading Dimensions; TA-Lib AO",
    start=_start,
    advance=_advance,
)
