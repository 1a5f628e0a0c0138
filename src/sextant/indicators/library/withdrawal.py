"""Size that vanished near the touch without having been traded, by side; told a row later, once it has not come back."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, Param, State, Values
from sextant.indicators.windows import counter, mask, tick, void
from sextant.model.bar import Floats

LEVELS: Final = 10
RESTORED: Final = 0.8
_PARTS: Final = 3


def _start(columns: int, p: Values) -> State:  # noqa: ARG001  # the state has one shape for all parameters
    # Price and size of the levels before; price, size and loss of what vanished, and whether it was traded at all.
    return counter(columns), np.zeros((2, 2, LEVELS, columns)), np.zeros((2, 4, LEVELS, columns))


@compiled
def _size_at(prices: tuple[Floats, ...], first: int, at: tuple[int, int], price: float) -> float:
    """Size now at a price: 0 where the level is gone, NaN where it would lie beyond the last one told."""
    t, s = at
    best, worst = prices[first][t, s], np.nan
    for k in range(LEVELS):
        there = prices[first + k][t, s]
        if there == price:
            return float(prices[first + LEVELS + k][t, s])
        if there == there:  # noqa: PLR0124  # false for NaN alone
            worst = there
    falling = worst < best
    beyond = price < worst if falling else price > worst
    return np.nan if beyond else 0.0


@compiled
def _advance(
    state: State,
    bar_index: int,  # noqa: ARG001  # the values do not depend on the time
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    count, before, pending = state
    (bps,) = params
    for t in range(outputs[0].shape[0]):
        tick(count, inputs[0][t])
        for side in range(2):
            void(count, inputs[_PARTS * side * LEVELS][t])
            void(count, inputs[(_PARTS * side + 1) * LEVELS][t])
        for side in range(2):
            first = _PARTS * side * LEVELS
            for s in range(outputs[0].shape[1]):
                total = 0.0
                touch = before[side, 0, 0, s]
                for k in range(LEVELS):
                    price, had, lost, hit = pending[side, :, k, s]
                    if count[s] > 2 and lost > 0:
                        now = _size_at(inputs, first, (t, s), price)
                        if not (hit > 0 and now >= RESTORED * had):
                            total = total + lost * price
                    price, had = before[side, :, k, s]
                    traded = inputs[first + 2 * LEVELS + k][t, s]
                    traded = 0.0 if np.isnan(traded) else traded
                    pending[side, 2, k, s] = 0.0
                    if count[s] > 1 and abs(price - touch) <= bps * 1e-4 * touch:
                        now = _size_at(inputs, first, (t, s), price)
                        pending[side, 0, k, s], pending[side, 1, k, s] = price, had
                        pending[side, 3, k, s] = traded
                        gone = had - now - traded
                        pending[side, 2, k, s] = gone if gone > 0 else 0.0
                    before[side, 0, k, s] = inputs[first + k][t, s]
                    before[side, 1, k, s] = inputs[first + LEVELS + k][t, s]
                outputs[side][t, s] = total
        mask(outputs[0][t], count, 2)
        mask(outputs[1][t], count, 2)


INDICATOR = Indicator(
    name="withdrawal",
    inputs=tuple(
        f"{side}_{what}_{level}"
        for side in ("bid", "ask")
        for what in ("price", "size", "traded")
        for level in range(LEVELS)
    ),
    outputs=(Output("bid_usd", "quote", 0.0), Output("ask_usd", "quote", 0.0)),
    params=(Param("bps", 10.0, 1.0, 100.0, whole=False),),
    warmup=lambda p: 2,  # noqa: ARG005  # two rows to see it vanish, one to see that it stays away
    settle=lambda p: 2,  # noqa: ARG005  # as above
    start=_start,
    advance=_advance,
    source="max(0, size before - size now - volume traded there) within bps of the touch; a row is a sample of the book",
    known_gaps=(
        "traded is what was traded since the row before at the prices of that row's levels.",
        "A level that was traded and holds four fifths of its size again a row later was not withdrawn.",
    ),
)
