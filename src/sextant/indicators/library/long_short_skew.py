"""Share of accounts that are net long, against its own day."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.references import centred, reference_state, take
from sextant.indicators.windows import counter, mask, tick
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # there are no parameters
    return counter(columns), reference_state(288, columns)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # there are none
) -> None:
    count, reference = state
    (share,) = inputs
    (out,) = outputs
    x = np.empty(share.shape[1])
    for t in range(share.shape[0]):
        tick(count, share[t])
        for s in range(x.shape[0]):
            x[s] = share[t, s]
            first = reference[1][s] == 0
            out[t, s] = 0.0 if first else centred(reference, s, x[s], 0.005)
        take(reference, bar_index + t, 1, x)
        mask(out[t], count, 0)


INDICATOR = Indicator(
    name="long_short_skew",
    inputs=("long_share",),
    outputs=(Output("long_short_skew", "deviations", anchored=False),),
    params=(),
    holes="tolerate",
    warmup=lambda p: 0,  # noqa: ARG005  # it is its own median at first
    settle=lambda p: 0,  # noqa: ARG005  # its need is counted in values, not in rows
    source="(x - m)/max(1.4826*lmed(abs(ref - m)), .005), m = lmed(ref), over the last 288 points of the 5-minute grid",
    known_gaps=(
        "The first point has nothing to stand against and says 0; 96 points are asked for.",
        "Values of before a hole stay in the reference.",
    ),
    start=_start,
    advance=_advance,
)
