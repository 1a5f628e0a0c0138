"""Distance of a fast and a slow exponential average of the close, and the average of that distance."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators import windows
from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.windows import counter, mask, tick
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return counter(columns), np.zeros((3, columns))


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the values do not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, averages = state
    (close,) = inputs
    macd, signal, histogram = outputs
    fast, slow, smooth = params
    for t in range(close.shape[0]):
        tick(count, close[t])
        windows.ema(averages[0], count, slow - fast, close[t], fast)
        windows.ema(averages[1], count, 0, close[t], slow)
        for s in range(close.shape[1]):
            macd[t, s] = averages[0, s] - averages[1, s]
        windows.ema(averages[2], count, slow - 1, macd[t], smooth)
        for s in range(close.shape[1]):
            signal[t, s] = averages[2, s]
            histogram[t, s] = macd[t, s] - averages[2, s]
        for k in range(3):
            mask(outputs[k][t], count, slow + smooth - 2)


INDICATOR = Indicator(
    name="macd",
    inputs=("close",),
    outputs=(Output("macd", "quote"), Output("signal", "quote"), Output("histogram", "quote")),
    params=(window(12, "fast"), window(26, "slow"), window(9, "signal")),
    rising=("fast", "slow"),
    warmup=lambda p: int(p["slow"] + p["signal"]) - 2,
    settle=lambda p: 7 * int(p["slow"] + p["signal"]),
    source="Appel 2005, Technical Analysis; the fast average begins with the slow one, as in TA-Lib MACD",
    start=_start,
    advance=_advance,
)
