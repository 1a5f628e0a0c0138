"""Sizes of book levels weighed against each other: what the indicators of a book's imbalance share."""

from __future__ import annotations

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.indicators.windows import lin, mask, ratio, tick, void
from sextant.model.bar import Floats, Integers


@compiled
def imbalance(
    count: Integers, inputs: tuple[Floats, ...], out: Floats, levels: int, least: int, fade: float
) -> None:
    """Write ``(sum w B - sum w A)/(sum w B + sum w A)`` of each sample into ``out``.

    Parameters
    ----------
    count
        Samples so far, a counter.
    inputs
        ``levels`` columns (T, S) of bid sizes, best first, then as many of ask sizes.
    out
        float64 (T, S), in [-1, 1].
    levels, least
        How many levels are weighed, and without how many there is no value; others that are missing count 0.
    fade
        Weight of a level relative to the one before.
    """
    columns = out.shape[1]
    net, total = np.empty(columns), np.empty(columns)
    for t in range(out.shape[0]):
        tick(count, inputs[0][t])
        for s in range(columns):
            net[s], total[s] = 0.0, 0.0
        weight = 1.0
        for k in range(levels):
            bid, ask = inputs[k][t], inputs[levels + k][t]
            if k < least:
                void(count, bid)
                void(count, ask)
            for s in range(columns):
                b = 0.0 if np.isnan(bid[s]) else bid[s]
                a = 0.0 if np.isnan(ask[s]) else ask[s]
                net[s] = net[s] + weight * (b - a)
                total[s] = total[s] + weight * (b + a)
            weight = weight * fade
        for s in range(columns):
            out[t, s] = lin(ratio(net[s], total[s]))
        mask(out[t], count, 0)
