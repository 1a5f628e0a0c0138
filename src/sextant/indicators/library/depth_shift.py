"""Depth of the bids against that of the asks, each against its own day."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.references import reference_state, take, taken
from sextant.indicators.windows import counter, lin, mask, ratio, tick, void
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # there are no parameters
    return counter(columns), (reference_state(96, columns), reference_state(96, columns))


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # there are none
) -> None:
    count, references = state
    (out,) = outputs
    x = np.empty((2, out.shape[1]))
    for t in range(out.shape[0]):
        tick(count, inputs[0][t])
        void(count, inputs[1][t])
        for s in range(out.shape[1]):
            x[0, s], x[1, s] = inputs[0][t, s], inputs[1][t, s]
            known = taken(references[0], s) > 0 and taken(references[1], s) > 0
            a = ratio(x[0, s], references[0][2][0, s]) if known else 1.0
            b = ratio(x[1, s], references[1][2][0, s]) if known else 1.0
            out[t, s] = lin(ratio(a - b, a + b))
        for k in range(2):
            take(references[k], bar_index + t, 15, x[k])
        mask(out[t], count, 0)


INDICATOR = Indicator(
    name="depth_shift",
    inputs=("bid_usd_25", "ask_usd_25"),
    outputs=(Output("depth_shift", "fraction", -1.0, 1.0, anchored=False),),
    params=(),
    holes="tolerate",
    warmup=lambda p: 0,  # noqa: ARG005  # its need is counted in values, not in rows
    settle=lambda p: 0,  # noqa: ARG005  # as above
    start=_start,
    advance=_advance,
    source="a = bids within 25 bps over their lower median of a day, b of the asks; (a-b)/(a+b)",
    known_gaps=(
        "Before the first value of the day it says 0; 32 values are asked for.",
        "Values of before a hole stay in the reference.",
    ),
)
