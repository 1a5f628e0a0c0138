"""Net taking against what it did to the price: heavy selling without a fall is positive."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.references import reference_state, scaled, take
from sextant.indicators.windows import (
    counter,
    lag,
    later,
    lin,
    mask,
    ring,
    tick,
    void,
    window_sum,
    window_sum_state,
)
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return (
        counter(columns),
        counter(columns),
        ring(p["window"], columns),
        window_sum_state(p["window"], columns),
        (reference_state(96, columns), reference_state(96, columns)),
    )


@compiled
def _sq(z: float) -> float:
    return z / np.sqrt(1.0 + z * z) if abs(z) < 1e150 else (1.0 if z > 0 else -1.0)


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, moves, closes, deltas, references = state
    close, buy, sell = inputs
    (out,) = outputs
    (w,) = params
    columns = close.shape[1]
    delta, before = np.empty(columns), np.empty(columns)
    for t in range(close.shape[0]):
        tick(count, close[t])
        void(count, buy[t])
        void(count, sell[t])
        later(count, 1, moves)
        for s in range(columns):
            delta[s] = buy[t, s] - sell[t, s]
        window_sum(deltas, bar_index + t, count, delta, delta)
        lag(closes, bar_index + t, close[t], before)
        for s in range(columns):
            warm = moves[s] >= w
            delta[s] = delta[s] if warm else np.nan
            before[s] = close[t, s] / before[s] - 1.0 if warm else np.nan
            zf = scaled(references[0], s, delta[s], 1.0)
            zr = scaled(references[1], s, before[s], 1e-6)
            out[t, s] = lin(_sq(abs(zf)) * _sq((zr - zf) / 2.0))
        take(references[0], bar_index + t, 15, delta)
        take(references[1], bar_index + t, 15, before)
        mask(out[t], count, w)


INDICATOR = Indicator(
    name="absorption",
    inputs=("close", "buy_turnover", "sell_turnover"),
    outputs=(Output("absorption", "fraction", -1.0, 1.0, anchored=False),),
    params=(window(5),),
    holes="tolerate",
    warmup=lambda p: int(p["window"]),
    settle=lambda p: int(p["window"]),
    source="zf = turnover delta and zr = return of five rows, each over its usual size; sq(abs zf)*sq((zr-zf)/2)",
    known_gaps=(
        "Until a day of references exists the floors of 1 quote unit and 1e-6 are what is usual.",
        "Values of before a hole stay in the references.",
    ),
    start=_start,
    advance=_advance,
)
