"""Forecasts of realised variance from daily bars, and the scenarios of settlement prices that follow from their errors.

References
----------
Garman, M., Klass, M. (1980), On the estimation of security price volatilities from historical data, Journal of Business 53.
Corsi, F. (2009), A simple approximate long-memory model of realized volatility, Journal of Financial Econometrics 7.
Barone-Adesi, G., Giannopoulos, K., Vosper, L. (1999), VaR without correlations for portfolios of derivative securities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.strategies.black import YEAR_DAYS

SPANS: Final = (1, 7, 30)
"""Days of the means that the forecast is made of."""

FEWEST_PAIRS: Final = 250
MOST_PAIRS: Final = 500

_TERMS: Final = len(SPANS) + 1
_SHIFT: Final = 7.0  # logs of a day's variance lie around -7; near 0 the sums of squares keep their digits


@dataclass(frozen=True, eq=False)
class Outlook:
    """What the past says about the price some days ahead.

    Parameters
    ----------
    rows
        Days that each past outcome spans.
    sigma_day
        Forecast of the standard deviation of a day's log return.
    z
        float64 (n,): past log returns over ``rows`` days by what was forecast for them, mean 0, out of sample.
    loss, plain_loss
        QLIKE of the forecasts and of the 30-day mean over the same days: mean of ln f + v/f; lower is better.
    """

    rows: int
    sigma_day: float
    z: Floats
    loss: float
    plain_loss: float

    @property
    def volatility(self) -> float:
        """Forecast volatility a year; the spread of ``z`` absorbs the bias of ranges."""
        return self.sigma_day * float(np.std(self.z, ddof=1)) * math.sqrt(YEAR_DAYS)

    @property
    def n_eff(self) -> float:
        """Past outcomes that do not overlap."""
        return len(self.z) / self.rows

    def scenarios(self, forward: float, days: float) -> Floats:
        """float64 (n,): settlement prices after ``days``, of mean ``forward``: no view on direction."""
        moved = np.exp(self.sigma_day * math.sqrt(days) * self.z)
        found: Floats = forward * moved / moved.mean()
        return found


def garman_klass(first: Floats, high: Floats, low: Floats, close: Floats) -> Floats:
    """Variance of each bar's log price, float64 (T,); NaN where a price is unknown or nothing moved.

    Notes
    -----
    v = ln(h/l)^2 / 2 - (2 ln 2 - 1) ln(c/o)^2. A bar without a range says that nothing traded, not that variance is 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        v = 0.5 * np.log(high / low) ** 2 - (2.0 * math.log(2.0) - 1.0) * np.log(close / first) ** 2
    found: Floats = np.where(v > 0, v, np.nan)
    return found


def complete_tail(*columns: Floats) -> int:
    """Rows at the end of the columns (T,) in which none is NaN."""
    missing = np.flatnonzero(np.isnan(np.sum(columns, axis=0)))
    return len(columns[0]) - (int(missing[-1]) + 1 if len(missing) else 0)


def outlook(v: Floats, close: Floats, rows: int) -> Outlook | None:
    """The outlook over ``rows`` days from daily variances and closes (T,) without gaps; None with too few rows.

    Notes
    -----
    ln of the mean variance of the next ``rows`` days on the logs of the means of the last 1, 7 and 30 days, by least squares
    on the newest 250 to 500 pairs whose days had ended before the row; forecast = exp(fit + s^2 / 2), s the standard
    deviation of residuals.
    """
    variance = _forecasts(v, rows)
    ahead = _ahead(v, rows)
    if not np.isfinite(variance[-1]):
        return None
    moved = np.full(len(v), np.nan)
    moved[:-rows] = np.log(close[rows:] / close[:-rows])
    past = np.isfinite(variance) & np.isfinite(moved)
    if np.count_nonzero(past) < 2:
        return None
    z = moved[past] / np.sqrt(variance[past] * rows)
    plain = _mean(v, SPANS[-1])[past]
    return Outlook(
        rows=rows,
        sigma_day=math.sqrt(variance[-1]),
        z=z - z.mean(),
        loss=_qlike(variance[past], ahead[past]),
        plain_loss=_qlike(plain, ahead[past]),
    )


def _qlike(forecast: Floats, realised: Floats) -> float:
    return float(np.mean(np.log(forecast) + realised / forecast))


def _mean(v: Floats, span: int) -> Floats:
    """Means of the last ``span`` values, NaN before there are as many."""
    sums = np.concatenate(([0.0], np.cumsum(v)))
    found = np.full(len(v), np.nan)
    found[span - 1 :] = (sums[span:] - sums[:-span]) / span
    return found


def _ahead(v: Floats, rows: int) -> Floats:
    """Means of the next ``rows`` values, NaN where they are not all known yet."""
    found = np.full(len(v), np.nan)
    found[:-rows] = _mean(v, rows)[rows:]
    return found


def _forecasts(v: Floats, rows: int) -> Floats:
    """Forecast variance of a day, for each row from pairs known before it; NaN with fewer than 250."""
    found = np.full(len(v), np.nan)
    x = np.column_stack([np.ones(len(v)), *(np.log(_mean(v, span)) + _SHIFT for span in SPANS)])
    y = np.log(_ahead(v, rows)) + _SHIFT
    first = SPANS[-1] - 1
    # Pairs are numbered from the first row that has all means; a pair counts on the day after its last one.
    known = x[first : len(v) - rows]
    if len(known) < FEWEST_PAIRS:
        return found
    target = y[first : len(v) - rows]
    squares = _running(known[:, :, None] * known[:, None, :])
    products = _running(known * target[:, None])
    totals = _running(target * target)
    at = np.arange(first + FEWEST_PAIRS + rows, len(v))
    end = at - first - rows
    start = np.maximum(end - MOST_PAIRS, 0)
    count = end - start
    fits = np.linalg.solve(squares[end] - squares[start], (products[end] - products[start])[:, :, None])[
        :, :, 0
    ]
    left = totals[end] - totals[start] - np.sum(fits * (products[end] - products[start]), axis=1)
    spare = np.maximum(left, 0.0) / (count - _TERMS)
    found[at] = np.exp(np.sum(x[at] * fits, axis=1) + 0.5 * spare - _SHIFT)
    return found


def _running(values: Floats) -> Floats:
    """Sums of all values before each place, beginning with nothing."""
    return np.concatenate((np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)))
