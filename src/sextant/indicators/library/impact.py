"""What a market order of one notional would pay beyond the middle on either side, and which side is thinner."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, Param, State, Values
from sextant.indicators.windows import counter, lin, mask, ratio, smaller, tick, void
from sextant.model.bar import Floats

LEVELS: Final = 20
SHARE: Final = 0.2
"""No more than this part of the thinner side is walked, the same on both."""


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
    buy, sell, asymmetry = outputs
    (notional,) = params
    paid, depth = np.empty(2), np.empty(2)
    for t in range(buy.shape[0]):
        tick(count, inputs[0][t])
        for part in range(1, 4):
            void(count, inputs[part * LEVELS][t])
        for s in range(buy.shape[1]):
            mid = (inputs[0][t, s] + inputs[2 * LEVELS][t, s]) / 2.0
            for side in range(2):
                depth[side] = 0.0
                for k in range(LEVELS):
                    turnover = inputs[2 * side * LEVELS + k][t, s] * inputs[(2 * side + 1) * LEVELS + k][t, s]
                    depth[side] = depth[side] + (0.0 if np.isnan(turnover) else turnover)
            wanted = smaller(notional, SHARE * smaller(depth[0], depth[1]))
            for side in range(2):
                left, base = wanted, 0.0
                for k in range(LEVELS):
                    price = inputs[2 * side * LEVELS + k][t, s]
                    turnover = price * inputs[(2 * side + 1) * LEVELS + k][t, s]
                    if turnover > 0 and left > 0:
                        taken = smaller(left, turnover)
                        base = base + taken / price
                        left = left - taken
                paid[side] = 1e4 * abs(ratio(wanted, base) / mid - 1.0) if base > 0 else 0.0
            sell[t, s], buy[t, s] = paid[0], paid[1]
            asymmetry[t, s] = lin(ratio(paid[1] - paid[0], paid[1] + paid[0]))
        for out in outputs:
            mask(out[t], count, 0)


INDICATOR = Indicator(
    name="impact",
    inputs=tuple(
        f"{side}_{what}_{level}"
        for side in ("bid", "ask")
        for what in ("price", "size")
        for level in range(LEVELS)
    ),
    outputs=(
        Output("buy_bps", "bps", 0.0),
        Output("sell_bps", "bps", 0.0),
        Output("asymmetry", "fraction", -1.0, 1.0),
    ),
    params=(Param("notional_usd", 100_000.0, 1.0, 1e9, whole=False),),
    warmup=lambda p: 0,  # noqa: ARG005  # a sample stands alone
    settle=lambda p: 0,  # noqa: ARG005  # as above
    start=_start,
    advance=_advance,
    source="mean price of a walk through the levels against the middle; (buy-sell)/(buy+sell): positive where asks are thinner",
    known_gaps=("The notional is cut to a fifth of the thinner side, so that both are walked alike.",),
)
