"""Where the close stands in the range of a window, and sweeps beyond its edges that came back."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import tick_bar, true_range
from sextant.indicators.windows import (
    FADE_10,
    counter,
    lin,
    mask,
    push,
    ratio,
    ring,
    wilder,
    window_max,
    window_min,
)
from sextant.model.bar import Floats

ATR_ROWS: Final = 14
LEAST_ATR: Final = 0.1


def _start(columns: int, p: Values) -> State:
    return counter(columns), ring(p["window"], columns), ring(p["window"], columns), np.zeros((3, columns))


@compiled
def _sweep(faded: float, bar: tuple[float, float, float], edges: tuple[float, float], least: float) -> float:
    """1 after a fall below the range that closed inside, -1 after a rise above it, else what was left."""
    high, low, close = bar
    up = low < edges[1] - least and close > edges[1]
    down = high > edges[0] + least and close < edges[0]
    if up == down:
        return faded
    return 1.0 if up else -1.0


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, highs, lows, kept = state
    high, low, close = inputs
    position, sweep = outputs
    (w,) = params
    columns = close.shape[1]
    span, top, bottom = np.empty(columns), np.empty(columns), np.empty(columns)
    before, atr, swept = kept[0], kept[1], kept[2]
    for t in range(close.shape[0]):
        tick_bar(count, high[t], low[t], close[t])
        true_range(high[t], low[t], before, span)
        wilder(atr, count, 1, span, ATR_ROWS)
        before[:] = close[t]
        window_max(highs, top)
        window_min(lows, bottom)
        for s in range(columns):
            bar = (high[t, s], low[t, s], close[t, s])
            warm = count[s] > w
            swept[s] = (
                _sweep(FADE_10 * swept[s], bar, (top[s], bottom[s]), LEAST_ATR * atr[s]) if warm else 0.0
            )
            sweep[t, s] = swept[s]
        push(highs, bar_index + t, high[t])
        push(lows, bar_index + t, low[t])
        window_max(highs, top)
        window_min(lows, bottom)
        for s in range(columns):
            middle = (top[s] + bottom[s]) / 2.0
            position[t, s] = lin(ratio(close[t, s] - middle, (top[s] - bottom[s]) / 2.0))
        mask(position[t], count, w)
        mask(sweep[t], count, w)


INDICATOR = Indicator(
    name="range_position",
    inputs=("high", "low", "close"),
    outputs=(
        Output("position", "fraction", -1.0, 1.0),
        Output("sweep", "fraction", -1.0, 1.0, anchored=False),
    ),
    params=(window(50, low=ATR_ROWS),),
    warmup=lambda p: int(p["window"]),
    settle=lambda p: max(100, int(p["window"])),
    start=_start,
    advance=_advance,
    source="ratio(c-middle, half range); sweep halved in 10 rows",
    known_gaps=("sweep depends on the whole past: 100 bars are asked for, and two anchors need not agree.",),
)
