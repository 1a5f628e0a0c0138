"""Share of one-sided volume over the last buckets of equal volume."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, Param, State, Values, window
from sextant.indicators.windows import clamp, counter, mask, tick, void, window_sum, window_sum_state
from sextant.model.bar import Floats


def _start(columns: int, p: Values) -> State:
    return (
        counter(columns),
        window_sum_state(p["bars_per_day"], columns),
        np.zeros((p["buckets"], columns)),
        np.zeros((4, columns)),
    )


@compiled
def _pour(full: Floats, marks: Floats, s: int, buy: float, sell: float) -> None:
    """Fills buckets of one column; a bar is split at their edges in proportion."""
    left = buy + sell
    while left > 0 and marks[0, s] > 0:
        room = marks[0, s] - marks[1, s]
        part = min(room, left)
        share = part / left
        marks[1, s] += part
        marks[2, s] += share * buy - share * sell
        buy, sell, left = buy - share * buy, sell - share * sell, left - part
        if part == room:
            full[int(marks[3, s]) % full.shape[0], s] = abs(marks[2, s]) / marks[0, s]
            marks[1, s], marks[2, s] = 0.0, 0.0
            marks[3, s] += 1.0


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, volumes, full, marks = state
    volume, buy = inputs
    (out,) = outputs
    buckets, bars_per_day = params
    columns = volume.shape[1]
    day = np.empty(columns)
    for t in range(volume.shape[0]):
        tick(count, volume[t])
        void(count, buy[t])
        midnight = (bar_index + t) % bars_per_day == 0
        window_sum(volumes, bar_index + t, count, volume[t], day)
        for s in range(columns):
            if count[s] <= 1:
                marks[:, s] = 0.0
                full[:, s] = 0.0
            # The first size is that of the first whole day; later ones begin at midnight.
            if count[s] == bars_per_day or (midnight and count[s] > bars_per_day):
                marks[0, s], marks[1, s], marks[2, s] = day[s] / buckets, 0.0, 0.0
            if count[s] >= bars_per_day:
                _pour(full, marks, s, buy[t, s], volume[t, s] - buy[t, s])
            n = min(int(marks[3, s]), buckets)
            total = 0.0
            for k in range(n):
                total += full[k, s]
            out[t, s] = clamp(total / n, 0.0, 1.0) if n > 0 else 0.0
        mask(out[t], count, bars_per_day - 1)


INDICATOR = Indicator(
    name="flow_toxicity",
    inputs=("volume", "taker_buy_volume"),
    outputs=(Output("flow_toxicity", "fraction", 0.0, 1.0, anchored=False),),
    params=(window(50, "buckets"), Param("bars_per_day", 1440, 2, 1440)),
    warmup=lambda p: int(p["bars_per_day"]) - 1,
    settle=lambda p: int(p["bars_per_day"]) - 1,
    start=_start,
    advance=_advance,
    source="Easley, Lopez de Prado, O'Hara 2012, Flow Toxicity and Liquidity: mean of abs(bought-sold)/bucket",
    known_gaps=(
        "A bar is split at the edges of buckets in proportion, where the trades themselves would be split.",
        "It is not voted: its forecasting value is disputed. Without a full bucket yet it says 0.",
        "Buckets of before the first midnight are of another size than those of a longer past.",
    ),
)
