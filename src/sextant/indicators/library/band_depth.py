"""What is bid and offered within a band around the middle, and which side is deeper."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, Param, State, Values
from sextant.indicators.windows import counter, lin, mask, ratio, tick, void
from sextant.model.bar import Floats

LEVELS: Final = 25


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
    usd, imbalance, truncated = outputs[:2], outputs[2], outputs[3]
    (bps,) = params
    for t in range(imbalance.shape[0]):
        tick(count, inputs[0][t])
        for side in range(2):
            void(count, inputs[2 * side * LEVELS][t])
            void(count, inputs[(2 * side + 1) * LEVELS][t])
        for s in range(imbalance.shape[1]):
            mid = (inputs[0][t, s] + inputs[2 * LEVELS][t, s]) / 2.0
            ended = 0.0
            for side in range(2):
                total, beyond = 0.0, False
                for k in range(LEVELS):
                    price = inputs[2 * side * LEVELS + k][t, s]
                    size = inputs[(2 * side + 1) * LEVELS + k][t, s]
                    if np.isnan(price) or np.isnan(size) or beyond:
                        continue
                    if abs(price - mid) > mid * bps * 1e-4:
                        beyond = True
                    else:
                        total = total + price * size
                usd[side][t, s] = total
                if not beyond:
                    ended = 1.0
            bid, ask = usd[0][t, s], usd[1][t, s]
            imbalance[t, s] = lin(ratio(bid - ask, bid + ask))
            truncated[t, s] = ended
        for out in outputs:
            mask(out[t], count, 0)


INDICATOR = Indicator(
    name="band_depth",
    inputs=tuple(
        f"{side}_{what}_{level}"
        for side in ("bid", "ask")
        for what in ("price", "size")
        for level in range(LEVELS)
    ),
    outputs=(
        Output("bid_usd", "quote", 0.0),
        Output("ask_usd", "quote", 0.0),
        Output("imbalance", "fraction", -1.0, 1.0),
        Output("truncated", "flag", 0.0, 1.0),
    ),
    params=(Param("bps", 25.0, 1.0, 500.0, whole=False),),
    warmup=lambda p: 0,  # noqa: ARG005  # a sample stands alone
    settle=lambda p: 0,  # noqa: ARG005  # as above
    start=_start,
    advance=_advance,
    source="sum of price*size within bps of the middle; (bid-ask)/(bid+ask); a row is a sample of the book",
    known_gaps=("truncated is 1 where a side ends inside the band: what lies beyond was not told.",),
)
