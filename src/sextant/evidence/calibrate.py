"""Stated probabilities: how often signals like this one ended with a profit, shrunk to what is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from scipy.special import betaincinv

from sextant.evidence.clusters import clustered, effective, effective_count, wilson
from sextant.evidence.outcomes import BUCKETS
from sextant.model.bar import Floats, Integers
from sextant.model.scorecard import ReliabilityRow
from sextant.model.view import Flags
from sextant.strategies.proof import PROVEN_EVENTS

PRIOR_EVENTS: Final = 30.0
"""Events that the strategy's own hit fraction is worth in each cell."""

SPREADS: Final = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
"""Events that a cell's fraction may be worth for each instrument; the likeliest is taken."""

CUTS: Final = 8
CELLS: Final = 2 * BUCKETS
_NOTHING: Final = 1e-9  # weight of a bucket without events; pooling divides by it
_SURE: Final = 1e-6  # a stated 0 or 1 would make the log loss infinite at the first surprise


class Results(NamedTuple):
    """Events as calibration sees them, one entry per event.

    ``column``, ``cell``, ``cluster``, ``row`` and ``exit_row`` int64, ``gross`` float64, ``won`` bool: net outcome above 0.
    """

    column: Integers
    cell: Integers
    cluster: Integers
    row: Integers
    exit_row: Integers
    gross: Floats
    won: Flags

    def where(self, chosen: Flags) -> Results:
        """Some of the events."""
        return Results(
            self.column[chosen],
            self.cell[chosen],
            self.cluster[chosen],
            self.row[chosen],
            self.exit_row[chosen],
            self.gross[chosen],
            self.won[chosen],
        )


@dataclass(frozen=True, eq=False)
class Calibration:
    """Hit fractions of a strategy by cell and instrument.

    Parameters
    ----------
    strategy_frac
        p_0, over all events.
    cell_frac, cell_count
        float64 (8,): p_b, rising with strength in each direction, and the independent events behind it.
    spread
        float64 (8,): M, the events that p_b is worth for each instrument.
    hits, counts
        float64 (S, 8): independent events with a profit, and all.
    """

    strategy_frac: float
    cell_frac: Floats
    cell_count: Floats
    spread: Floats
    hits: Floats
    counts: Floats

    def stated(self, column: Integers, cell: Integers) -> Floats:
        """Probability of a net profit for signals of given instruments and cells, float64 (n,) in [0, 1]."""
        worth = self.spread[cell]
        share: Floats = (self.hits[column, cell] + worth * self.cell_frac[cell]) / (
            self.counts[column, cell] + worth
        )
        return share

    def interval(self, column: int, cell: int) -> tuple[float, float]:
        """Beta quantiles of 5 % and 95 % around the stated probability.

        Notes
        -----
        The quantiles are those of ``n_ib + M`` events, but never of more than the ``N_b + 30`` that p_b itself stands
        on: instruments that are all alike share one fraction, which is known no better than that.
        """
        share = float(self.stated(np.array([column]), np.array([cell]))[0])
        worth = min(
            float(self.counts[column, cell] + self.spread[cell]), float(self.cell_count[cell]) + PRIOR_EVENTS
        )
        if not 0 < share < 1:
            return share, share
        a, b = share * worth, (1.0 - share) * worth
        return float(betaincinv(a, b, 0.05)), float(betaincinv(a, b, 0.95))


class OutOfSample(NamedTuple):
    """How well probabilities stated before the outcome was known have held."""

    brier: float
    log_loss: float
    reliability: tuple[ReliabilityRow, ...]


def calibrate(results: Results, size: int) -> Calibration | None:
    """Hit fractions from events; None where fewer than 30 independent ones exist.

    Parameters
    ----------
    results
        n events.
    size
        S, the number of instruments.

    Notes
    -----
    ``p_b = (K_b + 30 p_0)/(N_b + 30)``, pooled with adjacent violators so that it rises with strength; per instrument
    ``(k_ib + M p_b)/(n_ib + M)``. Counts are scaled by n_eff/n of their cell.
    """
    if not len(results.won):
        return None
    counted, won, worth = _tally(results, size)
    if worth[CELLS] * len(results.won) < PROVEN_EVENTS:
        return None
    overall = float(results.won.mean())
    counts, hits = counted * worth[:CELLS], won * worth[:CELLS]
    total = counts.sum(axis=0)
    fractions = (hits.sum(axis=0) + PRIOR_EVENTS * overall) / (total + PRIOR_EVENTS)
    for side in (slice(0, BUCKETS), slice(BUCKETS, CELLS)):
        # Weighed by what was seen: a bucket without events only takes over what its neighbours say.
        fractions[side] = rising(fractions[side], np.maximum(total[side], _NOTHING))
    spread = _likeliest_spread(won, counted, worth, fractions, np.array(SPREADS))
    return Calibration(overall, fractions, total, spread, hits, counts)


