"""Simple moving average of the close."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.windows import counter, mask, tick, window_sum, window_sum_state
from sextant.model.bar import Floats


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
    (close,) = inputs
    (out,) = outputs
    (w,) = params
    total = np.empty(close.shape[1])
    for t in range(close.shape[0]):
        tick(count, close[t])
        window_sum(acc, bar_index + t, count, close[t], total)
        for s in range(close.shape[1]):
            out[t, s] = total[s] / w
        mask(out[t], count, w - 1)


INDICATOR = Indicator(
    name="sma",
    inputs=("close",),
    outputs=(Output("sma", "quote"),),
    params=(window(20),),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: int(p["window"]) - 1,
    start=_start,
    advance=_advance,
    source="Mean of the last rows; TA-Lib SMA",
)
