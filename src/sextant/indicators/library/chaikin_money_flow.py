"""Share of the volume of a window by where its bars closed in their ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import money_flow, tick_bar
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
    count, flows, volumes = state
    high, low, close, volume = inputs
    (out,) = outputs
    (w,) = params
    flow, total = np.empty(close.shape[1]), np.empty(close.shape[1])
    for t in range(close.shape[0]):
        tick_bar(count, high[t], low[t], close[t])
        void(count, volume[t])
        money_flow(high[t], low[t], close[t], volume[t], flow)
        window_sum(flows, bar_index + t, count, flow, flow)
        window_sum(volumes, bar_index + t, count, volume[t], total)
        for s in range(close.shape[1]):
            out[t, s] = lin(ratio(flow[s], total[s]))
        mask(out[t], count, w - 1)


INDICATOR = Indicator(
    name="chaikin_money_flow",
    inputs=("high", "low", "close", "volume"),
    outputs=(Output("chaikin_money_flow", "fraction", -1.0, 1.0),),
    params=(window(20),),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: int(p["window"]) - 1,
    source="Chaikin; TA-Lib CMF",
    start=_start,
    advance=_advance,
)
