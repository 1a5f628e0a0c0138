"""How much a portfolio may lose: scenarios of the past at today's volatility, and what they say about the tail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.strategies import rolling

HALF_LIFE: Final = 60.0
LEAST_ROWS: Final = 120
MOST_ROWS: Final = 500
LEVEL: Final = 0.975
TESTED_DAYS: Final = 250
EXCEEDANCES: Final = (2, 12)
"""How many losses beyond VaR97.5 250 days may hold for the model to stand; 6.25 are expected (Kupiec, 5 %)."""

LEVELS: Final = (0.95, 0.975, 0.99)


def scenarios(returns: Floats, half_life: float = HALF_LIFE) -> Floats:
    """Past returns scaled to today's volatility, float64 (T', N); rows without a volatility before them are left out.

    Parameters
    ----------
    returns
        float64 (T, N): log returns, finite.

    Notes
    -----
    r_t sigma_now / sigma_t, where sigma_t is the exponentially weighted root mean square of the rows before t, and sigma_now
    that of all rows. The first ``half_life`` rows only warm it up; of the others the newest 500 are kept.

    References
    ----------
    Barone-Adesi, Giannopoulos, Vosper 1999, VaR without Correlations for Portfolios of Derivative Securities.
    """
    sigma = rolling.ewstd(np.ascontiguousarray(returns), half_life)
    before = np.vstack((np.full((1, returns.shape[1]), np.nan), sigma[:-1]))
    scaled: Floats = (returns * rolling.ratio(np.broadcast_to(sigma[-1], before.shape).copy(), before))[
        round(half_life) :
    ]
    return scaled[np.isfinite(scaled).all(axis=1)][-MOST_ROWS:]


def over_days(rows: Floats, days: int) -> Floats:
    """Sums of each ``days`` successive scenarios, overlapping, float64 (T' - days + 1, N)."""
    total = np.cumsum(np.vstack((np.zeros((1, rows.shape[1])), rows)), axis=0)
    sums: Floats = total[days:] - total[:-days]
    return sums


def value_at_risk(gains: Floats, level: float = LEVEL) -> float:
    """The loss that is exceeded in a share ``1 - level`` of outcomes, >= 0 where there is one."""
    return -float(np.sort(gains)[_tail(len(gains), level)[0]])


def shortfall(gains: Floats, level: float = LEVEL) -> float:
    """The mean loss in the worst share ``1 - level`` of outcomes, in their unit; below 0 where even those gain.

    Notes
    -----
    The outcome on the edge of the tail counts with the share of it that lies within, so that the value is convex in the
    positions and its contributions sum to it.

    References
    ----------
    Acerbi, Tasche 2002, On the Coherence of Expected Shortfall, Journal of Banking & Finance 26.
    """
    worst, weights = _weighed(gains, level)
    return -float(gains[worst] @ weights)


def contributions(rows: Floats, exposure: Floats, level: float = LEVEL) -> Floats:
    """float64 (N,): how much of the shortfall of a portfolio each exposure carries; they sum to it."""
    worst, weights = _weighed(rows @ exposure, level)
    carried: Floats = -(weights @ rows[worst]) * exposure
    return carried


@dataclass(frozen=True)
class Backtest:
    """How often a loss went beyond the VaR that was stated the day before.

    Parameters
    ----------
    days, beyond
        Days looked at, and losses beyond.
    holds
        Whether that many are within what a right model gives.
    factor
        The least by which VaR must be widened for no more to be beyond than a right model gives; 1 where it need not be.
    """

    days: int
    beyond: int
    holds: bool
    factor: float


def backtest(returns: Floats, exposure: Floats, half_life: float = HALF_LIFE) -> Backtest | None:
    """Losses of today's portfolio in the last 250 days beyond the VaR97.5 of the day before; None with too few days.

    Notes
    -----
    Each day's VaR is the quantile of the standardised returns before it at its own volatility.

    References
    ----------
    Kupiec 1995, Techniques for Verifying the Accuracy of Risk Measurement Models, Journal of Derivatives 3.
    """
    gains = returns @ exposure
    sigma = rolling.ewstd(np.ascontiguousarray(gains[:, None]), half_life)[:, 0]
    before = np.concatenate(([np.nan], sigma[:-1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        standard = gains / before
    first = max(LEAST_ROWS, len(gains) - TESTED_DAYS)
    days = len(gains) - first
    if days < TESTED_DAYS // 2:
        return None
    ratios = np.zeros(days)
    for day in range(first, len(gains)):
        known = standard[max(round(half_life), day - MOST_ROWS) : day]
        limit = value_at_risk(known[np.isfinite(known)]) * before[day]
        ratios[day - first] = -gains[day] / limit if limit > 0 else (math.inf if gains[day] < 0 else 0.0)
    beyond = int((ratios > 1.0).sum())
    low, high = (bound * days / TESTED_DAYS for bound in EXCEEDANCES)
    widened = np.sort(ratios[np.isfinite(ratios)])[::-1]
    factor = max(1.0, float(widened[math.floor(high)])) if len(widened) > high else 1.0
    return Backtest(days, beyond, low <= beyond <= high, factor)


def clusters(correlation: Floats, limit: float) -> list[list[int]]:
    """Groups of columns joined by correlations above a limit, each with at least two, the first column first."""
    size = len(correlation)
    group = list(range(size))
    for i in range(size):
        for j in range(i):
            if correlation[i, j] > limit:
                old, joined = group[i], group[j]
                group = [joined if g == old else g for g in group]
    found = [[i for i in range(size) if group[i] == g] for g in dict.fromkeys(group)]
    return [members for members in found if len(members) > 1]


def _tail(count: int, level: float) -> tuple[int, float]:
    """How many outcomes lie wholly in the tail, and the share of the next."""
    size = (1.0 - level) * count
    whole = math.floor(size + 1e-9)
    return whole, max(size - whole, 0.0)


def _weighed(gains: Floats, level: float) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Floats]:
    """Indices of the worst outcomes and their weights, which sum to 1."""
    whole, share = _tail(len(gains), level)
    worst = np.argsort(gains, kind="stable")[: whole + 1]
    weights = np.ones(len(worst))
    weights[-1] = share
    return worst, weights / ((1.0 - level) * len(gains))
