"""Engle-Granger on the logarithms of two prices: the hedge ratio, how surely the rest reverts, and how fast.

References
----------
Engle, Granger 1987, Co-integration and Error Correction, Econometrica 55. MacKinnon 2010, Critical Values for
Cointegration Tests, Queen's Economics Department Working Paper 1227.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.strategies import rolling

_ONE_PERCENT: Final = (-3.89644, -10.9519, -22.527)
_FIVE_PERCENT: Final = (-3.33613, -6.1101, -6.823)


class Fit(NamedTuple):
    """Fits of C couples on one window; float64 (C,) unless stated, NaN where a price is unknown.

    Parameters
    ----------
    first_leads
        bool (C,): the first instrument is explained by the second; else the second by the first.
    alpha, beta, sd
        ``e = ln y - alpha - beta ln x`` and the standard deviation of e, natural logarithms.
    t
        Of rho in ``de_t = rho e_{t-1} + g de_{t-1}``: the more negative of both ways.
    half_life
        Rows in which half of e is gone, at most the window; 0 where e does not even keep its sign.
    crossings
        Changes of the sign of e.
    correlation
        Of the log returns.
    """

    first_leads: Floats
    alpha: Floats
    beta: Floats
    sd: Floats
    t: Floats
    half_life: Floats
    crossings: Floats
    correlation: Floats


def critical(rows: int, *, one_percent: bool = True) -> float:
    """The t at or below which two series with a constant are taken to be cointegrated, 1 % or 5 %.

    Examples
    --------
    >>> round(critical(540), 3)
    -3.917
    """
    b0, b1, b2 = _ONE_PERCENT if one_percent else _FIVE_PERCENT
    return b0 + b1 / rows + b2 / rows**2


def fit(logs: Floats, legs: Integers, first: int, rows: int) -> Fit:
    """Both ways of every couple on the rows ``first`` up to and without ``first + rows``.

    Parameters
    ----------
    logs
        float64 (T, S): natural logarithms of prices.
    legs
        int64 (C, 2): columns of the couples.

    Notes
    -----
    A change of one window changes no other: nothing is carried from row to row.
    """
    out = np.full((len(Fit._fields), len(legs)), np.nan)
    if first >= 0 and first + rows <= len(logs) and len(legs):
        used, place = np.unique(legs, return_inverse=True)
        window = np.ascontiguousarray(logs[first : first + rows, used].T)
        _fit_all(window, place.reshape(legs.shape), out)
    return Fit(*out)


@rolling.compiled
def _one_way(y: Floats, x: Floats, e: Floats) -> tuple[float, float, float, float, float]:
    # (alpha, beta, sd, t, b) of y on x; e is filled with the residuals.
    rows = len(y)
    mean_y, mean_x = y.mean(), x.mean()
    xx, xy = 0.0, 0.0
    for k in range(rows):
        xx += (x[k] - mean_x) * (x[k] - mean_x)
        xy += (x[k] - mean_x) * (y[k] - mean_y)
    beta = xy / xx
    alpha = mean_y - beta * mean_x
    square = 0.0
    for k in range(rows):
        e[k] = y[k] - alpha - beta * x[k]
        square += e[k] * e[k]
    # Normal equations of de on the level before and the step before.
    ll, ls, ss, dl, ds, dd, cross, level = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(2, rows):
        before, step, change = e[k - 1], e[k - 1] - e[k - 2], e[k] - e[k - 1]
        ll += before * before
        ls += before * step
        ss += step * step
        dl += change * before
        ds += change * step
        dd += change * change
    for k in range(1, rows):
        cross += e[k] * e[k - 1]
        level += e[k - 1] * e[k - 1]
    det = ll * ss - ls * ls
    rho = (dl * ss - ds * ls) / det
    g = (ds * ll - dl * ls) / det
    rest = dd - rho * dl - g * ds
    error = np.sqrt(rest / (rows - 4) * ss / det)
    return alpha, beta, np.sqrt(square / (rows - 1)), rho / error, cross / level


@rolling.compiled
def _fit_all(window: Floats, place: Integers, out: Floats) -> None:
    rows = window.shape[1]
    e, other = np.empty(rows), np.empty(rows)
    for c in range(place.shape[0]):
        y, x = window[place[c, 0]], window[place[c, 1]]
        if np.isnan(y.sum() + x.sum()):
            continue
        forth, back = _one_way(y, x, e), _one_way(x, y, other)
        leads = not forth[3] > back[3]
        alpha, beta, sd, t, b = forth if leads else back
        if not leads:
            e[:] = other
        crossings = 0
        for k in range(1, rows):
            crossings += (e[k] > 0) != (e[k - 1] > 0)
        half_life = 0.0 if b <= 0 else float(rows)
        if 0 < b < 1:
            half_life = min(-np.log(2.0) / np.log(b), float(rows))
        found = (1.0 if leads else 0.0, alpha, beta, sd, t, half_life, float(crossings), _correlation(y, x))
        for field in range(len(found)):
            out[field, c] = found[field]


@rolling.compiled
def _correlation(y: Floats, x: Floats) -> float:
    rows = len(y)
    mean_y, mean_x = (y[rows - 1] - y[0]) / (rows - 1), (x[rows - 1] - x[0]) / (rows - 1)
    yy, xx, xy = 0.0, 0.0, 0.0
    for k in range(1, rows):
        a, b = y[k] - y[k - 1] - mean_y, x[k] - x[k - 1] - mean_x
        yy += a * a
        xx += b * b
        xy += a * b
    return float(xy / np.sqrt(yy * xx))
