"""Exponential moving average of the close, seeded by the mean of its first rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators import windows
from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.windows import counter, mask, tick
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all windows
    return counter(columns), np.zeros(columns)


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the mean does not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, v = state
    (close,) = inputs
    (out,) = outputs
    (w,) = params
    for t in range(close.shape[0]):
        tick(count, close[t])
        windows.ema(v, count, 0, close[t], w)
        out[t] = v
        mask(out[t], count, w - 1)


INDICATOR = Indicator(
    name="ema",
    inputs=("close",),
    outputs=(Output("ema", "quote"),),
    params=(window(20),),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: 7 * int(p["window"]),
    start=_start,
    advance=_advance,
    source="v + (2/(n+1))*(x-v) after the mean of n rows; TA-Lib EMA",
)
