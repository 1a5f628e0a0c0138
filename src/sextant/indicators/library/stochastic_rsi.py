"""Where the strength index stands in its own recent range."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import strength
from sextant.indicators.windows import (
    clamp,
    counter,
    later,
    mask,
    push,
    ring,
    tick,
    window_max,
    window_min,
    window_sum,
    window_sum_state,
)
from sextant.model.bar import Floats

FLAT: Final = 1e-9


def _start(columns: int, p: Values) -> State:
    w = p["k_window"]
    return (
        (counter(columns), counter(columns)),
        (np.zeros(columns), np.zeros(columns), np.zeros(columns)),
        ring(w, columns),
        window_sum_state(p["d_window"], columns),
    )


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    counts, moved, seen, acc = state
    (close,) = inputs
    k, d = outputs
    w, k_window, d_window = params
    columns = close.shape[1]
    x, top, bottom = np.empty(columns), np.empty(columns), np.empty(columns)
    for t in range(close.shape[0]):
        tick(counts[0], close[t])
        strength(moved, counts[0], close[t], w, x)
        push(seen, bar_index + t, x)
        window_max(seen, top)
        window_min(seen, bottom)
        for s in range(columns):
            span = top[s] - bottom[s]
            k[t, s] = 100.0 * ((x[s] - bottom[s]) / span) if span > FLAT else 50.0
        later(counts[0], w + k_window - 1, counts[1])
        window_sum(acc, bar_index + t, counts[1], k[t], d[t])
        for s in range(columns):
            d[t, s] = clamp(d[t, s] / d_window, 0.0, 100.0)
        mask(k[t], counts[1], d_window - 1)
        mask(d[t], counts[1], d_window - 1)


INDICATOR = Indicator(
    name="stochastic_rsi",
    inputs=("close",),
    outputs=(Output("k", "index", 0.0, 100.0), Output("d", "index", 0.0, 100.0)),
    params=(window(14), window(14, "k_window"), window(3, "d_window")),
    warmup=lambda p: int(p["window"] + p["k_window"] + p["d_window"]) - 2,
    settle=lambda p: int(14 * p["window"] + p["k_window"] + p["d_window"]),
    source="Chande and Kroll 1994, The New Technical Trader; TA-Lib STOCHRSI with a simple mean",
    known_gaps=(
        "Without a range k is 50, where TA-Lib gives 0; a range below 1e-9 is rounding and counts as none.",
    ),
    start=_start,
    advance=_advance,
)
