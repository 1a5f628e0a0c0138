"""Volume weighted by where each bar closed in its range, added up since the anchor."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.prices import money_flow, tick_bar
from sextant.indicators.windows import counter, mask, void
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return counter(columns), np.zeros(columns)


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the values do not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # there are none
) -> None:
    count, total = state
    high, low, close, volume = inputs
    (out,) = outputs
    flow = np.empty(close.shape[1])
    for t in range(close.shape[0]):
        tick_bar(count, high[t], low[t], close[t])
        void(count, volume[t])
        money_flow(high[t], low[t], close[t], volume[t], flow)
        for s in range(close.shape[1]):
            total[s] = flow[s] if count[s] <= 1 else total[s] + flow[s]
            out[t, s] = total[s]
        mask(out[t], count, 0)


INDICATOR = Indicator(
    name="accumulation_distribution",
    inputs=("high", "low", "close", "volume"),
    outputs=(Output("accumulation_distribution", "base", anchored=False),),
    params=(),
    warmup=lambda p: 0,  # noqa: ARG005  # there is nothing to wait for
    settle=lambda p: 0,  # noqa: ARG005  # it never settles, as the gap says
    source="Chaikin; TA-Lib AD",
    known_gaps=("For display only: the level depends on the first row; volume_balance is the bounded form.",),
    start=_start,
    advance=_advance,
)
