"""Order flow imbalance: what came to the best bids and left the best asks, over the usual depth there."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.windows import (
    counter,
    later,
    mask,
    ratio,
    tick,
    void,
    window_sum,
    window_sum_state,
)
from sextant.model.bar import Floats

LEVELS: Final = 5
_PARTS: Final = 4


def _start(columns: int, p: Values) -> State:
    return (
        counter(columns),
        np.zeros((_PARTS * LEVELS, columns)),
        tuple(window_sum_state(p["window"], columns) for _ in range(LEVELS)),
        tuple(window_sum_state(p["window"] + 1, columns) for _ in range(LEVELS)),
    )


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, before, moves, depths = state
    first, mean = outputs
    (w,) = params
    columns = first.shape[1]
    moved, depth = np.empty(columns), np.empty(columns)
    since = np.empty(columns, dtype=np.int64)
    for t in range(first.shape[0]):
        tick(count, inputs[0][t])
        for part in range(1, _PARTS * LEVELS):
            void(count, inputs[part][t])
        later(count, 1, since)
        mean[t, :] = 0.0
        for k in range(LEVELS):
            bid, bid_size = inputs[k][t], inputs[LEVELS + k][t]
            ask, ask_size = inputs[2 * LEVELS + k][t], inputs[3 * LEVELS + k][t]
            for s in range(columns):
                e = 0.0
                if count[s] > 1:
                    if bid[s] >= before[k, s]:
                        e = e + bid_size[s]
                    if bid[s] <= before[k, s]:
                        e = e - before[LEVELS + k, s]
                    if ask[s] <= before[2 * LEVELS + k, s]:
                        e = e - ask_size[s]
                    if ask[s] >= before[2 * LEVELS + k, s]:
                        e = e + before[3 * LEVELS + k, s]
                moved[s] = e
                depth[s] = (bid_size[s] + ask_size[s]) / 2.0 if count[s] > 0 else 0.0
                before[k, s], before[LEVELS + k, s] = bid[s], bid_size[s]
                before[2 * LEVELS + k, s], before[3 * LEVELS + k, s] = ask[s], ask_size[s]
            window_sum(moves[k], bar_index + t, since, moved, moved)
            window_sum(depths[k], bar_index + t, count, depth, depth)
            for s in range(columns):
                value = ratio(moved[s] * (w + 1), depth[s]) if depth[s] > 0 else 0.0
                if k == 0:
                    first[t, s] = value
                mean[t, s] = mean[t, s] + value / LEVELS
        mask(first[t], count, w)
        mask(mean[t], count, w)


INDICATOR = Indicator(
    name="book_flow",
    inputs=tuple(
        f"{side}_{what}_{level}"
        for side in ("bid", "ask")
        for what in ("price", "size")
        for level in range(LEVELS)
    ),
    outputs=(Output("ofi_1", "ratio"), Output("ofi_5", "ratio")),
    params=(window(60),),
    warmup=lambda p: int(p["window"]),
    settle=lambda p: int(p["window"]),
    start=_start,
    advance=_advance,
    source="Cont, Kukanov, Stoikov 2014 (touch); Xu, Gould, Howison 2018 (levels); sum of e over the mean depth of its states",
    known_gaps=(
        "Unbounded: whoever uses it scales it by its own past.",
        "A row is a state of the book; what came and went between two rows is not in it.",
    ),
)
