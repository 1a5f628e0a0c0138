"""Root of the mean squared return of a window, per bar."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import change
from sextant.indicators.windows import counter, larger, later, mask, tick, window_sum, window_sum_state
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return (
        (counter(columns), counter(columns)),
        np.zeros(columns),
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
    counts, before, acc = state
    (close,) = inputs
    (out,) = outputs
    (w,) = params
    r = np.empty(close.shape[1])
    for t in range(close.shape[0]):
        tick(counts[0], close[t])
        later(counts[0], 1, counts[1])
        change(close[t], before, r)
        for s in range(close.shape[1]):
            r[s] = r[s] * r[s]
        window_sum(acc, bar_index + t, counts[1], r, r)
        for s in range(close.shape[1]):
            out[t, s] = np.sqrt(larger(r[s], 0.0) / w)
        mask(out[t], counts[1], w - 1)


INDICATOR = Indicator(
    name="realized_volatility",
    inputs=("close",),
    outputs=(Output("realized_volatility", "fraction per bar", low=0.0),),
    params=(window(60),),
    warmup=lambda p: int(p["window"]),
    settle=lambda p: int(p["window"]),
    source="Andersen, Bollerslev, Diebold, Labys 2001; returns are c/lag(c,1)-1",
    start=_start,
    advance=_advance,
)
