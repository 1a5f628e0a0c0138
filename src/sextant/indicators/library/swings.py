"""The last confirmed turning points of the bars."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.structure import swing_row, swings_state
from sextant.indicators.windows import counter, mask, tick, void
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return counter(columns), swings_state(p["side"], columns)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, swings = state
    high, low = inputs
    last_high, last_low = outputs
    (side,) = params
    found = np.empty((2, high.shape[1]), np.bool_)
    for t in range(high.shape[0]):
        tick(count, high[t])
        void(count, low[t])
        swing_row(swings, bar_index + t, count, (high[t], low[t]), found)
        for s in range(high.shape[1]):
            last_high[t, s], last_low[t, s] = swings[2][0, s], -swings[2][1, s]
        mask(last_high[t], count, 2 * side)
        mask(last_low[t], count, 2 * side)


INDICATOR = Indicator(
    name="swings",
    inputs=("high", "low"),
    outputs=(
        Output("last_high", "quote", anchored=False),
        Output("last_low", "quote", anchored=False),
    ),
    params=(window(5, "side", low=1, high=50),),
    warmup=lambda p: 2 * int(p["side"]),
    settle=lambda p: max(100, 2 * int(p["side"])),
    start=_start,
    advance=_advance,
    source="A bar above the `side` bars before it and not below those after it",
    known_gaps=(
        "Depends on the whole past: 100 bars are asked for, and two anchors need not agree.",
        "No swing yet is +inf above and -inf below.",
    ),
)
