"""Highest high and lowest low of a window, and their middle."""

from __future__ import annotations

from typing import Any

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.windows import counter, mask, push, ring, tick, void, window_max, window_min
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return counter(columns), ring(p["window"], columns), ring(p["window"], columns)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, highs, lows = state
    high, low = inputs
    upper, middle, lower = outputs
    (w,) = params
    for t in range(high.shape[0]):
        tick(count, high[t])
        void(count, low[t])
        push(highs, bar_index + t, high[t])
        push(lows, bar_index + t, low[t])
        window_max(highs, upper[t])
        window_min(lows, lower[t])
        mask(upper[t], count, w - 1)
        mask(lower[t], count, w - 1)
        for s in range(high.shape[1]):
            middle[t, s] = (upper[t, s] + lower[t, s]) / 2.0


INDICATOR = Indicator(
    name="donchian",
    inputs=("high", "low"),
    outputs=(Output("upper", "quote"), Output("middle", "quote"), Output("lower", "quote")),
    params=(window(20),),
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: int(p["window"]) - 1,
    source="Donchian 1960; TA-Lib DONCHIAN",
    start=_start,
    advance=_advance,
)
