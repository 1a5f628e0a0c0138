"""Sizes bid on the first five levels against those offered."""

from __future__ import annotations

from typing import Any, Final

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.sizes import imbalance
from sextant.indicators.windows import counter
from sextant.model.bar import Floats

LEVELS: Final = 5
LEAST: Final = 5
"""Levels without which there is no value."""


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return (counter(columns),)


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the values do not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # there are none
) -> None:
    (count,) = state
    (out,) = outputs
    imbalance(count, inputs, out, LEVELS, LEAST, 1.0)


INDICATOR = Indicator(
    name="top_imbalance",
    inputs=(
        *(f"bid_size_{level}" for level in range(LEVELS)),
        *(f"ask_size_{level}" for level in range(LEVELS)),
    ),
    outputs=(Output("top_imbalance", "fraction", -1.0, 1.0),),
    params=(),
    warmup=lambda p: 0,  # noqa: ARG005  # a sample stands alone
    settle=lambda p: 0,  # noqa: ARG005  # as above
    start=_start,
    advance=_advance,
    source="(sum B - sum A)/(sum B + sum A) of levels 0..4; a row is a sample of the book",
)
