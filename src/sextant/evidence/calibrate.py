"""Stated probabilities: how often signals like this one ended with a profit, shrunk to what is known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from scipy.special import betaincinv

from sextant.evidence.clusters import effective, lasting_count, wilson
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
SHARES: Final = np.linspace(0.0, 1.0, 101)
"""Shares of a stated difference that may last; before anything is known all are alike, and nothing as likely as all of them."""

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


class Lasting(NamedTuple):
    """Shares in [0, 1] of past differences that later events have shown again: between cells, and between instruments."""

    cells: float
    instruments: float


ALL_LASTS: Final = Lasting(1.0, 1.0)
"""Whatever was seen is stated."""

NOTHING_LASTS: Final = Lasting(0.0, 0.0)
"""Only the strategy's own fraction is stated."""


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
    lasting
        How much of the differences between cells, and between the instruments of a cell, has lasted; see :func:`lasting_of`.
    """

    strategy_frac: float
    cell_frac: Floats
    cell_count: Floats
    spread: Floats
    hits: Floats
    counts: Floats
    lasting: Lasting = ALL_LASTS

    def stated(self, column: Integers, cell: Integers) -> Floats:
        """Probability of a net profit for signals of given instruments and cells, float64 (n,) in [0, 1]."""
        by_cell, by_instrument = self.differences(column, cell)
        share: Floats = (
            self.strategy_frac + self.lasting.cells * by_cell + self.lasting.instruments * by_instrument
        )
        return np.clip(share, 0.0, 1.0)

    def differences(self, column: Integers, cell: Integers) -> tuple[Floats, Floats]:
        """What was seen of the cell beyond the strategy, and of the instrument beyond its cell; float64 (n,) each."""
        worth = self.spread[cell]
        own = (self.hits[column, cell] + worth * self.cell_frac[cell]) / (self.counts[column, cell] + worth)
        return self.cell_frac[cell] - self.strategy_frac, own - self.cell_frac[cell]

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
    """How well probabilities stated before the outcome was known have held.

    ``event`` int64 (m,) says which events were predicted, ``stated`` float64 (m,) with what probability; ``lasting`` is what
    all of them together say about the differences that a table of today states.
    """

    brier: float
    log_loss: float
    reliability: tuple[ReliabilityRow, ...]
    event: Integers
    stated: Floats
    lasting: Lasting


class _Seen(NamedTuple):
    """What one table said beyond the strategy's own fraction about events after it, and what came."""

    by_cell: Floats
    by_instrument: Floats
    won: Flags
    exit_row: Integers

    def until(self, row: int) -> _Seen:
        known = self.exit_row <= row
        return _Seen(self.by_cell[known], self.by_instrument[known], self.won[known], self.exit_row[known])


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
    seen: list[_Seen] = []
    said, which = [], []
    for number, cut in enumerate(cuts):
        end = cuts[number + 1] + horizon_rows if number + 1 < CUTS else rows
        asked = np.flatnonzero((results.row >= cut + horizon_rows) & (results.row < end))
        table = calibrate(results.where(results.exit_row <= cut), size) if len(asked) else None
        if table is None:
            continue
        column, cell = results.column[asked], results.cell[asked]
        told = dataclasses.replace(table, lasting=lasting_of([one.until(cut) for one in seen]))
        said.append(told.stated(column, cell))
        which.append(asked)
        seen.append(_Seen(*table.differences(column, cell), results.won[asked], results.exit_row[asked]))
    if not said:
        return None
    return _held(results, np.concatenate(which), np.concatenate(said), lasting_of(seen))


def lasting_of(seen: Sequence[_Seen]) -> Lasting:
    """How much of the stated differences later events have shown.

    Parameters
    ----------
    seen
        One entry per table, with what was known of the outcomes.

    Notes
    -----
    Cells with the best past and instruments with the best past in them are so partly by luck, and what one season rewards
    the next need not. Within the events after each table, outcomes are regressed on the stated differences, on what cells
    explain first and then on what instruments do: ``lambda = sum x y/sum x^2``, both less their mean there, so that a season
    in which everything wins says nothing. Its error counts each table as one observation, whatever its events share. The
    share is the mean of the posterior of ``lambda`` with K - 1 degrees of freedom: half of the prior is that nothing lasts,
    half lies evenly on [0, 1]. Fewer than two tables have shown nothing.
    """
    centred = [
        (
            one.by_cell - one.by_cell.mean(),
            one.by_instrument - one.by_instrument.mean(),
            one.won - one.won.mean(),
        )
        for one in seen
        if len(one.won)
    ]
    cells = _share([(x, y) for x, _, y in centred])
    instruments = _share([(x, y - cells * by_cell) for by_cell, x, y in centred])
    return Lasting(cells, instruments)


def _share(pairs: Sequence[tuple[Floats, Floats]]) -> float:
    """The posterior mean of the slope of y on x, one observation per pair of arrays."""
    squares = np.array([float(x @ x) for x, _ in pairs])
    products = np.array([float(x @ y) for x, y in pairs])
    count = np.count_nonzero(squares)
    if count < 2:
        return 0.0
    slope = products.sum() / squares.sum()
    rest = float(((products - slope * squares) ** 2).sum())
    error2 = count / (count - 1) * rest / squares.sum() ** 2
    if error2 <= 0:
        return float(np.clip(slope, 0.0, 1.0))
    log_weight = -0.5 * count * np.log1p((SHARES - slope) ** 2 / error2 / (count - 1))
    weight = np.exp(log_weight - log_weight.max())
    return float((weight * SHARES).mean() / (weight[0] + weight.mean()))


def _held(results: Results, event: Integers, said: Floats, lasting: Lasting) -> OutOfSample:
    came = results.won[event]
    sure = np.clip(said, _SURE, 1.0 - _SURE)
    return OutOfSample(
        brier=float(((said - came) ** 2).mean()),
        log_loss=float(-np.where(came, np.log(sure), np.log1p(-sure)).mean()),
        reliability=reliability_of(said, came, results.cluster[event]),
        event=event,
        stated=said,
        lasting=lasting,
    )


def reliability_of(said: Floats, came: Flags, cluster: Integers) -> tuple[ReliabilityRow, ...]:
    """What was stated against what came, by tenths of the stated probability.

    Parameters
    ----------
    said, came, cluster
        float64, bool and int64 (n,): probability stated before, whether it came true, and the number of the span of time.
    """
    rows = []
    deciles = np.minimum((said * 10.0).astype(np.int64), 9)
    for decile in np.unique(deciles).tolist():
        mine = deciles == decile
        observed = float(came[mine].mean())
        low, high = wilson(observed, lasting_count(cluster[mine], came[mine].astype(np.float64)))
        rows.append(
            ReliabilityRow(
                bucket_low=decile / 10.0,
                bucket_high=(decile + 1) / 10.0,
                n=int(mine.sum()),
                stated_frac=float(said[mine].mean()),
                observed_frac=observed,
                low_frac=low,
                high_frac=high,
            )
        )
    return tuple(rows)
