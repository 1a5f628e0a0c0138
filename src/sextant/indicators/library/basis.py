"""Distance of the mark price from the index."""

from __future__ import annotations

from typing import Any

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.windows import counter, mask, tick, void
from sextant.model.bar import Floats


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
    price, index = inputs
    (out,) = outputs
    for t in range(price.shape[0]):
        tick(count, price[t])
        void(count, index[t])
        for s in range(price.shape[1]):
            out[t, s] = (price[t, s] - index[t, s]) / index[t, s]
        mask(out[t], count, 0)


INDICATOR = Indicator(
    name="basis",
    inputs=("mark", "index"),
    outputs=(Output("basis", "fraction"),),
    params=(),
    warmup=lambda p: 0,  # noqa: ARG005  # there is nothing to wait for
    settle=lambda p: 0,  # noqa: ARG005  # as above
    source="(mark-index)/index",
    start=_start,
    advance=_advance,
)
