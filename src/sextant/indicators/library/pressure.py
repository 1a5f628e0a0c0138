"""Balance of recent buying and selling by turnover, number and large trades, halved every three rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.windows import FADE_3, counter, fade_in, lin, mask, ratio, tick, void
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return counter(columns), np.zeros((6, columns))


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the values do not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # there are none
) -> None:
    count, sums = state
    (out,) = outputs
    x = np.empty(out.shape[1])
    for t in range(out.shape[0]):
        tick(count, inputs[0][t])
        for k in range(1, 6):
            void(count, inputs[k][t])
        for k in range(3):
            buy, sell = inputs[2 * k][t], inputs[2 * k + 1][t]
            for s in range(x.shape[0]):
                x[s] = buy[s] - sell[s]
            fade_in(sums[2 * k], count, FADE_3, x)
            for s in range(x.shape[0]):
                x[s] = buy[s] + sell[s]
            fade_in(sums[2 * k + 1], count, FADE_3, x)
        for s in range(x.shape[0]):
            turnover = ratio(sums[0, s], sums[1, s])
            trades = ratio(sums[2, s], sums[3, s])
            large = ratio(sums[4, s], sums[5, s])
            out[t, s] = lin(0.7 * turnover + 0.2 * trades + 0.1 * large)
        mask(out[t], count, 0)


INDICATOR = Indicator(
    name="pressure",
    inputs=("buy_turnover", "sell_turnover", "buy_count", "sell_count", "large_buy", "large_sell"),
    outputs=(Output("pressure", "fraction", -1.0, 1.0),),
    params=(),
    warmup=lambda p: 0,  # noqa: ARG005  # it begins with its first row
    settle=lambda p: 60,  # noqa: ARG005  # twenty halvings
    source=".7*turnover + .2*number + .1*large, each ratio(N, D) with N = fade(3)*N + buy-sell, D of buy+sell",
    start=_start,
    advance=_advance,
)
