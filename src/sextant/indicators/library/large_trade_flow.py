"""Bought minus sold turnover of large trades as a share of all turnover of a window."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import tick_bar
from sextant.indicators.windows import counter, lin, mask, ratio, void, window_sum, window_sum_state
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return (
        counter(columns),
        window_sum_state(p["window"], columns),
        window_sum_state(p["window"], columns),
    )


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, nets, totals = state
    large_buy, large_sell, buy, sell = inputs
    (out,) = outputs
    (w,) = params
    x, y = np.empty(buy.shape[1]), np.empty(buy.shape[1])
    for t in range(buy.shape[0]):
        tick_bar(count, buy[t], sell[t], large_buy[t])
        void(count, large_sell[t])
        for s in range(buy.shape[1]):
            x[s] = large_buy[t, s] - large_sell[t, s]
            y[s] = buy[t, s] + sell[t, s]
        window_sum(nets, bar_index + t, count, x, x)
        window_sum(totals, bar_index + t, count, y, y)
        for s in range(buy.shape[1]):
            out[t, s] = lin(ratio(x[s], y[s]))
        mask(out[t], count, w - 1)


INDICATOR = Indicator(
    name="large_trade_flow",
    inputs=("large_buy", "large_sell", "buy_turnover", "sell_turnover"),
    outputs=(Output("large_trade_flow", "fraction", -1.0, 1.0),),
    params=(window(60),),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: int(p["window"]) - 1,
    source="ratio(sum(large_buy-large_sell), sum(all turnover)); without a large trade a measured 0",
    start=_start,
    advance=_advance,
)
