"""Bought minus sold volume since 00:00 UTC, and its share of all volume of a window."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, Param, State, Values, window
from sextant.indicators.prices import sides
from sextant.indicators.windows import counter, lin, mask, ratio, tick, void, window_sum, window_sum_state
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return (
        counter(columns),
        np.zeros(columns),
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
    count, since, deltas, volumes = state
    volume, buy = inputs
    day, balance = outputs
    w, bars_per_day = params
    delta, total = np.empty(volume.shape[1]), np.empty(volume.shape[1])
    for t in range(volume.shape[0]):
        tick(count, volume[t])
        void(count, buy[t])
        sides(volume[t], buy[t], delta, total)
        midnight = (bar_index + t) % bars_per_day == 0
        for s in range(volume.shape[1]):
            since[s] = delta[s] if midnight or count[s] <= 1 else since[s] + delta[s]
            day[t, s] = since[s]
        window_sum(deltas, bar_index + t, count, delta, delta)
        window_sum(volumes, bar_index + t, count, total, total)
        for s in range(volume.shape[1]):
            balance[t, s] = lin(ratio(delta[s], total[s]))
        mask(day[t], count, w - 1)
        mask(balance[t], count, w - 1)


INDICATOR = Indicator(
    name="cumulative_delta",
    inputs=("volume", "taker_buy_volume"),
    outputs=(Output("day", "base", anchored=False), Output("ratio", "fraction", -1.0, 1.0)),
    params=(window(60), Param("bars_per_day", 1440, 1, 1440)),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: int(p["window"]) - 1,
    source="Bought minus sold volume by aggressor",
    known_gaps=("day counts from the first row where that is later than midnight; it is for display only.",),
    start=_start,
    advance=_advance,
)
