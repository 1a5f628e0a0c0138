"""Size bid at the best price against the size offered there."""

from __future__ import annotations

from typing import Any

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.windows import counter, lin, mask, ratio, tick, void
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
    bid, ask = inputs
    (out,) = outputs
    for t in range(bid.shape[0]):
        tick(count, bid[t])
        void(count, ask[t])
        for s in range(bid.shape[1]):
            out[t, s] = lin(ratio(bid[t, s] - ask[t, s], bid[t, s] + ask[t, s]))
        mask(out[t], count, 0)


INDICATOR = Indicator(
    name="touch_imbalance",
    inputs=("bid_size_0", "ask_size_0"),
    outputs=(Output("touch_imbalance", "fraction", -1.0, 1.0),),
    params=(),
    warmup=lambda p: 0,  # noqa: ARG005  # a sample stands alone
    settle=lambda p: 0,  # noqa: ARG005  # as above
    start=_start,
    advance=_advance,
    source="(B0-A0)/(B0+A0); a row is a sample of the book",
)
