"""Volume-weighted price since the day or week began, its deviation, and the distance of the close in deviations."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, Param, State, Values
from sextant.indicators.windows import counter, larger, ratio
from sextant.model.bar import Floats

MONDAY_DAYS: Final = 3
"""The epoch was a Thursday: three days after a Monday."""


@compiled
def _add(sums: Floats, price: float, volume: float) -> None:
    """Adds a bar; sums[0] is the first typical price of the period, the others are taken about it."""
    if sums[4] - sums[5] == 1.0:
        sums[0] = price
    d = price - sums[0]
    sums[1] += volume
    sums[2] += d * volume
    sums[3] += d * d * volume


@compiled
def _moments(sums: Floats, price: float) -> tuple[float, float]:
    """Mean and deviation; the price itself and 0 while nothing traded."""
    if sums[1] <= 0:
        return price, 0.0
    mean = sums[2] / sums[1]
    return sums[0] + mean, np.sqrt(larger(sums[3] / sums[1] - mean * mean, 0.0))


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return counter(columns), np.full(columns, -1, dtype=np.int64), np.zeros((6, columns))


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    age, periods, sums = state
    high, low, close, volume = inputs
    vwap, sd, distance = outputs
    anchor, bars_per_day = params
    for t in range(close.shape[0]):
        day = (bar_index + t) // bars_per_day
        period = day if anchor == 0 else (day + MONDAY_DAYS) // 7
        for s in range(close.shape[1]):
            price = (high[t, s] + low[t, s] + close[t, s]) / 3.0
            here = price + volume[t, s] == price + volume[t, s]
            if not here and age[s] == 0:
                vwap[t, s], sd[t, s], distance[t, s] = np.nan, np.nan, np.nan
                continue
            age[s] += 1
            if period != periods[s]:
                periods[s] = period
                sums[:, s] = 0.0
            sums[4, s] += 1.0
            sums[5, s] += 0.0 if here else 1.0
            if here:
                _add(sums[:, s], price, volume[t, s])
                mean, root = _moments(sums[:, s], price)
                vwap[t, s], sd[t, s], distance[t, s] = mean, root, ratio(close[t, s] - mean, root)
            if not here or sums[5, s] > 0.05 * sums[4, s]:
                vwap[t, s], sd[t, s], distance[t, s] = np.nan, np.nan, np.nan


INDICATOR = Indicator(
    name="vwap",
    inputs=("high", "low", "close", "volume"),
    outputs=(Output("vwap", "quote"), Output("sd", "quote", low=0.0), Output("distance", "deviations")),
    params=(Param("anchor", 0, 0, 1, choices=("day", "week")), Param("bars_per_day", 1440, 1, 1440)),
    holes="tolerate",
    warmup=lambda p: 0,  # noqa: ARG005  # the first row of a period is its own mean
    settle=lambda p: int(p["bars_per_day"]) * (7 if p["anchor"] else 1),
    source="Berkowitz, Logue, Noser 1988; begins at 00:00 UTC, a week on Monday; TA-Lib VWAP within one period",
    known_gaps=("A column that begins inside a period tells that part of it only.",),
    start=_start,
    advance=_advance,
)
