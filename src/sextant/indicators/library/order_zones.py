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
    Breaks,
    Swings,
    break_row,
    breaks_state,
    near,
    outside,
    swing_row,
    swings_state,
)
from sextant.indicators.windows import FADE_25, counter, lin, mask, void, wilder
from sextant.model.bar import Floats, Integers

ATR_ROWS: Final = 14
USUAL_ROWS: Final = 30


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
def _age(zones: Floats, s: int, close: float, count: int) -> None:
    """Fades the zones of a column and drops those the close fell through; a cold column has none."""
    for k in range(zones.shape[1]):
        lost = count <= 1 or close < zones[0, k, s]
        zones[2, k, s] = 0.0 if lost else FADE_25 * zones[2, k, s]


@compiled
def _pull(zones: Floats, s: int, close: float, atr: float) -> float:
    """Sum of the strengths by nearness."""
    total = 0.0
    for k in range(zones.shape[1]):
        total += zones[2, k, s] * near(outside(close, zones[0, k, s], zones[1, k, s]), atr)
    return total


@compiled
def _column(  # the state of a column in its named parts
    s: int,
    bar_index: int,
    structure: tuple[Integers, Swings, Breaks],
    zones: tuple[Floats, Floats],
    contrary: tuple[Floats, Integers],
    bar: tuple[float, float, float, float, float],
) -> None:
    """Moves the zones of a column past a bar: (open, high, low, close, relative volume)."""
    count, swings, breaks = structure
    opened, high, low, close, usual = bar
    fresh = swing_row(swings, s, bar_index, count[s], (high, low))
    event = break_row(breaks, swings[2], s, count[s], close, fresh)
    _age(zones[0], s, close, count[s])
    _age(zones[1], s, -close, count[s])
    seen, where = contrary
    if count[s] <= 1:
        where[0, s], where[1, s] = -1, -1
    if event != 0 and count[s] > USUAL_ROWS:
        side = 0 if event > 0 else 1
        if where[side, s] >= swings[3][1 - side, s]:
            strength = 0.3 + 0.7 * max(0.0, (usual - 1.0) / (usual + 1.0))
            _add(zones[side], s, seen[side, 0, s], seen[side, 1, s], strength)
    if close < opened:
        seen[0, 0, s], seen[0, 1, s], where[0, s] = low, high, bar_index
    if close > opened:
        seen[1, 0, s], seen[1, 1, s], where[1, s] = -high, -low, bar_index


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
    span, usual = np.empty(close.shape[1]), np.empty(close.shape[1])
    before, atr, mean = means[0], means[1], means[2]
    for t in range(close.shape[0]):
        tick_bar(count, high[t], low[t], close[t])
        void(count, opened[t])
        void(count, volume[t])
        true_range(high[t], low[t], before, span)
        wilder(atr, count, 1, span, ATR_ROWS)
        before[:] = close[t]
        times_usual(volume[t], mean, usual)
        windows.ema(mean, count, 0, volume[t], USUAL_ROWS)
        for s in range(close.shape[1]):
            bar = (opened[t, s], high[t, s], low[t, s], close[t, s], usual[s])
            _column(s, bar_index + t, (count, swings, breaks), zones, contrary, bar)
            up = _pull(zones[0], s, close[t, s], atr[s])
            out[t, s] = lin(up - _pull(zones[1], s, -close[t, s], atr[s]))
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
