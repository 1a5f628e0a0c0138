"""Distance of the best ask from the best bid, in basis points of their mean."""

from __future__ import annotations

from typing import Any

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.windows import counter, mask, ratio, tick, void
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
            out[t, s] = 1e4 * ratio(ask[t, s] - bid[t, s], (ask[t, s] + bid[t, s]) / 2.0)
        mask(out[t], count, 0)


INDICATOR = Indicator(
    name="spread_bps",
    inputs=("bid", "ask"),
    outputs=(Output("spread_bps", "bps"),),
    params=(),
    warmup=lambda p: 0,  # noqa: ARG005  # a sample stands alone
    settle=lambda p: 0,  # noqa: ARG005  # as above
    start=_start,
    advance=_advance,
    source="(ask-bid)/mid*1e4; a row is a sample of the book",
    known_gaps=("A crossed book gives a negative spread; samples of it are invalid and not to be given.",),
)
