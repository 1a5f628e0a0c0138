"""Where the volume of a long window and of the day was traded: fullest price and value area."""

from __future__ import annotations

from typing import Any

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.contract import Indicator, Output, Param, State, Values, window
from sextant.indicators.profile import (
    BINS,
    NOWHERE,
    Histogram,
    Rings,
    bin_of,
    busiest,
    change_bin,
    empty,
    refill,
    take_widths,
    value_area,
    whole,
)
from sextant.indicators.windows import counter, larger
from sextant.model.bar import Floats, Integers
from sextant.model.view import Flags

Counters = tuple[Integers, Integers, Integers]
"""Rows since the first, rows since midnight but at most the window, holes in the window; each (S,)."""


def _histograms(columns: int) -> Histogram:
    return np.zeros((BINS, columns), np.int64, "F"), np.zeros((3, columns), np.int64, "F")


def _start(columns: int, p: Values) -> State:
    w = p["window"]
    return (
        (counter(columns), counter(columns), counter(columns)),
        (np.full((w, columns), np.nan), np.zeros((w, columns), np.int64)),
        np.zeros(columns),
        (_histograms(columns), _histograms(columns)),
        (np.broadcast_to(p["price_step"], columns).copy(), np.broadcast_to(p["lot_size"], columns).copy()),
    )


@compiled
def _store(counters: Counters, rings: Rings, slot: int, row: tuple[Floats, Floats], gone: Rings) -> int:
    """Puts a row of prices and lots into the rings, its slot's old content into ``gone``; the greatest age."""
    age, _, holes = counters
    prices, lots = rings
    oldest = 0
    for s in range(age.shape[0]):
        price = row[0][s]
        here = price == price  # noqa: PLR0124  # false for NaN alone
        age[s] += here or age[s] > 0
        gone[0][0, s], gone[1][0, s] = prices[slot, s], lots[slot, s]
        lost = age[s] > prices.shape[0] and gone[0][0, s] != gone[0][0, s]
        holes[s] += (age[s] > 0 and not here) - lost
        prices[slot, s] = price
        lots[slot, s] = whole(row[1][s]) if here else 0
        oldest = max(oldest, age[s])
    return oldest


@compiled
def _days(counters: Counters, day: Histogram, rows: int, midnight: bool) -> None:
    """Counts the rows of the day, which begins empty."""
    age, today, _ = counters
    for s in range(age.shape[0]):
        today[s] = min((0 if midnight else today[s]) + (age[s] > 0), rows)
        if midnight:
            empty(day[0], day[1], s)


@compiled
def _move(
    counters: Counters,
    rows: tuple[Rings, Rings],
    width: Floats,
    hists: tuple[Histogram, Histogram],
    again: Flags,
) -> None:
    """Takes the oldest row out of full windows and the newest into window and day; marks those whose bins do not suffice."""
    (counts, edges), (day_counts, day_edges) = hists
    now, gone = rows
    age = counters[0]
    for s in range(age.shape[0]):
        if again[s] or width[s] == 0.0:
            continue
        if gone[1][0, s] > 0:
            change_bin(counts, edges, s, bin_of(gone[0][0, s], width[s]), -gone[1][0, s])
        if now[1][0, s] > 0:
            index = bin_of(now[0][0, s], width[s])
            fits = change_bin(counts, edges, s, index, now[1][0, s])
            again[s] = not (fits and change_bin(day_counts, day_edges, s, index, now[1][0, s]))


@compiled
def _rebuild(state: State, bar_index: int, again: Flags) -> None:
    """Takes a width for the window of the marked columns and fills both histograms anew."""
    counters, rings, width, (window_hist, day_hist), constants = state
    take_widths(rings[0], constants[0], again, width)
    rows = np.empty(again.shape[0], np.int64)
    for s in range(again.shape[0]):
        rows[s] = rings[0].shape[0] if again[s] else NOWHERE
    refill(window_hist, rings, width, bar_index, rows)
    for s in range(again.shape[0]):
        rows[s] = counters[1][s] if again[s] else NOWHERE
    refill(day_hist, rings, width, bar_index, rows)


@compiled
def _follow(state: State, bar_index: int, row: tuple[Floats, Floats], gone: Rings, midnight: bool) -> bool:
    """Moves all columns past a row; whether any has a value there."""
    counters, rings, width, hists, _ = state
    rows = rings[0].shape[0]
    slot = bar_index % rows
    oldest = _store(counters, rings, slot, row, gone)
    _days(counters, hists[1], rows, midnight)
    if oldest < rows:
        return False
    age = counters[0]
    again = np.empty(age.shape[0], np.bool_)
    for s in range(age.shape[0]):
        again[s] = age[s] == rows or (midnight and age[s] > rows)
    now = (rings[0][slot : slot + 1], rings[1][slot : slot + 1])
    _move(counters, (now, gone), width, hists, again)
    if again.any():
        _rebuild(state, bar_index, again)
    return True


@compiled
def _tell(state: State, price: Floats, share: float, row: tuple[Floats, ...]) -> None:
    """Fills the outputs of a row: of the window, of the day, and the width."""
    counters, rings, width, hists, _ = state
    age, _, holes = counters
    for part in range(2):
        counts, edges = hists[part]
        low, middle, high = row[3 * part], row[3 * part + 1], row[3 * part + 2]
        for s in range(price.shape[0]):
            if age[s] < rings[0].shape[0] or price[s] != price[s] or holes[s] * 20 > rings[0].shape[0]:
                low[s], middle[s], high[s] = np.nan, np.nan, np.nan
                continue
            centre = bin_of(price[s], width[s]) if edges[2, s] == 0 else busiest(counts, edges, s)
            first, last = centre, centre
            if edges[2, s] > 0:
                first, last = value_area(counts, edges, s, centre, share)
            low[s], middle[s], high[s] = (
                first * width[s],
                (centre + 0.5) * width[s],
                (last + 1) * width[s],
            )


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
    columns = close.shape[1]
    width, lot_size = state[2], state[4][1]
    price, lots, gone = (
        np.empty(columns),
        np.empty(columns),
        (np.empty((1, columns)), np.empty((1, columns), np.int64)),
    )
    for t in range(close.shape[0]):
        for s in range(columns):
            hole = volume[t, s] != volume[t, s]
            price[s] = np.nan if hole else (high[t, s] + low[t, s] + close[t, s]) / 3.0
            lots[s] = volume[t, s] / lot_size[s]
        midnight = (bar_index + t) % bars_per_day == 0
        if not _follow(state, bar_index + t, (price, lots), gone, midnight):
            for k in range(6):
                outputs[k][t] = np.nan
            continue
        # The day's value area passes through the columns of its half and of the width.
        _tell(state, price, share, (val[t], poc[t], vah[t], half_day[t], poc_day[t], widths[t]))
        for s in range(columns):
            half_day[t, s] = larger((widths[t, s] - half_day[t, s]) / 2.0, width[s] / 2.0)
            widths[t, s] = width[s] if half_day[t, s] == half_day[t, s] else np.nan


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
