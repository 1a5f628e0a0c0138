"""Exponential mean of the typical price and bands of some true ranges around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators import windows
from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, Param, State, Values, window
from sextant.indicators.prices import tick_bar, true_range, typical
from sextant.indicators.windows import counter, mask, wilder
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return counter(columns), np.zeros(columns), np.zeros((2, columns))


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the values do not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, before, averages = state
    high, low, close = inputs
    upper, middle, lower = outputs
    w, atr_window, width = params
    columns = close.shape[1]
    price, span = np.empty(columns), np.empty(columns)
    first = max(w - 1, atr_window)
    for t in range(close.shape[0]):
        tick_bar(count, high[t], low[t], close[t])
        typical(high[t], low[t], close[t], price)
        true_range(high[t], low[t], before, span)
        before[:] = close[t]
        windows.ema(averages[0], count, 0, price, w)
        wilder(averages[1], count, first + 1 - atr_window, span, atr_window)
        middle[t] = averages[0]
        mask(middle[t], count, first)
        for s in range(columns):
            upper[t, s] = middle[t, s] + width * averages[1, s]
            lower[t, s] = middle[t, s] - width * averages[1, s]


INDICATOR = Indicator(
    name="keltner",
    inputs=("high", "low", "close"),
    outputs=(Output("upper", "quote"), Output("middle", "quote"), Output("lower", "quote")),
    params=(window(20), window(10, "atr_window"), Param("width", 2.0, 0.1, 10.0, whole=False)),
    warmup=lambda p: max(int(p["window"]) - 1, int(p["atr_window"])),
    settle=lambda p: max(7 * int(p["window"]), 14 * int(p["atr_window"])),
    source="Keltner 1960 in the form of Raschke; the middle is of the typical price; TA-Lib KC",
    start=_start,
    advance=_advance,
)
