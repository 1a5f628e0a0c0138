"""Sizes bid against those offered over many levels, each level weighing less than the one before."""

from __future__ import annotations

from typing import Any, Final

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, Param, State, Values
from sextant.indicators.sizes import imbalance
from sextant.indicators.windows import counter
from sextant.model.bar import Floats

LEVELS: Final = 25
LEAST: Final = 10
"""Levels without which there is no value."""


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return (counter(columns),)


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the values do not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    (count,) = state
    (out,) = outputs
    (fade,) = params
    imbalance(count, inputs, out, LEVELS, LEAST, fade)


INDICATOR = Indicator(
    name="depth_imbalance",
    inputs=(
        *(f"bid_size_{level}" for level in range(LEVELS)),
        *(f"ask_size_{level}" for level in range(LEVELS)),
    ),
    outputs=(Output("depth_imbalance", "fraction", -1.0, 1.0),),
    params=(Param("weight", 0.95, 0.5, 1.0, whole=False),),
    warmup=lambda p: 0,  # noqa: ARG005  # a sample stands alone
    settle=lambda p: 0,  # noqa: ARG005  # as above
    start=_start,
    advance=_advance,
    source="w_i = .95^i; (sum w B - sum w A)/(sum w B + sum w A); a row is a sample of the book",
    known_gaps=("Of fewer than 25 levels those present are taken; fewer than ten are a hole.",),
)
