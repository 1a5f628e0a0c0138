"""Volume by price: a histogram per column over a moving window, exact in whole lots.

Notes
-----
All functions work on one column. A bin is ``floor(price/width)`` and lives in slot ``bin mod BINS``; the bins
between ``low`` and ``high`` hold all volume, so slots never collide while high - low < BINS.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.windows import larger, smaller
from sextant.model.bar import Floats, Integers

BINS: Final = 512
"""At most 101 bins are in use when a width is chosen; the window may then outgrow its range five times."""

NOWHERE: Final = -1

Histogram = tuple[Integers, Integers]
"""Lots by slot, (BINS,), and (lowest bin, highest bin, all lots); of many columns (BINS, S) and (3, S)."""


@compiled
def whole(x: float) -> int:
    """The nearest integer, halves up."""
    return int(np.floor(x + 0.5))


@compiled
def bin_of(price: float, width: float) -> int:
    """The bin a price falls into."""
    return int(np.floor(price / width))


@compiled
def width_for(span: float, price_step: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 .. price steps that cuts a span into at most 100 bins."""
    decade = 1.0
    while True:
        for digit in (1.0, 2.0, 5.0):
            if price_step * (digit * decade) * 100.0 >= span:
                return price_step * (digit * decade)
        decade = decade * 10.0


@compiled
def change_bin(counts: Integers, edges: Integers, index: int, lots: int) -> bool:
    """Adds lots to a bin and keeps the edges at its outermost filled bins; False where the bins do not suffice.

    Notes
    -----
    ``edges`` is (low, high, total); low > high while the histogram is empty.
    """
    if lots == 0:
        return True
    if edges[2] == 0:
        edges[0], edges[1] = index, index
    low, high = min(edges[0], index), max(edges[1], index)
    if high - low >= BINS:
        return False
    counts[index % BINS] += lots
    edges[2] += lots
    if edges[2] == 0:
        return True
    while counts[low % BINS] == 0:
        low += 1
    while counts[high % BINS] == 0:
        high -= 1
    edges[0], edges[1] = low, high
    return True


@compiled
def busiest(counts: Integers, edges: Integers) -> int:
    """The fullest bin; among equals the one nearer the mean, then the lower."""
    low, high, total = edges[0], edges[1], edges[2]
    moment = 0
    for k in range(high - low + 1):
        moment += k * counts[(low + k) % BINS]
    best, most, nearest = 0, -1, 0
    for k in range(high - low + 1):
        lots = counts[(low + k) % BINS]
        distance = abs(k * total - moment)
        if lots > most or (lots == most and distance < nearest):
            best, most, nearest = k, lots, distance
    return int(low + best)


@compiled
def value_area(counts: Integers, edges: Integers, centre: int, share: float) -> tuple[int, int]:
    """First and last bin around the fullest one that hold the share of all volume.

    Notes
    -----
    Grown one bin at a time to the larger neighbour, to both on a tie.
    """
    first, last = centre, centre
    inside = counts[centre % BINS]
    while inside < share * edges[2]:
        below = counts[(first - 1) % BINS] if first > edges[0] else NOWHERE
        above = counts[(last + 1) % BINS] if last < edges[1] else NOWHERE
        if below >= above:
            first -= 1
            inside += below
        if above >= below:
            last += 1
            inside += above
    return first, last


@compiled
def refill(hist: Histogram, prices: Floats, lots: Integers, rows: tuple[int, int], width: float) -> None:
    """Builds a histogram from some rows of the rings of a column; ``rows`` is (newest bar_index, number)."""
    counts, edges = hist
    counts[:] = 0
    edges[:] = 0
    for back in range(rows[1]):
        slot = (rows[0] - back) % prices.shape[0]
        if lots[slot] > 0:
            change_bin(counts, edges, bin_of(prices[slot], width), lots[slot])


@compiled
def span_of(prices: Floats) -> float:
    """Highest minus lowest price; holes are passed over, since no comparison with NaN holds."""
    top, bottom = -np.inf, np.inf
    for k in range(prices.shape[0]):
        x = prices[k]
        top = larger(top, x)
        bottom = smaller(bottom, x)
    return top - bottom if top > bottom else 0.0
