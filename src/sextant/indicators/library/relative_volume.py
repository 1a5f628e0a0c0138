"""Volume in units of its exponential mean up to the row before."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators import windows
from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import times_usual
from sextant.indicators.windows import counter, mask, tick
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return counter(columns), np.zeros(columns)


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the values do not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, mean = state
    (volume,) = inputs
    (out,) = outputs
    (w,) = params
    for t in range(volume.shape[0]):
        tick(count, volume[t])
        times_usual(volume[t], mean, out[t])
        mask(out[t], count, w)
        windows.ema(mean, count, 0, volume[t], w)


INDICATOR = Indicator(
    name="relative_volume",
    inputs=("volume",),
    outputs=(Output("relative_volume", "times", 0.0, 100.0),),
    params=(window(30),),
    warmup=lambda p: int(p["window"]),
    settle=lambda p: 7 * int(p["window"]),
    source="v/ema(v,w) of the previous row, capped at 100",
    start=_start,
    advance=_advance,
)
