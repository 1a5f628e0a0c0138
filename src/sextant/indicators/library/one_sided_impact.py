"""Return per unit of net buying, and whether buying or selling moves the price more."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import change, sides, tick_bar
from sextant.indicators.windows import counter, larger, later, mask, ratio, window_sum, window_sum_state
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return (
        (counter(columns), counter(columns)),
        np.zeros(columns),
        (
            window_sum_state(p["window"], columns),
            window_sum_state(p["window"], columns),
            window_sum_state(p["window"], columns),
            window_sum_state(p["window"], columns),
            window_sum_state(p["window"], columns),
            window_sum_state(p["window"], columns),
        ),
    )


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    counts, before, sums = state
    close, volume, buy = inputs
    kyle, asymmetry = outputs
    (w,) = params
    columns = close.shape[1]
    r, delta, x = np.empty(columns), np.empty(columns), np.empty((6, columns))
    for t in range(close.shape[0]):
        tick_bar(counts[0], close[t], volume[t], buy[t])
        later(counts[0], 1, counts[1])
        change(close[t], before, r)
        sides(volume[t], buy[t], delta, x[0])
        for s in range(columns):
            d = delta[s]
            x[0, s], x[1, s] = d * r[s], d * d
            x[2, s], x[3, s] = (r[s], d) if d > 0 else (0.0, 0.0)
            x[4, s], x[5, s] = (-r[s], -d) if d < 0 else (0.0, 0.0)
        for k in range(6):
            window_sum(sums[k], bar_index + t, counts[1], x[k], x[k])
        for s in range(columns):
            up = larger(ratio(x[2, s], x[3, s]), 0.0)
            down = larger(ratio(x[4, s], x[5, s]), 0.0)
            kyle[t, s] = ratio(x[0, s], x[1, s])
            asymmetry[t, s] = ratio(up - down, up + down)
        mask(kyle[t], counts[1], w - 1)
        mask(asymmetry[t], counts[1], w - 1)


INDICATOR = Indicator(
    name="one_sided_impact",
    inputs=("close", "volume", "taker_buy_volume"),
    outputs=(Output("kyle", "fraction per base unit"), Output("asymmetry", "fraction", -1.0, 1.0)),
    params=(window(60),),
    warmup=lambda p: int(p["window"]),
    settle=lambda p: int(p["window"]),
    source="Kyle 1985, Econometrica 53: slope of return on net volume through 0; the same for each side alone",
    start=_start,
    advance=_advance,
)
