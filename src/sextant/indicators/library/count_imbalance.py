"""Balance of the number of buyers' and sellers' trades over 5, 15 and 60 rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.windows import counter, lin, mask, ratio, tick, void, window_sum, window_sum_state
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return (
        counter(columns),
        (window_sum_state(5, columns), window_sum_state(5, columns)),
        (window_sum_state(15, columns), window_sum_state(15, columns)),
        (window_sum_state(60, columns), window_sum_state(60, columns)),
    )


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # there are none
) -> None:
    count, short, middle, long = state
    buy, sell = inputs
    (out,) = outputs
    columns = buy.shape[1]
    net, total = np.empty(columns), np.empty(columns)
    x, y = np.empty(columns), np.empty(columns)
    for t in range(buy.shape[0]):
        tick(count, buy[t])
        void(count, sell[t])
        for s in range(columns):
            net[s] = buy[t, s] - sell[t, s]
            total[s] = buy[t, s] + sell[t, s]
            out[t, s] = 0.0
        for acc, weight in ((short, 0.5), (middle, 0.3), (long, 0.2)):
            window_sum(acc[0], bar_index + t, count, net, x)
            window_sum(acc[1], bar_index + t, count, total, y)
            for s in range(columns):
                out[t, s] = out[t, s] + weight * ratio(x[s], y[s])
        for s in range(columns):
            out[t, s] = lin(out[t, s])
        mask(out[t], count, 59)


INDICATOR = Indicator(
    name="count_imbalance",
    inputs=("buy_count", "sell_count"),
    outputs=(Output("count_imbalance", "fraction", -1.0, 1.0),),
    params=(),
    warmup=lambda p: 59,  # noqa: ARG005  # the longest of its three windows
    settle=lambda p: 59,  # noqa: ARG005  # as above
    source=".5*i5 + .3*i15 + .2*i60, i_w = ratio(bought-sold trades, all trades)",
    start=_start,
    advance=_advance,
)
