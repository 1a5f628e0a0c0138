"""The trend that several horizons share: how far a price has come, in units of what its noise would explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.times import Interval
from sextant.strategies import rolling
from sextant.strategies.columns import Columns

CAP: Final = 2.0  # standard deviations beyond which a move counts no further


@dataclass(frozen=True, eq=False)
class Trend:
    """The common trend on every row, float64 (T, S).

    Parameters
    ----------
    value
        In [-1, 1], positive upwards.
    agreement
        How many horizons point where ``value`` points.
    sigma
        Exponentially weighted volatility of one bar, fraction.
    """

    value: Floats
    agreement: Floats
    sigma: Floats

    @property
    def direction(self) -> Floats:
        """+1, -1 or 0; NaN where unknown."""
        return np.sign(self.value)


def trend_of(columns: Columns, interval: Interval, horizons: tuple[int, ...], half_life: int) -> Trend:
    """The trend over horizons given in rows.

    Notes
    -----
    ``m_L = (ln c - ln c[L rows ago]) / (sigma sqrt L)``, ``value = mean of clip(m_L, -2, 2)/2``, sigma = ewstd(r, half_life).
    """

    def make() -> Trend:
        c = columns.log_close(interval)
        sigma = columns.volatility(interval, half_life)
        moves = [rolling.ratio(c - rolling.lag(c, rows), sigma * np.sqrt(rows)) for rows in horizons]
        nothing = np.zeros(c.shape)
        total = sum((np.clip(move, -CAP, CAP) for move in moves), start=nothing)
        value = total / (CAP * len(horizons))
        d = np.sign(value)
        agreement = np.where(np.isnan(d), np.nan, sum((move * d > 0 for move in moves), start=nothing))
        return Trend(value, agreement, sigma)

    return columns.once(("trend", interval, horizons, half_life), make, lasting=interval, spent=True)
