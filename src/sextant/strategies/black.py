"""Black's formula of 1976: prices, greeks and implied volatilities of options on a forward, without interest.

References
----------
Black, F. (1976), The pricing of commodity contracts, Journal of Financial Economics 3, 167-179.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from scipy.special import ndtr

from sextant.model.bar import Floats, Integers

YEAR_DAYS: Final = 365.0
_ROOT_2PI: Final = float(np.sqrt(2.0 * np.pi))
_WIDEST: Final = 20.0  # 2,000 % a year; no venue quotes more
_MOST_STEPS: Final = 200
_LEAST: Final = 0.1  # at the money the value bends at 0, where Newton cannot begin
_CLOSE: Final = 1e-12
_HALF: Final = math.sqrt(0.5)
_TIE: Final = 1e-9  # of the forward: a price this near its bound says nothing about volatility


@dataclass(frozen=True, eq=False)
class Greeks:
    """Sensitivities of options, float64 (n,) each, in quote units per base unit.

    Parameters
    ----------
    delta
        Per quote unit of the forward: N(d1) of a call, N(d1) - 1 of a put.
    gamma
        Change of delta per quote unit.
    vega
        Per 0.01 of volatility.
    theta
        Per day that passes, negative for what is owned.
    """

    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats


def price(forward: Floats, strike: Floats, iv: Floats, years: Floats, right: Integers) -> Floats:
    """Values of options in quote units per base unit, float64 (n,); NaN where an input is.

    Parameters
    ----------
    forward, strike
        Quote units, above 0.
    iv, years
        Volatility a year as a fraction, and time to expiry; where either is 0 the value is the intrinsic one.
    right
        +1 call, -1 put.

    Notes
    -----
    d1 = (ln(F/K) + iv^2 T / 2) / (iv sqrt T), d2 = d1 - iv sqrt T; C = F N(d1) - K N(d2), P = C - F + K. Both are computed as
    right (F N(right d1) - K N(right d2)), so that a value far out of the money keeps its digits.
    """
    spread = iv * np.sqrt(years)
    with np.errstate(divide="ignore", invalid="ignore"):
        d1 = np.log(forward / strike) / spread + 0.5 * spread
        value = right * (forward * ndtr(right * d1) - strike * ndtr(right * (d1 - spread)))
    intrinsic = np.maximum(right * (forward - strike), 0.0)
    found: Floats = np.where(spread > 0, value, np.where(spread == 0, intrinsic, np.nan))
    return found


def greeks(forward: Floats, strike: Floats, iv: Floats, years: Floats, right: Integers) -> Greeks:
    """Sensitivities of options; NaN where volatility or time is not above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(iv * years > 0, iv * np.sqrt(years), np.nan)
        d1 = np.log(forward / strike) / spread + 0.5 * spread
        density = np.exp(-0.5 * d1 * d1) / _ROOT_2PI
        return Greeks(
            delta=np.asarray(right * ndtr(right * d1), dtype=np.float64),
            gamma=np.asarray(density / (forward * spread), dtype=np.float64),
            vega=np.asarray(forward * density * np.sqrt(years) / 100.0, dtype=np.float64),
            theta=np.asarray(-forward * density * iv / (2.0 * np.sqrt(years)) / YEAR_DAYS, dtype=np.float64),
        )


def implied(value: Floats, forward: Floats, strike: Floats, years: Floats, right: Integers) -> Floats:
    """Volatilities at which options are worth ``value``, fractions a year, float64 (n,).

    Notes
    -----
    By Newton's steps on the option of the pair that is out of the money, begun where its value bends (Manaster, Koehler 1982)
    and kept within what is known to be too low and too high in (0, 20]: the value rises with volatility, so the answer is the
    only one. NaN where there is none (a value at or below the intrinsic one, at or above the forward of a call or the strike
    of a put), or an input is unknown.

    References
    ----------
    Manaster, S., Koehler, G. (1982), The calculation of implied variances from the Black-Scholes model, Journal of Finance 37.
    """
    whole = np.broadcast_arrays(value, forward, strike, years, right)
    given = [np.ascontiguousarray(column, dtype=np.float64) for column in whole]
    found = np.empty(given[0].shape)
    _imply(
        given[0].ravel(),
        given[1].ravel(),
        given[2].ravel(),
        given[3].ravel(),
        given[4].ravel(),
        found.ravel(),
    )
    return found


@njit(cache=True, nogil=True)
def _imply(
    value: Floats, forward: Floats, strike: Floats, years: Floats, right: Floats, found: Floats
) -> None:
    for i in range(len(value)):
        f, k, w = forward[i], strike[i], right[i]
        intrinsic = max(w * (f - k), 0.0)
        ceiling = f if w > 0 else k
        found[i] = np.nan
        if not (value[i] > intrinsic + _TIE * f and value[i] < ceiling - _TIE * f and years[i] > 0):
            continue
        # What is in the money is worth its intrinsic value and the other of the pair, which keeps its digits.
        w = 1.0 if k >= f else -1.0
        root = math.sqrt(years[i])
        found[i] = _spread_of(value[i] - intrinsic, f, k, w, _WIDEST * root) / root


@njit(cache=True, nogil=True)
def _spread_of(target: float, f: float, k: float, w: float, most: float) -> float:
    """The volatility until expiry at which an option out of the money is worth ``target``; ``most`` where it is more."""
    log = math.log(f / k)
    low, high = 0.0, most
    spread = min(max(math.sqrt(2.0 * abs(log)), _LEAST), most)
    for _ in range(_MOST_STEPS):
        d1 = log / spread + 0.5 * spread
        worth = 0.5 * w * (f * math.erfc(-w * d1 * _HALF) - k * math.erfc(-w * (d1 - spread) * _HALF))
        if worth > target:
            high = spread
        else:
            low = spread
        slope = f * math.exp(-0.5 * d1 * d1) / _ROOT_2PI
        step = (worth - target) / slope if slope > 0.0 else np.inf
        following = spread - step
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - spread) <= _CLOSE * spread:
            return following
        spread = following
    return spread


def payoff(settlement: Floats, strike: float, right: int) -> Floats:
    """What an option pays at its expiry in quote units per base unit, for settlement prices float64 (n,)."""
    return np.maximum(right * (settlement - strike), 0.0)
