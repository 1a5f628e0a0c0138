"""Covariance and expected return of daily returns, shrunk towards what little history can tell apart from chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.errors import InputError
from sextant.model.bar import Floats

DAYS: Final = 365.0
"""Days of a year; crypto markets never close."""

FARTHEST_SIGMAS: Final = 1.0  # bound of an expected excess return, in standard deviations of a year


@dataclass(frozen=True, eq=False)
class Covariance:
    """A shrunk covariance.

    Parameters
    ----------
    matrix
        float64 (N, N): per row of the returns it came from; symmetric and positive semidefinite.
    shrink_frac
        Weight of the constant-correlation target, in [0, 1].
    correlation
        Mean correlation of all couples; NaN for one column.
    """

    matrix: Floats
    shrink_frac: float
    correlation: float


def shrunk_covariance(returns: Floats, weights: Floats | None = None) -> Covariance:
    """The covariance of returns, shrunk towards constant correlation.

    Parameters
    ----------
    returns
        float64 (T, N): one row per bar, fractions, finite.
    weights
        float64 (T,): weight of each row; None weighs all alike.

    Raises
    ------
    InputError
        If a value is missing or a column does not move: neither has a correlation.

    Notes
    -----
    S = sample covariance (1/T); F_ii = s_ii, F_ij = rbar sqrt(s_ii s_jj); pi_ij = mean((y_i y_j)^2) - s_ij^2;
    rho = sum pi_ii + rbar sum_{i!=j} sqrt(s_jj/s_ii) (mean(y_i^3 y_j) - s_ii s_ij); gamma = sum (F - S)^2;
    delta = clip((sum pi - rho)/(gamma T), 0, 1). With weights, means are weighted and T = 1/sum of squared weights.

    References
    ----------
    Ledoit, Wolf 2004, Honey, I Shrunk the Sample Covariance Matrix, Journal of Portfolio Management 30.
    """
    if not (np.isfinite(returns).all() and (returns != returns[:1]).any(axis=0).all()):
        raise InputError("A covariance needs finite returns of columns that move.", reason="out_of_range")
    share = _shares(returns, weights)
    y = returns - share @ returns
    s = (y * share[:, None]).T @ y
    var = np.diag(s).copy()
    size = len(var)
    if size == 1:
        return Covariance(s, 0.0, float("nan"))
    sd = np.sqrt(var)
    off = ~np.eye(size, dtype=np.bool_)
    rbar = float((s / np.outer(sd, sd))[off].mean())
    target = rbar * np.outer(sd, sd)
    np.fill_diagonal(target, var)
    square = y * y
    pi = (square * share[:, None]).T @ square - s * s
    skewed = (square * y * share[:, None]).T @ y - var[:, None] * s
    rho = float(np.diag(pi).sum() + rbar * (np.outer(1.0 / sd, sd) * skewed)[off].sum())
    gamma = float(((target - s) ** 2).sum())
    rows = 1.0 / float((share**2).sum())
    delta = min(max((float(pi.sum()) - rho) / (gamma * rows), 0.0), 1.0) if gamma > 0 else 0.0
    return Covariance(delta * target + (1.0 - delta) * s, delta, rbar)


def shrunk_mean(returns: Floats, matrix: Floats, rf: float = 0.0) -> Floats:
    """Expected return of a year of each column, float64 (N,), shrunk towards that of the least variable mix.

    Parameters
    ----------
    returns
        float64 (T, N): daily returns.
    matrix
        float64 (N, N): their covariance per day.
    rf
        Yield of cash, fraction a year.

    Notes
    -----
    mu = (1 - w) m + w m0 with m0 the mean return of the minimum-variance mix and w = (N + 2)/((N + 2) + T (m - m0)'
    S^-1 (m - m0)); the excess over ``rf`` is then bounded by one standard deviation of a year.

    References
    ----------
    Jorion 1986, Bayes-Stein Estimation for Portfolio Analysis, Journal of Financial and Quantitative Analysis 21.
    """
    rows, size = returns.shape
    m = returns.mean(axis=0)
    inverse = np.linalg.pinv(matrix, hermitian=True)
    ones = np.ones(size)
    m0 = float(ones @ inverse @ m) / float(ones @ inverse @ ones)
    gap = m - m0
    weight = (size + 2.0) / (size + 2.0 + rows * max(float(gap @ inverse @ gap), 0.0))
    mu = DAYS * ((1.0 - weight) * m + weight * m0)
    bound = FARTHEST_SIGMAS * np.sqrt(DAYS * np.diag(matrix))
    bounded: Floats = rf + np.clip(mu - rf, -bound, bound)
    return bounded


def recency(rows: int, half_life: float) -> Floats:
    """float64 (T,): weights that halve every ``half_life`` rows into the past and sum to 1, the last row the heaviest."""
    weights = 0.5 ** (np.arange(rows - 1, -1, -1) / half_life)
    shares: Floats = weights / weights.sum()
    return shares


def _shares(returns: Floats, weights: Floats | None) -> Floats:
    given = np.ones(len(returns)) if weights is None else weights
    shares: Floats = given / given.sum()
    return shares
