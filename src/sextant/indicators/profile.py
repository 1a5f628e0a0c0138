"""Volume by price: a histogram per column over a moving window, exact in whole lots.

Notes
-----
A bin is ``floor(price/width)`` and lives in slot ``bin mod BINS`` (a power of two, so a mask finds it); the bins
between ``low`` and ``high`` hold all volume, so slots never collide while high - low < BINS.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.windows import larger, smaller
from sextant.model.bar import Floats, Integers
from sextant.model.view import Flags

BINS: Final = 512
"""At most 101 bins are in use when a width is chosen; the window may then outgrow its range five times."""

NOWHERE: Final = -1

BLOCK_COLUMNS: Final = 32
"""Columns filled together: their histograms, 128 KiB, stay in the cache while the rows of the window pass."""

Histogram = tuple[Integers, Integers]
"""Lots by slot, (BINS, S), and (lowest bin, highest bin, all lots), (3, S); both column after column in memory."""

Rings = tuple[Floats, Integers]
"""Typical prices, NaN on holes, and lots of the window, (w, S)."""


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
def change_bin(counts: Integers, edges: Integers, s: int, index: int, lots: int) -> bool:
    """Adds lots to a bin and keeps the edges at its outermost filled bins; False where the bins do not suffice."""
    if lots == 0:
        return True
    if edges[2, s] == 0:
        edges[0, s], edges[1, s] = index, index
    low, high = min(edges[0, s], index), max(edges[1, s], index)
    if high - low >= BINS:
        return False
    counts[index & (BINS - 1), s] += lots
    edges[2, s] += lots
    if edges[2, s] == 0:
        return True
    while counts[low & (BINS - 1), s] == 0:
        low += 1
    while counts[high & (BINS - 1), s] == 0:
        high -= 1
    edges[0, s], edges[1, s] = low, high
    return True


@compiled
def empty(counts: Integers, edges: Integers, s: int) -> None:
    """Forgets the histogram of a column."""
    counts[:, s] = 0
    edges[:, s] = 0


@compiled
def busiest(counts: Integers, edges: Integers, s: int) -> int:
    """The fullest bin; among equals the one nearer the mean, then the lower."""
    low, high, total = edges[0, s], edges[1, s], edges[2, s]
    moment = 0
    for k in range(high - low + 1):
        moment += k * counts[(low + k) & (BINS - 1), s]
    best, most, nearest = 0, -1, 0
    for k in range(high - low + 1):
        lots = counts[(low + k) & (BINS - 1), s]
        distance = abs(k * total - moment)
        if lots > most or (lots == most and distance < nearest):
            best, most, nearest = k, lots, distance
    return int(low + best)


@compiled
def value_area(counts: Integers, edges: Integers, s: int, centre: int, share: float) -> tuple[int, int]:
    """First and last bin around the fullest one that hold the share of all volume.

    Notes
    -----
    Grown one bin at a time to the larger neighbour, to both on a tie.
    """
    first, last = centre, centre
    inside = counts[centre & (BINS - 1), s]
    while inside < share * edges[2, s]:
        below = counts[(first - 1) & (BINS - 1), s] if first > edges[0, s] else NOWHERE
        above = counts[(last + 1) & (BINS - 1), s] if last < edges[1, s] else NOWHERE
        if below >= above:
            first -= 1
            inside += below
        if above >= below:
            last += 1
            inside += above
    return first, last


@compiled
def take_widths(prices: Floats, price_step: Floats, chosen: Flags, width: Floats) -> None:
    """Gives the chosen columns the width that suits the prices of their window; holes are passed over."""
    top, bottom = np.full(width.shape[0], -np.inf), np.full(width.shape[0], np.inf)
    for slot in range(prices.shape[0]):
        one = prices[slot]
        for s in range(width.shape[0]):
            # No comparison with NaN holds, so the first argument, the best so far, stays.
            top[s] = larger(top[s], one[s])
            bottom[s] = smaller(bottom[s], one[s])
    for s in range(width.shape[0]):
        if chosen[s]:
            width[s] = width_for(larger(0.0, top[s] - bottom[s]), price_step[s])


@compiled
def refill(hist: Histogram, rings: Rings, width: Floats, bar_index: int, rows: Integers) -> None:
    """Builds the histogram of each column anew from its last ``rows`` up to ``bar_index``; none where that is < 0."""
    counts, edges = hist
    prices, lots = rings
    columns = width.shape[0]
    for first in range(0, columns, BLOCK_COLUMNS):
        end = min(first + BLOCK_COLUMNS, columns)
        most = 0
        for s in range(first, end):
            most = max(most, rows[s])
            if rows[s] >= 0:
                empty(counts, edges, s)
        for back in range(most):
            slot = (bar_index - back) % prices.shape[0]
            for s in range(first, end):
                here = lots[slot, s]
                if back < rows[s] and here > 0:
                    index = bin_of(prices[slot, s], width[s])
                    fresh = edges[2, s] == 0
                    edges[0, s] = index if fresh or index < edges[0, s] else edges[0, s]
                    edges[1, s] = index if fresh or index > edges[1, s] else edges[1, s]
                    edges[2, s] += here
                    counts[index & (BINS - 1), s] += here
