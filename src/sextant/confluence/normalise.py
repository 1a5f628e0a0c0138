"""Maps of numbers into [-1, 1] and [0, 1], elementwise on arrays of any shape; NaN stays NaN.

Notes
-----
Only ``+ - * / sqrt abs min max`` and comparisons are used, so that the bits are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats

Knots = tuple[tuple[float, float], ...]
"""Points (x, y) from x = 0 on, x rising; the map is odd and flat beyond the last."""

_HUGE: Final = 1e150  # its square is still a number


def sq(z: Floats) -> Floats:
    """The number z / sqrt(1 + z*z): odd, rising, in (-1, 1); 1 at infinity."""
    with np.errstate(invalid="ignore", over="ignore"):
        out: Floats = np.where(np.abs(z) < _HUGE, z / np.sqrt(1.0 + z * z), np.sign(z))
    return out


def lin(z: Floats) -> Floats:
    """The number held in [-1, 1]."""
    out: Floats = np.minimum(1.0, np.maximum(-1.0, z))
    return out


def ramp(x: Floats, start: float, end: float) -> Floats:
    """0 at ``start``, 1 at ``end``, linear between and flat outside; falling where end < start."""
    out: Floats = np.minimum(1.0, np.maximum(0.0, (x - start) / (end - start)))
    return out


def ratio(a: Floats, b: Floats) -> Floats:
    """a/b where b > 0, else 0; NaN where either is NaN."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        out: Floats = np.where(b > 0, a / b, 0.0)
    return np.where(np.isnan(a) | np.isnan(b), np.nan, out)


def knots(x: Floats, points: Knots) -> Floats:
    """The odd piecewise-linear map through some points, flat beyond the last."""
    size, sign = np.abs(x), np.where(x < 0, -1.0, 1.0)
    out: Floats = np.where(np.isnan(x), np.nan, points[-1][1])
    for (x0, y0), (x1, y1) in zip(points[-2::-1], points[:0:-1], strict=True):
        out = np.where(size < x1, y0 + (y1 - y0) * ((size - x0) / (x1 - x0)), out)
    return sign * out


def together(*columns: Floats) -> Floats:
    """The first column, NaN where any of them is; 0 where there is none."""
    if not columns:
        return np.zeros((1, 1))
    out: Floats = columns[0]
    for column in columns[1:]:
        out = np.where(np.isnan(column), np.nan, out)
    return out


def bar_direction(high: Floats, low: Floats, close: Floats, volume: Floats, bought: Floats) -> Floats:
    """Where a bar closed in its range and who took; where takers are unknown the first alone.

    Notes
    -----
    d = .6*clv + .4*(bought - sold)/volume, in [-1, 1]; a bar without range or volume says 0.
    """
    place = ratio((close - low) - (high - close), high - low)
    taken = ratio(2.0 * bought - volume, volume)
    return np.where(np.isnan(bought), place, 0.6 * place + 0.4 * taken)


@dataclass(frozen=True)
class Per:
    """The map ``sq(x / unit)``: where x is one unit the signal is 0.707."""

    unit: float

    def __call__(self, x: Floats) -> Floats:
        """The signal of some values."""
        return sq(x / self.unit)
