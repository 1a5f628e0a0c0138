"""Share of the traded value that came with a rising typical price."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import tick_bar, typical
from sextant.indicators.windows import counter, larger, later, mask, void, window_sum, window_sum_state
from sextant.model.bar import Floats

TIE_FRAC: Final = 1e-12
"""Typical prices this near are equal: thirds of equal sums differ by their rounding, as TA-Lib knows too."""


def _start(columns: int, p: Values) -> State:
    return (
        (counter(columns), counter(columns)),
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
    counts, before, gains, losses = state
    high, low, close, volume = inputs
    (out,) = outputs
    (w,) = params
    columns = close.shape[1]
    price, up, down = np.empty(columns), np.empty(columns), np.empty(columns)
    for t in range(close.shape[0]):
        tick_bar(counts[0], high[t], low[t], close[t])
        void(counts[0], volume[t])
        later(counts[0], 1, counts[1])
        typical(high[t], low[t], close[t], price)
        for s in range(columns):
            flow = price[s] * volume[t, s]
            least = TIE_FRAC * before[s]
            up[s] = flow if price[s] - before[s] > least else 0.0
            down[s] = flow if before[s] - price[s] > least else 0.0
            before[s] = price[s]
        window_sum(gains, bar_index + t, counts[1], up, up)
        window_sum(losses, bar_index + t, counts[1], down, down)
        for s in range(columns):
            gain, loss = larger(up[s], 0.0), larger(down[s], 0.0)
            out[t, s] = 100.0 * (gain / (gain + loss)) if gain + loss > 0 else 50.0
        mask(out[t], counts[1], w - 1)


INDICATOR = Indicator(
    name="money_flow_index",
    inputs=("high", "low", "close", "volume"),
    outputs=(Output("money_flow_index", "index", 0.0, 100.0),),
    params=(window(14),),
    warmup=lambda p: int(p["window"]),
    settle=lambda p: int(p["window"]),
    source="Quong and Soudack 1989, Stocks and Commodities 7; TA-Lib MFI",
    known_gaps=("Without flow the value is 50, where TA-Lib gives 0, as it does below a sum of 1.0.",),
    start=_start,
    advance=_advance,
)
