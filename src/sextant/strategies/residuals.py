"""What instruments do beyond the common factors, and how far each has strayed from where it usually returns to.

Factors are the leading eigenvectors of the correlation of returns, refitted on an absolute grid of bars; the
residuals of each instrument are summed and read as a process that reverts (Avellaneda, Lee 2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.times import INTERVAL_NS, Interval
from sextant.model.view import Flags
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.leading import leading

GRID_ROWS: Final = 6
WINDOW_ROWS: Final = 360
FIT_ROWS: Final = 120
FACTOR_SHARE: Final = 0.55
MOST_FACTORS: Final = 10
POOL_SIZE: Final = 200
LEAST_POOL: Final = 10
"""Instruments that factors need; the correlation of fewer says little about what is common."""


@dataclass(frozen=True, eq=False)
class Fit:
    """One refit, in force from its row to the next one; P instruments make k factors.

    Parameters
    ----------
    row
        Last row it knows.
    pool
        int64 (P,): columns that make the factors.
    loadings
        float64 (P, k): weight of each in each factor.
    alpha, beta
        float64 (S,) and (k, S): constant and exposures of every instrument, NaN where its rows have a gap.
    keep, t_stat, r2
        float64 (S,): share of a residual that is kept from row to row, t of that share less 1, and share of the
        variance that the factors explain.
    centre, spread
        float64 (S,): where the summed residual returns to, as seen from its last value and less the mean of all that
        revert; and its standard deviation around it, fractions.
    """

    row: int
    pool: Integers
    loadings: Floats
    alpha: Floats
    beta: Floats
    keep: Floats
    t_stat: Floats
    r2: Floats
    centre: Floats
    spread: Floats


@dataclass(frozen=True, eq=False)
class Residuals:
    """Residuals on every row, float64 (T, S), NaN before the first fit; ``fit`` int64 (T,) is -1 there.

    Parameters
    ----------
    score
        Standard deviations between the summed residual and its centre, 0 where it does not revert.
    keep, t_stat, r2, spread
        See :class:`Fit`; those in force.
    fit
        Index of the fit in force.
    fits, close
        All refits in order; closes of the view, float64 (T, S).
    """

    score: Floats
    keep: Floats
    t_stat: Floats
    r2: Floats
    spread: Floats
    fit: Integers
    fits: tuple[Fit, ...]
    close: Floats

    def returns(self, column: Integers, row: Integers, first: Integers, last: Integers) -> Floats:
        """What the factors earned for each event at the exposures known at its row, float64 (n,).

        Parameters
        ----------
        column, row
            Instrument and row of the signal.
        first, last
            Rows held, both included.

        Notes
        -----
        The factor portfolio is bought at the close before the first row and held: its simple return, as the
        instrument's own is. Summed logarithms would leave half the variance of each leg to the longs and take it from
        the shorts.
        """
        out = np.empty(len(column))
        known = self.fit[row]
        for number in np.unique(known).tolist():
            fit, events = self.fits[number], np.flatnonzero(known == number)
            out[events] = _earned(
                self.close,
                fit.pool,
                fit.loadings,
                np.ascontiguousarray(fit.beta[:, column[events]].T),
                np.column_stack((first[events] - 1, last[events])),
            )
        return out

    def exposures(self) -> Floats:
        """Exposures of every instrument to the factors of the last row, float64 (S, k); none before the first fit."""
        if not self.fits:
            return np.empty((self.score.shape[1], 0))
        exposed: Floats = self.fits[self.fit[-1]].beta.T
        return exposed


def residuals_of(columns: Columns, interval: Interval, makers: Flags) -> Residuals:
    """The residuals of all instruments.

    Parameters
    ----------
    makers
        bool (S,): instruments that factors may be made of.

    Notes
    -----
    Refits stand on rows whose close is a multiple of 6 intervals. In a canonical order of instruments all sums are
    the same to the last bit whatever the order of the view.
    """
    names = [str(spec.instrument) for spec in columns.view.instruments]
    order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    r = np.ascontiguousarray(columns.log_return(interval)[:, order])
    frame = columns.frame(interval)
    closes = frame.open_ns // INTERVAL_NS[interval] + 1
    grid = np.flatnonzero(closes % GRID_ROWS == 0)
    grid = grid[grid >= GRID_ROWS - 1]
    past = _Past(r, columns.turnover_usd(interval)[:, order], grid)
    fits = [
        fit
        for block, row in enumerate(grid.tolist())
        if row >= WINDOW_ROWS and (fit := _fitted(r, past, makers[order], block, row)) is not None
    ]
    return _unfold(r, fits, order, frame.close)


class _Past:
    """Sums over the rows between refits, so that a window is the sum of its blocks."""

    def __init__(self, r: Floats, turnover: Floats, grid: Integers) -> None:
        shape = (len(grid), r.shape[1])
        self._r, self._squares, self._turnover = (np.empty(shape) for _ in range(3))
        for block, row in enumerate(grid.tolist()):
            rows = slice(row - GRID_ROWS + 1, row + 1)
            r[rows].sum(axis=0, out=self._r[block])
            np.einsum("ts,ts->s", r[rows], r[rows], out=self._squares[block])
            turnover[rows].sum(axis=0, out=self._turnover[block])

    def window(self, block: int) -> tuple[Floats, Floats, Floats]:
        """Mean and standard deviation of the returns and turnover in USD of the 360 rows up to a block's end, (S,)."""
        blocks = slice(block + 1 - WINDOW_ROWS // GRID_ROWS, block + 1)
        mean = self._r[blocks].sum(axis=0) / WINDOW_ROWS
        spread = self._squares[blocks].sum(axis=0) - WINDOW_ROWS * mean * mean
        # Rounding may leave a little less than nothing of returns that are all the same.
        return (
            mean,
            np.sqrt(np.maximum(spread, 0.0) / (WINDOW_ROWS - 1)),
            self._turnover[blocks].sum(axis=0),
        )


def _fitted(r: Floats, past: _Past, makers: Flags, block: int, row: int) -> Fit | None:
    """The fit of the rows up to ``row``; None where too few instruments have a whole window."""
    mean, sigma, traded = past.window(block)
    pool = np.flatnonzero(makers & (sigma > 0) & (traded > 0))
    if len(pool) < LEAST_POOL:
        return None
    busiest = np.argsort(-traded[pool], kind="stable")[:POOL_SIZE]
    pool = np.sort(pool[busiest])
    standard = r[row - WINDOW_ROWS + 1 : row + 1][:, pool]
    standard -= mean[pool]
    standard /= sigma[pool]
    loadings = _factors(standard.T @ standard / (WINDOW_ROWS - 1)) / sigma[pool][:, None]
    recent = r[row - FIT_ROWS + 1 : row + 1]
    factors = recent[:, pool] @ loadings
    level = factors.mean(axis=0)
    centred = factors - level
    beta = np.linalg.solve(centred.T @ centred, centred.T @ recent)
    means, explained, summed = _summed(recent, centred, beta)
    keep, t_stat, centre, spread = _reversion(summed)
    alpha = means - level @ beta
    reverts = (keep > 0) & (keep < 1)
    common = centre[reverts].mean() if reverts.any() else 0.0
    return Fit(row, pool, loadings, alpha, beta, keep, t_stat, explained, centre - common, spread)


def _factors(correlation: Floats) -> Floats:
    """Leading eigenvectors, (P, k), until they explain 55 % of the trace, at most ten."""
    size = len(correlation)
    most = min(MOST_FACTORS, size)
    values, vectors = leading(correlation, most)
    count = min(int(np.searchsorted(np.cumsum(values) / size, FACTOR_SHARE)) + 1, most)
    return np.ascontiguousarray(vectors[:, :count])


@rolling.compiled
def _summed(recent: Floats, centred: Floats, beta: Floats) -> tuple[Floats, Floats, Floats]:
    """What is left of recent returns (K, S) beside factors (K, k) at exposures (k, S).

    Returns
    -------
    Mean return (S,); share of the variance that the factors explain, NaN where nothing moved; residuals summed from
    the first row to each, (K, S).
    """
    rows, size = recent.shape
    mean, explained, summed = np.zeros(size), np.zeros(size), np.empty((rows, size))
    for t in range(rows):
        mean += recent[t]
    mean /= rows
    rest, total, before = np.empty(size), np.zeros(size), np.zeros(size)
    for t in range(rows):
        for s in range(size):
            rest[s] = recent[t, s] - mean[s]
            total[s] += rest[s] * rest[s]
        for k in range(len(beta)):
            weight = centred[t, k]
            for s in range(size):
                rest[s] -= weight * beta[k, s]
        for s in range(size):
            explained[s] += rest[s] * rest[s]
            before[s] += rest[s]
            summed[t, s] = before[s]
    for s in range(size):
        explained[s] = 1.0 - explained[s] / total[s] if total[s] != 0.0 else np.nan
    return mean, explained, summed


@rolling.compiled
def _reversion(x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Of summed residuals (K, S): share kept, its t against 1, where they return to, and spread around it.

    A residual that never moves keeps nothing: all are NaN.
    """
    rows, size = len(x) - 1, x.shape[1]
    before, after = np.zeros(size), np.zeros(size)
    for t in range(rows):
        before += x[t]
        after += x[t + 1]
    before /= rows
    after /= rows
    square, cross, noise = np.zeros(size), np.zeros(size), np.zeros(size)
    for t in range(rows):
        for s in range(size):
            away = x[t, s] - before[s]
            square[s] += away * away
            cross[s] += away * (x[t + 1, s] - after[s])
    keep = cross / square
    for t in range(rows):
        for s in range(size):
            miss = x[t + 1, s] - after[s] - keep[s] * (x[t, s] - before[s])
            noise[s] += miss * miss
    t_stat = (keep - 1.0) / np.sqrt(noise / (rows - 2) / square)
    centre = (after - keep * before) / (1.0 - keep)
    return keep, t_stat, centre, np.sqrt(noise / (rows - 1) / (1.0 - keep * keep))


@rolling.compiled
def _earned(close: Floats, pool: Integers, loadings: Floats, beta: Floats, held: Integers) -> Floats:
    """Simple return of the factors at exposures (n, k) from one row's close to another's, rows (n, 2); (n,)."""
    events, factors = beta.shape
    out = np.zeros(events)
    for event in range(events):
        bought, sold = held[event]
        for p in range(len(pool)):
            weight = 0.0
            for k in range(factors):
                weight += loadings[p, k] * beta[event, k]
            out[event] += weight * (close[sold, pool[p]] / close[bought, pool[p]] - 1.0)
    return out


def _unfold(r: Floats, fits: list[Fit], order: Integers, close: Floats) -> Residuals:
    """The fits seen from every row, in the order of the view."""
    rows, size = r.shape
    score, keep, t_stat, r2, spread = (np.full((rows, size), np.nan) for _ in range(5))
    number = np.full(rows, -1, dtype=np.int64)
    for place, fit in enumerate(fits):
        end = min(fit.row + GRID_ROWS, rows)
        held = slice(fit.row, end)
        number[held] = place
        keep[held, order], t_stat[held, order] = fit.keep, fit.t_stat
        r2[held, order], spread[held, order] = fit.r2, fit.spread
        # Always a whole block: products of other shapes may differ in their last bit.
        later = np.zeros((GRID_ROWS - 1, size))
        later[: end - fit.row - 1] = r[fit.row + 1 : end]
        rest = later - fit.alpha - later[:, fit.pool] @ fit.loadings @ fit.beta
        summed = np.vstack((np.zeros(size), np.cumsum(rest, axis=0)))[: end - fit.row]
        away = np.where((fit.keep > 0) & (fit.keep < 1), (summed - fit.centre) / fit.spread, 0.0)
        score[held, order] = np.where(np.isnan(fit.keep), np.nan, away)
    moved = tuple(_moved(fit, order) for fit in fits)
    return Residuals(score, keep, t_stat, r2, spread, number, moved, close)


def _moved(fit: Fit, order: Integers) -> Fit:
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    single = {
        name: getattr(fit, name)[back] for name in ("alpha", "keep", "t_stat", "r2", "centre", "spread")
    }
    return Fit(row=fit.row, pool=order[fit.pool], loadings=fit.loadings, beta=fit.beta[:, back], **single)
