"""Own history as the measure of a column: a ring of past values and what is usual among them.

Notes
-----
A value is taken every ``every`` rows and only after its row was measured, so a row never measures itself. The
medians are lower medians, ``sorted(x)[(n-1)//2]``, found when a value is taken. A hole adds nothing and the ring
outlives it: it holds a day, and what is usual does not change with one missing bar.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.windows import larger
from sextant.model.bar import Floats, Integers

SPREAD_OF_NORMAL: Final = 1.4826
"""A standard deviation over the median absolute deviation, of normal values."""

Reference = tuple[Floats, Integers, Floats]
"""Ring (N, S); values taken so far (S,); lower medians of x, of abs(x) and of abs(x - median), (3, S)."""


def reference_state(values: int, columns: int) -> Reference:
    """The cold state of a reference."""
    return np.zeros((values, columns)), np.zeros(columns, dtype=np.int64), np.zeros((3, columns))


@compiled
def take(reference: Reference, bar_index: int, every: int, x: Floats) -> None:
    """Takes in the row where it is one of every ``every``; after it was measured."""
    slots, count, usual = reference
    if bar_index % every != every - 1:
        return
    kept = slots.shape[0]
    values = np.empty(kept)
    for s in range(x.shape[0]):
        if x[s] != x[s]:
            continue
        slots[count[s] % kept, s] = x[s]
        count[s] += 1
        n = min(count[s], kept)
        middle = (n - 1) // 2
        for k in range(n):
            values[k] = slots[k, s]
        centre = np.sort(values[:n])[middle]
        for k in range(n):
            values[k] = abs(slots[k, s])
        usual[1, s] = np.sort(values[:n])[middle]
        for k in range(n):
            values[k] = abs(slots[k, s] - centre)
        usual[2, s] = np.sort(values[:n])[middle]
        usual[0, s] = centre


@compiled
def taken(reference: Reference, s: int) -> int:
    """How many values a column has in its ring."""
    n: int = min(reference[1][s], reference[0].shape[0])
    return n


@compiled
def scaled(reference: Reference, s: int, x: float, floor: float) -> float:
    """The value in units of its usual size; its zero stays where it is."""
    return x / larger(SPREAD_OF_NORMAL * reference[2][1, s], floor)


@compiled
def centred(reference: Reference, s: int, x: float, floor: float) -> float:
    """Distance of x from its median in units of its usual spread."""
    distance: float = (x - reference[2][0, s]) / larger(SPREAD_OF_NORMAL * reference[2][2, s], floor)
    return distance


@compiled
def ranked(reference: Reference, s: int, x: float) -> float:
    """Where x stands among the kept values: -1 below all, 1 above all; 0 without any."""
    slots = reference[0]
    n = taken(reference, s)
    below = 0.0
    for k in range(n):
        below += 1.0 if slots[k, s] < x else (0.5 if slots[k, s] == x else 0.0)
    return 2.0 * below / n - 1.0 if n > 0 else 0.0
