"""Where the close stands in the range of a window, 0 at the high and -100 at the low."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import tick_bar
from sextant.indicators.windows import counter, mask, push, ring, window_max, window_min
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return counter(columns), ring(p["window"], columns), ring(p["window"], columns)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, highs, lows = state
    high, low, close = inputs
    (out,) = outputs
    (w,) = params
    columns = close.shape[1]
    top, bottom = np.empty(columns), np.empty(columns)
    for t in range(close.shape[0]):
        tick_bar(count, high[t], low[t], close[t])
        push(highs, bar_index + t, high[t])
        push(lows, bar_index + t, low[t])
        window_max(highs, top)
        window_min(lows, bottom)
        for s in range(columns):
            span = top[s] - bottom[s]
            out[t, s] = -100.0 * ((top[s] - close[t, s]) / span) if span > 0 else -50.0
        mask(out[t], count, w - 1)


INDICATOR = Indicator(
    name="williams_r",
    inputs=("high", "low", "close"),
    outputs=(Output("williams_r", "index", -100.0, 0.0),),
    params=(window(14),),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: int(p["window"]) - 1,
    source="Williams 1973, How I Made One Million Dollars; TA-Lib WILLR",
    known_gaps=("A window without a range gives -50, where TA-Lib gives 0.",),
    start=_start,
    advance=_advance,
)
