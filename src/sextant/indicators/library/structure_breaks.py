"""Closes beyond the last turning point: with the trend or against it, and the bias they leave."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.prices import tick_bar
from sextant.indicators.structure import SIDE, break_row, breaks_state, swing_row, swings_state
from sextant.indicators.windows import counter, mask
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return counter(columns), swings_state(SIDE, columns), breaks_state(columns)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # there are none
) -> None:
    count, swings, breaks = state
    high, low, close = inputs
    bias, event = outputs
    found = np.empty((2, close.shape[1]), np.bool_)
    for t in range(close.shape[0]):
        tick_bar(count, high[t], low[t], close[t])
        swing_row(swings, bar_index + t, count, (high[t], low[t]), found)
        break_row(breaks, (swings[2], found), count, close[t], event[t])
        bias[t] = breaks[0][0]
        mask(bias[t], count, 2 * SIDE)
        mask(event[t], count, 2 * SIDE)


INDICATOR = Indicator(
    name="structure_breaks",
    inputs=("high", "low", "close"),
    outputs=(
        Output("bias", "fraction", -1.0, 1.0, anchored=False),
        Output(
            "event", "1 with the trend, 2 against it, negative downward, 0 none", -2.0, 2.0, anchored=False
        ),
    ),
    params=(),
    warmup=lambda p: 2 * SIDE,  # noqa: ARG005  # the first swing can be confirmed then
    settle=lambda p: 100,  # noqa: ARG005  # what is asked for, as the gap says
    start=_start,
    advance=_advance,
    source="A close above an unused last swing high: bias max(bias, .6), against the trend .8; halved in 25 rows",
    known_gaps=("Depends on the whole past: 100 bars are asked for, and two anchors need not agree.",),
)
