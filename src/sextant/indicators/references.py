"""Own history as the measure of a column: a ring of past values and what is usual among them.

Notes
-----
A value is taken every ``every`` rows and only after its row was measured, so a row never measures itself. The
medians are lower medians, ``sorted(x)[(n-1)//2]``, found when a value is taken: the values are kept in their order
beside the ring, so that nothing is sorted. A hole adds nothing and the ring outlives it: it holds a day, and what is
usual does not change with one missing bar.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.windows import larger
from sextant.model.bar import Floats, Integers

SPREAD_OF_NORMAL: Final = 1.4826
"""A standard deviation over the median absolute deviation, of normal values."""

Reference = tuple[Floats, Integers, Floats, Floats]
"""Ring (N, S); values taken so far (S,); lower medians of x, of abs(x) and of abs(x - median), (3, S); the ring's values, sorted, (S, N)."""


def reference_state(values: int, columns: int) -> Reference:
    """The cold state of a reference."""
    return (
        np.zeros((values, columns)),
        np.zeros(columns, dtype=np.int64),
        np.zeros((3, columns)),
        np.zeros((columns, values)),
    )


@compiled
def _at_least(row: Floats, n: int, x: float) -> int:
    """Where the first of n sorted values stands that is not below x."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if row[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _put(row: Floats, n: int, gone: int, x: float) -> None:
    """Put x among n sorted values in the place of the one at ``gone``; of none where that is n."""
    at = gone
    while at > 0 and row[at - 1] > x:
        row[at] = row[at - 1]
        at -= 1
    while at < n - 1 and row[at + 1] < x:
        row[at] = row[at + 1]
        at += 1
    row[at] = x


@compiled
def _nearest(row: Floats, n: int, centre: float, k: int) -> float:
    """Distance of the k-th nearest of n sorted values to a centre, from 0."""
    right = _at_least(row, n, centre)
    left, distance = right - 1, 0.0
    for _ in range(k + 1):
        if right >= n or (left >= 0 and centre - row[left] <= row[right] - centre):
            distance = abs(row[left] - centre)
            left -= 1
        else:
            distance = abs(row[right] - centre)
            right += 1
    return distance


@compiled
def take(reference: Reference, bar_index: int, every: int, x: Floats) -> None:
    """Takes in the row where it is one of every ``every``; after it was measured."""
    slots, count, usual, order = reference
    if bar_index % every != every - 1:
        return
    kept = slots.shape[0]
    for s in range(x.shape[0]):
        if x[s] != x[s]:
            continue
        place, n = count[s] % kept, min(count[s], kept)
        if n < kept:
            _put(order[s], n, n, x[s])
        else:
            _put(order[s], n, _at_least(order[s], n, slots[place, s]), x[s])
        slots[place, s] = x[s]
        count[s] += 1
        n = min(count[s], kept)
        middle = (n - 1) // 2
        usual[0, s] = order[s, middle]
        usual[1, s] = _nearest(order[s], n, 0.0, middle)
        usual[2, s] = _nearest(order[s], n, usual[0, s], middle)


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
    row = reference[3][s]
    n = taken(reference, s)
    first = _at_least(row, n, x)
    last = first
    while last < n and row[last] == x:
        last += 1
    return (first + last) / n - 1.0 if n > 0 else 0.0
