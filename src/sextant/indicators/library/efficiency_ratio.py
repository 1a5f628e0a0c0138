"""Net movement of the close over the length of its path."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.windows import (
    clamp,
    counter,
    lag,
    mask,
    ratio,
    ring,
    tick,
    window_sum,
    window_sum_state,
)
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return (
        counter(columns),
        counter(columns),
        np.zeros(columns),
        ring(p["window"], columns),
        window_sum_state(p["window"], columns),
    )


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, moves, before, closes, acc = state
    (close,) = inputs
    (out,) = outputs
    (w,) = params
    move, path, origin = (np.empty(close.shape[1]), np.empty(close.shape[1]), np.empty(close.shape[1]))
    for t in range(close.shape[0]):
        tick(count, close[t])
        for s in range(close.shape[1]):
            move[s] = abs(close[t, s] - before[s])
            moves[s] = count[s] - 1
        before[:] = close[t]
        lag(closes, bar_index + t, close[t], origin)
        window_sum(acc, bar_index + t, moves, move, path)
        for s in range(close.shape[1]):
            out[t, s] = clamp(ratio(abs(close[t, s] - origin[s]), path[s]), 0.0, 1.0)
        mask(out[t], count, w)


INDICATOR = Indicator(
    name="efficiency_ratio",
    inputs=("close",),
    outputs=(Output("efficiency_ratio", "fraction", 0.0, 1.0),),
    params=(window(20),),
    warmup=lambda p: int(p["window"]),
    settle=lambda p: int(p["window"]),
    start=_start,
    advance=_advance,
    source="Kaufman 1995, Smarter Trading; TA-Lib ER",
    known_gaps=("A path of length 0 gives 0, where TA-Lib gives 1.",),
)
