"""Change of the open interest over some points of its grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.windows import clamp, counter, lag, mask, ring, tick
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return counter(columns), ring(p["steps"], columns)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, past = state
    (open_interest,) = inputs
    (out,) = outputs
    (steps,) = params
    x = np.empty(open_interest.shape[1])
    for t in range(open_interest.shape[0]):
        for s in range(x.shape[0]):
            x[s] = open_interest[t, s] if open_interest[t, s] > 0 else np.nan
        tick(count, x)
        lag(past, bar_index + t, x, out[t])
        for s in range(x.shape[0]):
            out[t, s] = clamp(x[s] / out[t, s] - 1.0, -1.0, 5.0)
        mask(out[t], count, steps)


INDICATOR = Indicator(
    name="open_interest_change",
    inputs=("open_interest",),
    outputs=(Output("open_interest_change", "fraction", -1.0, 5.0),),
    params=(window(12, "steps"),),
    warmup=lambda p: int(p["steps"]),
    settle=lambda p: int(p["steps"]),
    source="OI / OI some grid points earlier - 1; a row is a point of the 5-minute grid, not a bar",
    known_gaps=(
        "A point that is missing inside the span hides the value until it has left.",
        "An open interest of 0 counts as missing.",
    ),
    start=_start,
    advance=_advance,
)
