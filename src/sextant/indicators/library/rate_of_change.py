"""Change of the close over a window, in per cent."""

from __future__ import annotations

from typing import Any

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.windows import counter, lag, mask, ring, tick
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return counter(columns), ring(p["window"], columns)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, closes = state
    (close,) = inputs
    (out,) = outputs
    (w,) = params
    for t in range(close.shape[0]):
        tick(count, close[t])
        lag(closes, bar_index + t, close[t], out[t])
        for s in range(close.shape[1]):
            out[t, s] = 100.0 * (close[t, s] / out[t, s] - 1.0)
        mask(out[t], count, w)


INDICATOR = Indicator(
    name="rate_of_change",
    inputs=("close",),
    outputs=(Output("rate_of_change", "%", low=-100.0),),
    params=(window(10),),
    warmup=lambda p: int(p["window"]),
    settle=lambda p: int(p["window"]),
    source="100*(c/lag(c,w)-1); TA-Lib ROC",
    start=_start,
    advance=_advance,
)
