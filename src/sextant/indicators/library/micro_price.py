"""Where the best sizes put the price between bid and ask."""

from __future__ import annotations

from typing import Any

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.windows import clamp, counter, mask, ratio, tick, void
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
    bid, ask, bid_size, ask_size = inputs
    (out,) = outputs
    for t in range(bid.shape[0]):
        tick(count, bid[t])
        for k in range(1, 4):
            void(count, inputs[k][t])
        for s in range(bid.shape[1]):
            both = bid_size[t, s] + ask_size[t, s]
            mid = (bid[t, s] + ask[t, s]) / 2.0
            weighted = (bid[t, s] * ask_size[t, s] + ask[t, s] * bid_size[t, s]) / both if both > 0 else mid
            out[t, s] = clamp(ratio(weighted - mid, ask[t, s] - bid[t, s]), -0.5, 0.5)
        mask(out[t], count, 0)


INDICATOR = Indicator(
    name="micro_price",
    inputs=("bid", "ask", "bid_size_0", "ask_size_0"),
    outputs=(Output("offset", "spreads", -0.5, 0.5),),
    params=(),
    warmup=lambda p: 0,  # noqa: ARG005  # a sample stands alone
    settle=lambda p: 0,  # noqa: ARG005  # as above
    start=_start,
    advance=_advance,
    source="((bid*A0+ask*B0)/(A0+B0) - mid)/spread; a row is a sample of the book",
    known_gaps=("This is the weighted mid; the fitted table of Stoikov 2018 needs 500,000 samples.",),
)
