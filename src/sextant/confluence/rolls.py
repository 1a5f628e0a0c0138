"""What is done with the past of a column: lags, sums, means, counts, days and references, row by row.

Notes
-----
Every roll is a state and a kernel that moves it over any number of rows; a batch is the same code over more
rows, so a fold has the same bits however it is split.

- ``lag``, ``sum``, ``mean``, ``ema``: as of the indicators; a hole makes them cold.
- ``recent``: sum of what there is among the last rows, from the first value on; a hole adds nothing.
- ``run``: rows since the last hole. ``age``: rows since the first value; 0 before it. ``idle``: rows since the newest value.
- ``hold``: the newest value there was.
- ``day_sum``: sum since 00:00 UTC. ``day_before``: the last value of the UTC day before; NaN where that had none.
- ``scale``, ``centred``, ``rank``, ``usual``: against a reference; NaN below a quarter of its need. ``filled``: its values.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.confluence.nodes import How, Rolled
from sextant.indicators import windows
from sextant.indicators.compiling import compiled
from sextant.indicators.references import (
    Reference,
    centred,
    ranked,
    reference_state,
    scaled,
    take,
    taken,
)
from sextant.indicators.windows import (
    WindowSum,
    counter,
    mask,
    ring,
    tick,
    tolerate,
    window_sum,
    window_sum_state,
)
from sextant.model.bar import Floats, Integers

MEASURES: Final[tuple[How, ...]] = ("scale", "centred", "rank", "usual", "filled")


def roll_state(roll: Rolled, columns: int) -> Any:
    """The cold state of a roll."""
    match roll.how:
        case "lag":
            return counter(columns), ring(roll.rows, columns)
        case "sum" | "mean" | "recent":
            return counter(columns), window_sum_state(roll.rows, columns)
        case "ema":
            return counter(columns), np.zeros(columns)
        case "run" | "age" | "idle" | "hold":
            return counter(columns), np.full(columns, np.nan)
        case "day_sum" | "day_before":
            return np.full((2, columns), np.nan)
        case _:
            return reference_state(roll.schedule[1], columns)


def advance(roll: Rolled, state: Any, place: tuple[int, int], x: Floats, out: Floats) -> None:
    """Moves the state over some rows and fills ``out``; both (rows, S).

    Parameters
    ----------
    roll, state
        What is rolled.
    place
        Index of the first row, ``open_ns // interval_ns``, and rows per UTC day.
    """
    bar_index = place[0]
    match roll.how:
        case "lag":
            _lag(state[0], state[1], bar_index, x, out)
        case "sum" | "mean":
            _sum(state[0], state[1], bar_index, x, out)
            if roll.how == "mean":
                out /= float(roll.rows)
        case "recent":
            _recent(state[0], state[1], bar_index, x, out)
        case "ema":
            _ema(state[0], state[1], roll.rows, x, out)
        case "run":
            _run(state[0], x, out)
        case "age" | "idle" | "hold":
            _since(state[0], state[1], ("age", "idle", "hold").index(roll.how), x, out)
        case "day_sum" | "day_before":
            _day(state, place, roll.how == "day_before", x, out)
        case _:
            every, _, need = roll.schedule
            _measure(state, bar_index, (every, need, MEASURES.index(roll.how)), roll.floor, x, out)


@compiled
def _lag(count: Integers, slots: Floats, bar_index: int, x: Floats, out: Floats) -> None:
    for t in range(x.shape[0]):
        tick(count, x[t])
        windows.lag(slots, bar_index + t, x[t], out[t])
        mask(out[t], count, slots.shape[0])


@compiled
def _sum(count: Integers, acc: WindowSum, bar_index: int, x: Floats, out: Floats) -> None:
    row = np.empty(x.shape[1])
    for t in range(x.shape[0]):
        tick(count, x[t])
        for s in range(x.shape[1]):
            row[s] = x[t, s] if x[t, s] == x[t, s] else 0.0
        window_sum(acc, bar_index + t, count, row, out[t])
        mask(out[t], count, acc[0].shape[0] - 1)


@compiled
def _recent(age: Integers, acc: WindowSum, bar_index: int, x: Floats, out: Floats) -> None:
    row, missing = np.empty(x.shape[1]), np.empty(x.shape[1])
    for t in range(x.shape[0]):
        tolerate(age, missing, x[t])
        for s in range(x.shape[1]):
            row[s] = x[t, s] if x[t, s] == x[t, s] else 0.0
        window_sum(acc, bar_index + t, age, row, out[t])
        mask(out[t], age, 0)


@compiled
def _ema(count: Integers, v: Floats, n: int, x: Floats, out: Floats) -> None:
    for t in range(x.shape[0]):
        tick(count, x[t])
        windows.ema(v, count, 0, x[t], n)
        out[t] = v
        mask(out[t], count, n - 1)


@compiled
def _run(count: Integers, x: Floats, out: Floats) -> None:
    for t in range(x.shape[0]):
        tick(count, x[t])
        for s in range(x.shape[1]):
            out[t, s] = count[s]


@compiled
def _since(age: Integers, kept: Floats, what: int, x: Floats, out: Floats) -> None:
    """``what``: 0 counts from the first value, 1 from the newest, 2 tells the newest."""
    for t in range(x.shape[0]):
        for s in range(x.shape[1]):
            here = x[t, s] == x[t, s]
            if what == 2:
                kept[s] = x[t, s] if here else kept[s]
                out[t, s] = kept[s]
            elif what == 1:
                kept[s] = 0.0 if here else kept[s] + 1.0
                out[t, s] = kept[s]
            else:
                age[s] += here or age[s] > 0
                out[t, s] = age[s]


@compiled
def _day(kept: Floats, place: tuple[int, int], before: bool, x: Floats, out: Floats) -> None:
    """``kept[0]`` is of today, ``kept[1]`` of yesterday."""
    bar_index, bars_per_day = place
    today, yesterday = kept[0], kept[1]
    for t in range(x.shape[0]):
        midnight = (bar_index + t) % bars_per_day == 0
        for s in range(x.shape[1]):
            if midnight:
                yesterday[s] = today[s]
                today[s] = np.nan
            here = x[t, s] == x[t, s]
            if here and before:
                today[s] = x[t, s]
            elif here:
                today[s] = x[t, s] if today[s] != today[s] else today[s] + x[t, s]
            out[t, s] = yesterday[s] if before else today[s]


@compiled
def _measure(
    reference: Reference, bar_index: int, how: tuple[int, int, int], floor: float, x: Floats, out: Floats
) -> None:
    every, need, what = how
    for t in range(x.shape[0]):
        for s in range(x.shape[1]):
            n = taken(reference, s)
            value = x[t, s]
            if what == 0:
                value = scaled(reference, s, value, floor)
            elif what == 1:
                value = centred(reference, s, value, floor)
            elif what == 2:
                value = np.nan if np.isnan(value) else ranked(reference, s, value)
            elif what == 3:
                value = reference[2][0, s]
            else:
                value = float(n)
            out[t, s] = value if what == 4 or n * 4 > need else np.nan
        take(reference, bar_index + t, every, x[t])
