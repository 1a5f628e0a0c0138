"""Average true range after Wilder, in quote units and in per cent of the close."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import true_range
from sextant.indicators.windows import counter, mask, tick, void, wilder
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all windows
    return counter(columns), np.zeros(columns), np.zeros(columns)


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the mean does not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, before, v = state
    high, low, close = inputs
    atr, natr = outputs
    (w,) = params
    rng = np.empty(close.shape[1])
    for t in range(close.shape[0]):
        tick(count, high[t])
        void(count, low[t])
        void(count, close[t])
        true_range(high[t], low[t], before, rng)
        wilder(v, count, 1, rng, w)
        before[:] = close[t]
        atr[t] = v
        mask(atr[t], count, w)
        for s in range(close.shape[1]):
            natr[t, s] = 100.0 * (atr[t, s] / close[t, s])


INDICATOR = Indicator(
    name="atr",
    inputs=("high", "low", "close"),
    outputs=(Output("atr", "quote", low=0.0), Output("natr", "%", low=0.0)),
    params=(window(14),),
    warmup=lambda p: int(p["window"]),
    settle=lambda p: 14 * int(p["window"]),
    start=_start,
    advance=_advance,
    source="Wilder 1978, New Concepts in Technical Trading Systems; TA-Lib ATR, NATR",
)
