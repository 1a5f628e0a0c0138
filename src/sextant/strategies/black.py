"""Black's formula of 1976: prices, greeks and implied volatilities of options on a forward, without interest.

References
----------
Black, F. (1976), The pricing of commodity contracts, Journal of Financial Economics 3, 167-179.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr

from sextant.model.bar import Floats, Integers

YEAR_DAYS: Final = 365.0
_ROOT_2PI: Final = float(np.sqrt(2.0 * np.pi))
_WIDEST: Final = 20.0  # 2,000 % a year; no venue quotes more
_BISECTIONS: Final = 60
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
    By bisection on (0, 20]: the value rises with volatility, so the answer is the only one. NaN where there is none (a value
    at or below the intrinsic one, at or above the forward of a call or the strike of a put), or an input is unknown.
    """
    intrinsic = np.maximum(right * (forward - strike), 0.0)
    ceiling = np.where(right > 0, forward, strike)
    tie = _TIE * forward
    good = (value > intrinsic + tie) & (value < ceiling - tie) & (years > 0)
    low, high = np.zeros_like(value), np.full_like(value, _WIDEST)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        above = price(forward, strike, middle, years, right) > value
        high = np.where(above, middle, high)
        low = np.where(above, low, middle)
    found: Floats = np.where(good, 0.5 * (low + high), np.nan)
    return found


def payoff(settlement: Floats, strike: float, right: int) -> Floats:
    """What an option pays at its expiry in quote units per base unit, for settlement prices float64 (n,)."""
    return np.maximum(right * (settlement - strike), 0.0)
