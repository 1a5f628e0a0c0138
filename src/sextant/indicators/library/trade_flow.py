"""Balance of the turnover of buyers and sellers, each faded exponentially."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators import windows
from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.windows import counter, lin, mask, ratio, tick, void
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return counter(columns), np.zeros(columns), np.zeros(columns)


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the values do not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, net, total = state
    buy, sell = inputs
    (out,) = outputs
    (w,) = params
    x, y = np.empty(buy.shape[1]), np.empty(buy.shape[1])
    for t in range(buy.shape[0]):
        tick(count, buy[t])
        void(count, sell[t])
        for s in range(buy.shape[1]):
            x[s] = buy[t, s] - sell[t, s]
            y[s] = buy[t, s] + sell[t, s]
        windows.ema(net, count, 0, x, w)
        windows.ema(total, count, 0, y, w)
        for s in range(buy.shape[1]):
            out[t, s] = lin(ratio(net[s], total[s]))
        mask(out[t], count, w - 1)


INDICATOR = Indicator(
    name="trade_flow",
    inputs=("buy_turnover", "sell_turnover"),
    outputs=(Output("trade_flow", "fraction", -1.0, 1.0),),
    params=(window(10),),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: 8 * int(p["window"]),
    source="ratio(ema(buy-sell turnover), ema(both))",
    start=_start,
    advance=_advance,
)
