"""Which side was forced out lately, and how much for this instrument."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.references import reference_state, take, taken
from sextant.indicators.windows import counter, fade_in, larger, mask, ratio, tick, void
from sextant.model.bar import Floats

FADE_210: Final = 0.996704740464899
LEAST_USUAL: Final = 100.0


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # there are no parameters
    return counter(columns), np.zeros((2, columns)), reference_state(96, columns)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # there are none
) -> None:
    count, sides, reference = state
    imbalance, intensity = outputs
    total = np.empty(imbalance.shape[1])
    for t in range(imbalance.shape[0]):
        tick(count, inputs[0][t])
        void(count, inputs[1][t])
        for k in range(2):
            fade_in(sides[k], count, FADE_210, inputs[k][t])
        for s in range(total.shape[0]):
            total[s] = sides[0, s] + sides[1, s] if count[s] > 0 else np.nan
            usual = larger(LEAST_USUAL, reference[2][0, s]) if taken(reference, s) > 0 else LEAST_USUAL
            imbalance[t, s] = ratio(sides[1, s] - sides[0, s], total[s])
            intensity[t, s] = total[s] / (total[s] + usual)
        take(reference, bar_index + t, 15, total)
        mask(imbalance[t], count, 0)
        mask(intensity[t], count, 0)


INDICATOR = Indicator(
    name="liquidation_pressure",
    inputs=("root_long", "root_short"),
    outputs=(
        Output("imbalance", "fraction", -1.0, 1.0, anchored=False),
        Output("intensity", "fraction", 0.0, 1.0, anchored=False),
    ),
    params=(),
    holes="tolerate",
    warmup=lambda p: 0,  # noqa: ARG005  # a minute without an event is a measured 0
    settle=lambda p: 0,  # noqa: ARG005  # the past before the anchor is unknown
    source="L = fade(210)*L + root per side of the position closed; (short-long)/(short+long); T/(T + max(lmed T, 100))",
    known_gaps=(
        "Forced closes before the first row are unknown.",
        "Values of before a hole stay in the reference.",
    ),
    start=_start,
    advance=_advance,
)
