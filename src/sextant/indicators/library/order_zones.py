"""Zones from which the price broke its structure, and how they pull on the close."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators import windows
from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, State, Values, window
from sextant.indicators.prices import tick_bar, times_usual, true_range
from sextant.indicators.structure import (
    SIDE,
    break_row,
    breaks_state,
    near,
    outside,
    swing_row,
    swings_state,
)
from sextant.indicators.windows import FADE_25, counter, larger, lin, mask, void, wilder
from sextant.model.bar import Floats, Integers

ATR_ROWS: Final = 14
USUAL_ROWS: Final = 30


Contrary = tuple[Floats, Integers]
"""Edges (2, 2, S) of the last falling and the last rising bar, the latter negated, and their bar_index (2, S)."""


def _start(columns: int, p: Values) -> State:
    zones = (np.zeros((3, p["keep"], columns)), np.zeros((3, p["keep"], columns)))
    contrary = (np.zeros((2, 2, columns)), np.zeros((2, columns), dtype=np.int64))
    means = np.zeros((3, columns))
    return counter(columns), swings_state(SIDE, columns), breaks_state(columns), zones, contrary, means


@compiled
def _add(zones: Floats, s: int, bottom: float, top: float, strength: float) -> None:
    """Puts a zone first; the oldest is forgotten."""
    for k in range(zones.shape[1] - 1, 0, -1):
        zones[:, k, s] = zones[:, k - 1, s]
    zones[0, 0, s], zones[1, 0, s], zones[2, 0, s] = bottom, top, strength


@compiled
def _age(zones: Floats, count: Integers, sign: float, close: Floats) -> None:
    """Fades the zones and drops those the close fell through; a cold column has none."""
    for k in range(zones.shape[1]):
        bottom, strength = zones[0, k], zones[2, k]
        for s in range(close.shape[0]):
            lost = count[s] <= 1 or sign * close[s] < bottom[s]
            strength[s] = 0.0 if lost else FADE_25 * strength[s]


@compiled
def _pull(zones: Floats, sign: float, close: Floats, atr: Floats, out: Floats) -> None:
    """Sum of the strengths by nearness."""
    out[:] = 0.0
    for k in range(zones.shape[1]):
        bottom, top, strength = zones[0, k], zones[1, k], zones[2, k]
        for s in range(close.shape[0]):
            out[s] = out[s] + strength[s] * near(outside(sign * close[s], bottom[s], top[s]), atr[s])


@compiled
def _open(
    zones: tuple[Floats, Floats],
    count: Integers,
    contrary: Contrary,
    where: Integers,
    row: tuple[Floats, Floats],
) -> None:
    """Opens a zone where the structure broke: the last contrary bar that lies no earlier than the opposite swing."""
    seen, index = contrary
    event, usual = row
    for s in range(event.shape[0]):
        if event[s] == 0 or count[s] <= USUAL_ROWS:
            continue
        side = 0 if event[s] > 0 else 1
        if index[side, s] >= where[1 - side, s]:
            strength = 0.3 + 0.7 * larger(0.0, (usual[s] - 1.0) / (usual[s] + 1.0))
            _add(zones[side], s, seen[side, 0, s], seen[side, 1, s], strength)


@compiled
def _remember(
    contrary: Contrary, count: Integers, bar_index: int, bar: tuple[Floats, Floats, Floats, Floats]
) -> None:
    """Keeps the last falling and the last rising bar; a cold column has none."""
    seen, index = contrary
    opened, high, low, close = bar
    for s in range(close.shape[0]):
        if count[s] <= 1:
            index[0, s], index[1, s] = -1, -1
        if close[s] < opened[s]:
            seen[0, 0, s], seen[0, 1, s], index[0, s] = low[s], high[s], bar_index
        if close[s] > opened[s]:
            seen[1, 0, s], seen[1, 1, s], index[1, s] = -high[s], -low[s], bar_index


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],  # noqa: ARG001  # the number of zones is in the state
) -> None:
    count, swings, breaks, zones, contrary, means = state
    opened, high, low, close, volume = inputs
    (out,) = outputs
    columns = close.shape[1]
    x, found = np.empty((4, columns)), np.empty((2, columns), np.bool_)
    before, atr, mean = means[0], means[1], means[2]
    span, usual, event, down = x[0], x[1], x[2], x[3]
    for t in range(close.shape[0]):
        tick_bar(count, high[t], low[t], close[t])
        void(count, opened[t])
        void(count, volume[t])
        true_range(high[t], low[t], before, span)
        wilder(atr, count, 1, span, ATR_ROWS)
        before[:] = close[t]
        times_usual(volume[t], mean, usual)
        windows.ema(mean, count, 0, volume[t], USUAL_ROWS)
        swing_row(swings, bar_index + t, count, (high[t], low[t]), found)
        break_row(breaks, (swings[2], found), count, close[t], event)
        _age(zones[0], count, 1.0, close[t])
        _age(zones[1], count, -1.0, close[t])
        _open(zones, count, contrary, swings[3], (event, usual))
        _remember(contrary, count, bar_index + t, (opened[t], high[t], low[t], close[t]))
        _pull(zones[0], 1.0, close[t], atr, out[t])
        _pull(zones[1], -1.0, close[t], atr, down)
        for s in range(columns):
            out[t, s] = lin(out[t, s] - down[s])
        mask(out[t], count, USUAL_ROWS)


INDICATOR = Indicator(
    name="order_zones",
    inputs=("open", "high", "low", "close", "volume"),
    outputs=(Output("pull", "fraction", -1.0, 1.0, anchored=False),),
    params=(window(4, "keep", low=1, high=20),),
    warmup=lambda p: USUAL_ROWS,  # noqa: ARG005  # a break is weighed by the usual volume
    settle=lambda p: 210,  # noqa: ARG005  # seven times the rows of the usual volume
    start=_start,
    advance=_advance,
    source="Last contrary bar before a break of structure; weight .3 to 1 by relative volume, halved in 25 rows",
    known_gaps=(
        "Depends on the whole past: 210 bars are asked for, and two anchors need not agree.",
        "A zone is the last bar against the break that lies no earlier than the opposite swing; without one there is no zone.",
    ),
)
