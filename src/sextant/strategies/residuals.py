"""What instruments do beyond the common factors, and how far each has strayed from where it usually returns to.

Factors are the leading eigenvectors of the correlation of returns, refitted on an absolute grid of bars; the
residuals of each instrument are summed and read as a process that reverts (Avellaneda, Lee 2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import eigh

from sextant.model.bar import Floats, Integers
from sextant.model.times import INTERVAL_NS, Interval
from sextant.model.view import Flags
from sextant.strategies import rolling
from sextant.strategies.columns import Columns

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
    fits, returns
        All refits in order; log returns.
    """

    score: Floats
    keep: Floats
    t_stat: Floats
    r2: Floats
    spread: Floats
    fit: Integers
    fits: tuple[Fit, ...]
    log_return: Floats

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
        The factor portfolio is bought at the first row and held: its simple return, as the instrument's own is. Summed
        logarithms would leave half the variance of each leg to the longs and take it from the shorts.
        """
        out = np.empty(len(column))
        for event, (s, t, begin, end) in enumerate(
            zip(column.tolist(), row.tolist(), first.tolist(), last.tolist(), strict=True)
        ):
            fit = self.fits[self.fit[t]]
            held = np.expm1(self.log_return[begin : end + 1, fit.pool].sum(axis=0))
            out[event] = held @ (fit.loadings @ fit.beta[:, s])
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
    turnover = columns.turnover_usd(interval)[:, order]
    closes = columns.frame(interval).open_ns // INTERVAL_NS[interval] + 1
    grid = np.flatnonzero(closes % GRID_ROWS == 0)
    fits = [
        fit
        for row in grid[grid >= WINDOW_ROWS].tolist()
        if (fit := _fitted(r, turnover, makers[order], row)) is not None
    ]
    return _unfold(r, fits, order)


def _fitted(r: Floats, turnover: Floats, makers: Flags, row: int) -> Fit | None:
    """The fit of the rows up to ``row``; None where too few instruments have a whole window."""
    window = r[row - WINDOW_ROWS + 1 : row + 1]
    sigma = window.std(axis=0, ddof=1)
    traded = turnover[row - WINDOW_ROWS + 1 : row + 1].sum(axis=0)
    pool = np.flatnonzero(makers & (sigma > 0) & (traded > 0))
    if len(pool) < LEAST_POOL:
        return None
    busiest = np.argsort(-traded[pool], kind="stable")[:POOL_SIZE]
    pool = np.sort(pool[busiest])
    standard = (window[:, pool] - window[:, pool].mean(axis=0)) / sigma[pool]
    loadings = _factors(standard.T @ standard / (WINDOW_ROWS - 1)) / sigma[pool][:, None]
    recent = r[row - FIT_ROWS + 1 : row + 1]
    factors = recent[:, pool] @ loadings
    centred = factors - factors.mean(axis=0)
    means = recent.mean(axis=0)
    beta = np.linalg.solve(centred.T @ centred, centred.T @ (recent - means))
    alpha = means - factors.mean(axis=0) @ beta
    rest = recent - means - centred @ beta
    explained = 1.0 - rolling.ratio((rest**2).sum(axis=0), ((recent - means) ** 2).sum(axis=0))
    keep, t_stat, centre, spread = _reversion(np.cumsum(rest, axis=0))
    return Fit(row, pool, loadings, alpha, beta, keep, t_stat, explained, centre, spread)


def _factors(correlation: Floats) -> Floats:
    """Leading eigenvectors, (P, k), until they explain 55 % of the trace, at most ten."""
    size = len(correlation)
    most = min(MOST_FACTORS, size)
    values, vectors = eigh(correlation, subset_by_index=(size - most, size - 1))
    shares = np.cumsum(values[::-1]) / size
    count = min(int(np.searchsorted(shares, FACTOR_SHARE)) + 1, most)
    return np.ascontiguousarray(vectors[:, ::-1][:, :count])


def _reversion(x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Of summed residuals (K, S): share kept, its t against 1, centre less the mean of all centres, and spread."""
    before, after = x[:-1], x[1:]
    dx, dy = before - before.mean(axis=0), after - after.mean(axis=0)
    square = (dx * dx).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):  # a residual that never moves keeps nothing
        keep = (dx * dy).sum(axis=0) / square
        noise = ((dy - keep * dx) ** 2).sum(axis=0)
        t_stat = (keep - 1.0) / np.sqrt(noise / (len(before) - 2) / square)
        centre = (after.mean(axis=0) - keep * before.mean(axis=0)) / (1.0 - keep)
        spread = np.sqrt(noise / (len(before) - 1) / (1.0 - keep * keep))
    reverts = (keep > 0) & (keep < 1)
    mean = centre[reverts].mean() if reverts.any() else 0.0
    return keep, t_stat, centre - mean, spread


def _unfold(r: Floats, fits: list[Fit], order: Integers) -> Residuals:
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
    back = np.empty(size, dtype=np.int64)
    back[order] = np.arange(size)
    return Residuals(score, keep, t_stat, r2, spread, number, moved, r[:, back])


def _moved(fit: Fit, order: Integers) -> Fit:
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    single = {
        name: getattr(fit, name)[back] for name in ("alpha", "keep", "t_stat", "r2", "centre", "spread")
    }
    return Fit(row=fit.row, pool=order[fit.pool], loadings=fit.loadings, beta=fit.beta[:, back], **single)