@njit(cache=True, nogil=True)
def _tally(results: Results, size: int) -> tuple[Integers, Integers, Floats]:
    """Events and profits by instrument and cell, and n_eff/n of each cell and, last, of all."""
    groups = results.cluster.max() + 1
    sizes, sums = np.zeros((CELLS + 1, groups)), np.zeros((CELLS + 1, groups))
    mean, spread, worth = np.zeros(CELLS + 1), np.zeros(CELLS + 1), np.zeros(CELLS + 1)
    counted = np.zeros((size, CELLS), dtype=np.int64)
    won = np.zeros((size, CELLS), dtype=np.int64)
    for event in range(len(results.won)):
        cell = results.cell[event]
        counted[results.column[event], cell] += 1
        won[results.column[event], cell] += results.won[event]
        for slot in (cell, CELLS):
            sizes[slot, results.cluster[event]] += 1.0
            sums[slot, results.cluster[event]] += results.gross[event]
    for slot in range(CELLS + 1):
        mean[slot] = sums[slot].sum() / max(1.0, sizes[slot].sum())
    for event in range(len(results.won)):
        for slot in (results.cell[event], CELLS):
            spread[slot] += (results.gross[event] - mean[slot]) ** 2
    for slot in range(CELLS + 1):
        worth[slot] = effective(sizes[slot], sums[slot], spread[slot]) / max(1.0, sizes[slot].sum())
    return counted, won, worth


def rising(values: Floats, weights: Floats) -> Floats:
    """The closest values that never fall, by pooling adjacent violators; float64 of the same length.

    References
    ----------
    Barlow, Bartholomew, Bremner, Brunk 1972, Statistical Inference under Order Restrictions.

    Examples
    --------
    >>> rising(np.array([0.5, 0.25, 0.75]), np.array([1.0, 1.0, 1.0])).tolist()
    [0.375, 0.375, 0.75]
    """
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            other = blocks.pop()
            joint = other[1] + block[1]
            block = ((other[0] * other[1] + block[0] * block[1]) / joint, joint, other[2] + block[2])
        blocks.append(block)
    return np.repeat([block[0] for block in blocks], [block[2] for block in blocks])


@njit(cache=True, nogil=True)
def _pairs(won: Integers, counted: Integers) -> Integers:
    """int64 (m, 3): the distinct (count, hits) of instruments that have events, and how many instruments share each."""
    most = won.max() + 1
    keys = np.sort(counted[counted > 0] * most + won[counted > 0])
    pairs = np.empty((len(keys), 3), dtype=np.int64)
    found = 0
    for place in range(len(keys)):
        if place > 0 and keys[place] == keys[place - 1]:
            pairs[found - 1, 2] += 1
        else:
            pairs[found, 0], pairs[found, 1], pairs[found, 2] = keys[place] // most, keys[place] % most, 1
            found += 1
    return pairs[:found]


@njit(cache=True, nogil=True)
def _likeliest_spread(
    won: Integers, counted: Integers, worth: Floats, fractions: Floats, spreads: Floats
) -> Floats:
    """Per cell the M that makes the instruments' hits likeliest under a beta-binomial; the least where none has events."""
    cells = counted.shape[1]
    chosen = np.full(cells, spreads[0])
    for cell in range(cells):
        p = fractions[cell]
        if not 0.0 < p < 1.0:
            chosen[cell] = spreads[-1]
            continue
        # Most instruments have few events and many have the same: each likelihood is computed once.
        pairs = _pairs(won[:, cell].copy(), counted[:, cell].copy())
        best = -np.inf
        for m in spreads:
            a, b = m * p, m * (1.0 - p)
            rest = math.lgamma(m) - math.lgamma(a) - math.lgamma(b)
            likelihood = 0.0
            for pair in range(len(pairs)):
                n, k = pairs[pair, 0] * worth[cell], pairs[pair, 1] * worth[cell]
                one = math.lgamma(k + a) + math.lgamma(n - k + b) - math.lgamma(n + m) + rest
                likelihood += one * pairs[pair, 2]
            if likelihood > best:
                best = likelihood
                chosen[cell] = m
    return chosen


def walk_forward(results: Results, size: int, rows: int, horizon_rows: int) -> OutOfSample | None:
    """How probabilities stated at 8 equally spaced rows held afterwards; None where none could be stated.

    Parameters
    ----------
    results
        n events.
    size
        S, the number of instruments.
    rows
        Rows of the window.
    horizon_rows
        Embargo between the last outcome that was known and the first signal that is predicted.

    Notes
    -----
    The table of a cut holds the events whose exit row is at or before it, and speaks about signals from one horizon
    after it to one horizon after the next.
    """
    cuts = [rows * number // (CUTS + 1) for number in range(1, CUTS + 1)]
    said, came, where = [], [], []
    for number, cut in enumerate(cuts):
        end = cuts[number + 1] + horizon_rows if number + 1 < CUTS else rows
        asked = (results.row >= cut + horizon_rows) & (results.row < end)
        if not asked.any():
            continue
        table = calibrate(results.where(results.exit_row <= cut), size)
        if table is not None:
            said.append(table.stated(results.column[asked], results.cell[asked]))
            came.append(results.won[asked])
            where.append(results.cluster[asked])
    if not said:
        return None
    return _held(np.concatenate(said), np.concatenate(came), np.concatenate(where))


def _held(said: Floats, came: Flags, cluster: Integers) -> OutOfSample:
    sure = np.clip(said, _SURE, 1.0 - _SURE)
    rows = []
    deciles = np.minimum((said * 10.0).astype(np.int64), 9)
    for decile in np.unique(deciles).tolist():
        mine = deciles == decile
        observed = float(came[mine].mean())
        worth = effective_count(clustered(cluster[mine], came[mine].astype(np.float64)))
        low, high = wilson(observed, worth)
        rows.append(
            ReliabilityRow(
                decile / 10.0,
                (decile + 1) / 10.0,
                int(mine.sum()),
                float(said[mine].mean()),
                observed,
                low,
                high,
            )
        )
    return OutOfSample(
        brier=float(((said - came) ** 2).mean()),
        log_loss=float(-np.where(came, np.log(sure), np.log1p(-sure)).mean()),
        reliability=tuple(rows),
    )
