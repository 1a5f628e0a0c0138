"""Relative strength index after Wilder."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import strength
from sextant.indicators.windows import counter, mask, tick
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all windows
    return counter(columns), (np.zeros(columns), np.zeros(columns), np.zeros(columns))


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the mean does not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, moved = state
    (close,) = inputs
    (out,) = outputs
    (w,) = params
    for t in range(close.shape[0]):
        tick(count, close[t])
        strength(moved, count, close[t], w, out[t])
        mask(out[t], count, w)


INDICATOR = Indicator(
    name="rsi",
    inputs=("close",),
    outputs=(Output("rsi", "index", 0.0, 100.0),),
    params=(window(14),),
    warmup=lambda p: int(p["window"]),
    settle=lambda p: 14 * int(p["window"]),
    start=_start,
    advance=_advance,
    source="Wilder 1978, New Concepts in Technical Trading Systems; TA-Lib RSI",
    known_gaps=("A close that never moved gives 50, where TA-Lib gives 0.",),
)
