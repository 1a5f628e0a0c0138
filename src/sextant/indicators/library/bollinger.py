"""Mean of the close and bands of some standard deviations around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, Param, State, Values, window
from sextant.indicators.windows import counter, mask, push, ring, tick, window_sum, window_sum_state
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return counter(columns), ring(p["window"], columns), window_sum_state(p["window"], columns)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, closes, acc = state
    (close,) = inputs
    upper, middle, lower = outputs
    w, width = params
    columns = close.shape[1]
    squares = np.empty(columns)
    for t in range(close.shape[0]):
        tick(count, close[t])
        push(closes, bar_index + t, close[t])
        window_sum(acc, bar_index + t, count, close[t], middle[t])
        mean = middle[t]
        for s in range(columns):
            mean[s] = mean[s] / w
            squares[s] = 0.0
        for slot in range(w):
            one = closes[slot]
            for s in range(columns):
                squares[s] = squares[s] + (one[s] - mean[s]) * (one[s] - mean[s])
        mask(mean, count, w - 1)
        for s in range(columns):
            band = width * np.sqrt(squares[s] / w)
            upper[t, s] = mean[s] + band
            lower[t, s] = mean[s] - band


INDICATOR = Indicator(
    name="bollinger",
    inputs=("close",),
    outputs=(Output("upper", "quote"), Output("middle", "quote"), Output("lower", "quote")),
    params=(window(20), Param("width", 2.0, 0.1, 10.0, whole=False)),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: int(p["window"]) - 1,
    source="Bollinger 2001, Bollinger on Bollinger Bands; population deviation in two passes; TA-Lib BBANDS",
    start=_start,
    advance=_advance,
)
