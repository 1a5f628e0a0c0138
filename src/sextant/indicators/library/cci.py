"""Distance of the typical price from its mean, in mean deviations."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import tick_bar, typical
from sextant.indicators.windows import counter, mask, push, ring, window_sum, window_sum_state
from sextant.model.bar import Floats

STILL_FRAC: Final = 1e-12


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
    count, prices, acc = state
    high, low, close = inputs
    (out,) = outputs
    (w,) = params
    columns = close.shape[1]
    price, mean, apart = np.empty(columns), np.empty(columns), np.empty(columns)
    for t in range(close.shape[0]):
        tick_bar(count, high[t], low[t], close[t])
        typical(high[t], low[t], close[t], price)
        push(prices, bar_index + t, price)
        window_sum(acc, bar_index + t, count, price, mean)
        for s in range(columns):
            mean[s] = mean[s] / w
            apart[s] = 0.0
        for slot in range(w):
            one = prices[slot]
            for s in range(columns):
                apart[s] = apart[s] + abs(one[s] - mean[s])
        for s in range(columns):
            deviation = apart[s] / w
            still = deviation <= STILL_FRAC * mean[s]
            out[t, s] = 0.0 if still else (price[s] - mean[s]) / (0.015 * deviation)
        mask(out[t], count, w - 1)


INDICATOR = Indicator(
    name="cci",
    inputs=("high", "low", "close"),
    outputs=(Output("cci", "index", -666.7, 666.7),),
    params=(window(20),),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: int(p["window"]) - 1,
    source="Lambert 1980, Commodity Channel Index; TA-Lib CCI",
    known_gaps=(
        "A mean deviation below 1e-12 of the price is the rounding of a still market and gives 0.",
        "The range is that of 20 rows; it is window/.03 on either side.",
    ),
    start=_start,
    advance=_advance,
)
