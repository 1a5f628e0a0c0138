"""Balance of the volume of a long window: by close in the bar's range, and by direction of the close."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import money_flow
from sextant.indicators.windows import (
    counter,
    later,
    lin,
    ratio,
    share_missing,
    tolerate,
    tolerate_mask,
    window_sum,
    window_sum_state,
)
from sextant.model.bar import Floats, Integers


@compiled
def _parts(x: Floats, age: Integers, before: Floats, bar: tuple[Floats, Floats, Floats, Floats]) -> None:
    """Money flow, signed volume and volume of the row, into x[1] to x[3]; nothing where it is missing."""
    high, low, close, volume = bar
    money_flow(high, low, close, volume, x[1])
    for s in range(before.shape[0]):
        here = x[0, s] == x[0, s]
        up, down = close[s] > before[s], close[s] < before[s]
        x[1, s] = x[1, s] if here else 0.0
        x[2, s] = (volume[s] if up else (-volume[s] if down else 0.0)) if here and age[s] > 0 else 0.0
        x[3, s] = volume[s] if here else 0.0
        before[s] = close[s] if here else before[s]


def _start(columns: int, p: Values) -> State:
    return (
        (counter(columns), counter(columns)),
        np.zeros(columns),
        window_sum_state(p["window"], columns),
        window_sum_state(p["window"], columns),
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
    ages, before, flows, signed, volumes, holes = state
    high, low, close, volume = inputs
    adl, obv = outputs
    (w,) = params
    columns = close.shape[1]
    x = np.empty((5, columns))
    missing = np.empty(columns)
    for t in range(close.shape[0]):
        for s in range(columns):
            x[0, s] = high[t, s] + low[t, s] + close[t, s] + volume[t, s]
        tolerate(ages[0], missing, x[0])
        later(ages[0], 1, ages[1])
        _parts(x, ages[1], before, (high[t], low[t], close[t], volume[t]))
        window_sum(flows, bar_index + t, ages[1], x[1], x[1])
        window_sum(signed, bar_index + t, ages[1], x[2], x[2])
        window_sum(volumes, bar_index + t, ages[1], x[3], x[3])
        share_missing(holes, bar_index + t, ages[1], missing, x[4])
        for s in range(columns):
            adl[t, s] = lin(ratio(x[1, s], x[3, s]))
            obv[t, s] = lin(ratio(x[2, s], x[3, s]))
        tolerate_mask(adl[t], ages[1], w - 1, missing, x[4])
        tolerate_mask(obv[t], ages[1], w - 1, missing, x[4])


INDICATOR = Indicator(
    name="volume_balance",
    inputs=("high", "low", "close", "volume"),
    outputs=(Output("adl_ratio", "fraction", -1.0, 1.0), Output("obv_ratio", "fraction", -1.0, 1.0)),
    params=(window(1440, low=60, high=1440),),
    holes="tolerate",
    warmup=lambda p: int(p["window"]),
    settle=lambda p: int(p["window"]),
    source="The bounded, anchor-free form of accumulation_distribution and on_balance_volume",
    start=_start,
    advance=_advance,
)
