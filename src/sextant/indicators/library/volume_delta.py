"""Bought minus sold volume of the bar, and its share of all volume of a window."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import sides
from sextant.indicators.windows import counter, lin, mask, ratio, tick, void, window_sum, window_sum_state
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
    count, deltas, volumes = state
    volume, buy = inputs
    delta, balance = outputs
    (w,) = params
    net, total = np.empty(volume.shape[1]), np.empty(volume.shape[1])
    for t in range(volume.shape[0]):
        tick(count, volume[t])
        void(count, buy[t])
        sides(volume[t], buy[t], delta[t], total)
        window_sum(deltas, bar_index + t, count, delta[t], net)
        window_sum(volumes, bar_index + t, count, total, total)
        for s in range(volume.shape[1]):
            balance[t, s] = lin(ratio(net[s], total[s]))
        mask(delta[t], count, w - 1)
        mask(balance[t], count, w - 1)


INDICATOR = Indicator(
    name="volume_delta",
    inputs=("volume", "taker_buy_volume"),
    outputs=(Output("delta", "base"), Output("ratio", "fraction", -1.0, 1.0)),
    params=(window(20),),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: int(p["window"]) - 1,
    source="Bought minus sold volume by aggressor; sold is volume minus bought",
    start=_start,
    advance=_advance,
)
