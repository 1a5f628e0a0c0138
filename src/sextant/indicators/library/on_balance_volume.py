"""Volume added on rising closes and subtracted on falling ones, since the anchor."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values
from sextant.indicators.windows import counter, mask, tick, void
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    return counter(columns), np.zeros(columns), np.zeros(columns)


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the values do not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # there are none
) -> None:
    count, before, total = state
    close, volume = inputs
    (out,) = outputs
    for t in range(close.shape[0]):
        tick(count, close[t])
        void(count, volume[t])
        for s in range(close.shape[1]):
            c, v = close[t, s], volume[t, s]
            signed = v if c > before[s] else (-v if c < before[s] else 0.0)
            total[s] = v if count[s] <= 1 else total[s] + signed
            out[t, s] = total[s]
            before[s] = c
        mask(out[t], count, 0)


INDICATOR = Indicator(
    name="on_balance_volume",
    inputs=("close", "volume"),
    outputs=(Output("on_balance_volume", "base", anchored=False),),
    params=(),
    warmup=lambda p: 0,  # noqa: ARG005  # there is nothing to wait for
    settle=lambda p: 0,  # noqa: ARG005  # it never settles, as the gap says
    source="Granville 1963, New Key to Stock Market Profits; TA-Lib OBV",
    known_gaps=("For display only: the level depends on the first row; volume_balance is the bounded form.",),
    start=_start,
    advance=_advance,
)
