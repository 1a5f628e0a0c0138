"""Where the volume of a long window and of the day was traded: fullest price and value area."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, Param, State, Values, window
from sextant.indicators.profile import (
    BINS,
    Histogram,
    bin_of,
    busiest,
    change_bin,
    refill,
    span_of,
    value_area,
    whole,
    width_for,
)
from sextant.indicators.windows import counter
from sextant.model.bar import Floats

LINE_COLUMNS: Final = 8
"""Columns of one cache line: their histograms stay near while the rows pass."""


def _histograms(columns: int) -> Histogram:
    return np.zeros((BINS, columns), np.int64, "F"), np.zeros((3, columns), np.int64, "F")


def _start(columns: int, p: Values) -> State:
    w = p["window"]
    return (
        (counter(columns), counter(columns), counter(columns)),
        np.full((w, columns), np.nan, order="F"),
        np.zeros((w, columns), np.int64, "F"),
        np.zeros(columns),
        (_histograms(columns), _histograms(columns)),
        np.broadcast_to(p["price_step"], columns).copy(),
        np.broadcast_to(p["lot_size"], columns).copy(),
    )


@compiled
def _store(state: State, s: int, slot: int, price: float, volume: float) -> bool:
    """Puts a row into the rings and counts holes; whether the column has begun."""
    (age, _, holes), prices, lots, _, _, _, lot_size = state
    here = price + volume == price + volume
    if age[s] == 0 and not here:
        return False
    age[s] += 1
    if age[s] > prices.shape[0] and np.isnan(prices[slot, s]):
        holes[s] -= 1
    holes[s] += 0 if here else 1
    prices[slot, s] = price if here else np.nan
    lots[slot, s] = whole(volume / lot_size[s]) if here else 0
    return True


@compiled
def _rebuild(state: State, s: int, bar_index: int) -> None:
    """Takes a width for the present window and fills both histograms anew."""
    (_, today, _), prices, lots, width, (window_hist, day_hist), price_step, _ = state
    width[s] = width_for(span_of(prices[:, s]), price_step[s])
    for (counts, edges), rows in ((window_hist, prices.shape[0]), (day_hist, today[s])):
        refill((counts[:, s], edges[:, s]), prices[:, s], lots[:, s], (bar_index, rows), width[s])


@compiled
def _move(state: State, s: int, bar_index: int, gone: tuple[float, int]) -> None:
    """Takes the oldest row out of the window and the newest into window and day."""
    (_, _, _), prices, lots, width, (window_hist, day_hist), _, _ = state
    slot = bar_index % prices.shape[0]
    counts, edges = window_hist[0][:, s], window_hist[1][:, s]
    if gone[1] > 0:
        change_bin(counts, edges, bin_of(gone[0], width[s]), -gone[1])
    if lots[slot, s] > 0:
        index = bin_of(prices[slot, s], width[s])
        fits = change_bin(counts, edges, index, lots[slot, s])
        if not fits or not change_bin(day_hist[0][:, s], day_hist[1][:, s], index, lots[slot, s]):
            _rebuild(state, s, bar_index)


@compiled
def _follow(state: State, s: int, bar_index: int, bar: tuple[float, float], midnight: bool) -> bool:
    """Moves one column past a row; whether it has a value there."""
    (age, today, holes), prices, lots, _, (_, day_hist), _, _ = state
    rows = prices.shape[0]
    slot = bar_index % rows
    gone = (prices[slot, s], lots[slot, s])
    if not _store(state, s, slot, bar[0], bar[1]):
        return False
    if midnight:
        today[s] = 0
        day_hist[0][:, s] = 0
        day_hist[1][:, s] = 0
    today[s] = min(today[s] + 1, rows)
    if age[s] < rows:
        return False
    if midnight or age[s] == rows:
        _rebuild(state, s, bar_index)
    else:
        _move(state, s, bar_index, gone)
    return bool(not np.isnan(prices[slot, s]) and holes[s] * 20 <= rows)


@compiled
def _area(hist: Histogram, price: float, width: float, share: float) -> tuple[float, float, float]:
    """Centre of the fullest bin and edges of the value area; the bin of the price while nothing traded."""
    counts, edges = hist
    if edges[2] == 0:
        index = bin_of(price, width)
        return (index + 0.5) * width, index * width, (index + 1) * width
    centre = busiest(counts, edges)
    first, last = value_area(counts, edges, centre, share)
    return (centre + 0.5) * width, first * width, (last + 1) * width


@compiled
def _tell(state: State, s: int, price: float, share: float, row: tuple[Floats, ...]) -> None:
    """Fills the outputs of one column in one row."""
    width, hists = state[3][s], state[4]
    for k in range(2):
        hist = (hists[k][0][:, s], hists[k][1][:, s])
        poc, val, vah = _area(hist, price, width, share)
        if k == 0:
            row[0][s], row[1][s], row[2][s] = poc, val, vah
        else:
            row[3][s], row[4][s] = poc, max((vah - val) / 2.0, width / 2.0)
    row[5][s] = width


@compiled
def _advance(
    state: State,
    bar_index: int,
    inputs: tuple[Floats, ...],
    outputs: tuple[Floats, ...],
    params: tuple[Any, ...],
) -> None:
    high, low, close, volume = inputs
    poc, val, vah, poc_day, half_day, widths = outputs
    _, share, bars_per_day = params
    for first in range(0, close.shape[1], LINE_COLUMNS):
        for t in range(close.shape[0]):
            midnight = (bar_index + t) % bars_per_day == 0
            row = (poc[t], val[t], vah[t], poc_day[t], half_day[t], widths[t])
            for s in range(first, min(first + LINE_COLUMNS, close.shape[1])):
                price = (high[t, s] + low[t, s] + close[t, s]) / 3.0
                if _follow(state, s, bar_index + t, (price, volume[t, s]), midnight):
                    _tell(state, s, price, share, row)
                else:
                    for k in range(6):
                        row[k][s] = np.nan


INDICATOR = Indicator(
    name="volume_profile",
    inputs=("high", "low", "close", "volume"),
    outputs=(
        Output("poc", "quote"),
        Output("val", "quote"),
        Output("vah", "quote"),
        Output("poc_day", "quote"),
        Output("half_day", "quote", low=0.0),
        Output("width", "quote", low=0.0),
    ),
    params=(
        window(1440, low=60, high=1440),
        Param("share", 0.70, 0.5, 0.95, whole=False),
        Param("bars_per_day", 1440, 1, 1440),
    ),
    constants=("price_step", "lot_size"),
    holes="tolerate",
    warmup=lambda p: int(p["window"]) - 1,
    settle=lambda p: int(p["window"] + p["bars_per_day"]),
    start=_start,
    advance=_advance,
    source="Steidlmayer and Koy 1986, Markets and Market Logic; value area grown bin by bin",
    known_gaps=(
        "Without any volume the profile is the bin of the present typical price.",
        "A window that outgrows 512 bins within a day takes a wider bin at once.",
        "A wider bin taken within a day that is longer than the window forgets the day before the window.",
    ),
)
