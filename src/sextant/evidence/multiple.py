"""What the best of many tries proves: the deflated Sharpe ratio and a reality check."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from scipy.special import ndtr, ndtri

from sextant.model.bar import Floats

EULER_GAMMA: Final = 0.57722
RESAMPLES: Final = 500

_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_ONE: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_TWO: Final = np.uint64(0x94D049BB133111EB)
_SHIFT_11: Final = np.uint64(11)
_SHIFT_27: Final = np.uint64(27)
_SHIFT_30: Final = np.uint64(30)
_SHIFT_31: Final = np.uint64(31)


class Shape(NamedTuple):
    """Mean over standard deviation, skewness and kurtosis (3 for the normal) of G cluster means."""

    ratio: float
    skew: float
    kurt: float
    groups: int


class Tries(NamedTuple):
    """How many cells were looked at in all, and the variance of the ratios of those that say something."""

    cells_count: int
    variance: float


def shape_of(means: Floats) -> Shape | None:
    """The shape of cluster means; None for fewer than three or where they do not vary."""
    if len(means) < 3:
        return None
    centred = means - means.mean()
    second = float((centred**2).mean())
    if second <= 0:
        return None
    sd = math.sqrt(second * len(means) / (len(means) - 1))
    skew = float((centred**3).mean()) / second**1.5
    kurt = float((centred**4).mean()) / second**2
    return Shape(float(means.mean()) / sd, skew, kurt, len(means))


def deflated_p(shape: Shape, tries: Tries) -> float | None:
    """Probability that a ratio is above what the best of many worthless tries would show, in [0, 1].

    Parameters
    ----------
    shape
        Of the cluster means in question.
    tries
        How many there were, and the variance of their ratios; at least 1/G is used.

    Notes
    -----
    ``sr0 = sqrt(V)((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e)))``, 0 for one try;
    ``Phi((sr - sr0) sqrt(G - 1)/sqrt(1 - skew sr + (kurt - 1)/4 sr^2))``.

    References
    ----------
    Bailey, Lopez de Prado 2014, The Deflated Sharpe Ratio, Journal of Portfolio Management 40(5).

    Examples
    --------
    >>> round(deflated_p(Shape(2.5 / 250**0.5, -3.0, 10.0, 1250), Tries(100, 0.5 / 250)), 4)
    0.9004
    """
    expected = 0.0
    if tries.cells_count > 1:
        spread = math.sqrt(max(tries.variance, 1.0 / shape.groups))
        first = float(ndtri(1.0 - 1.0 / tries.cells_count))
        second = float(ndtri(1.0 - 1.0 / (tries.cells_count * math.e)))
        expected = spread * ((1.0 - EULER_GAMMA) * first + EULER_GAMMA * second)
    sr = shape.ratio
    noise = 1.0 - shape.skew * sr + (shape.kurt - 1.0) / 4.0 * sr * sr
    if noise <= 0:
        return None
    return float(ndtr((sr - expected) * math.sqrt(shape.groups - 1) / math.sqrt(noise)))


@njit(cache=True, nogil=True)
def _resampled_maxima(means: Floats, centre: Floats, root: Floats, seed: np.uint64, count: int) -> Floats:
    """Maxima over cells of ``root * (resampled mean - mean)``, one per stationary bootstrap."""
    groups, cells = means.shape
    restart = 1.0 / max(1.0, math.sqrt(groups))
    maxima = np.full(count, -np.inf)
    state = seed
    total, seen = np.empty(cells), np.empty(cells)
    for resample in range(count):
        total[:] = 0.0
        seen[:] = 0.0
        at = -1
        for _ in range(groups):
            # splitmix64 (Steele, Lea, Flood 2014): the stream depends on the seed alone, on every machine.
            state = state + _STEP
            z = (state ^ (state >> _SHIFT_30)) * _MIX_ONE
            z = (z ^ (z >> _SHIFT_27)) * _MIX_TWO
            z = z ^ (z >> _SHIFT_31)
            u = float(z >> _SHIFT_11) * 2.0**-53
            # One draw decides both: below ``restart`` it is, rescaled, again uniform.
            at = int(u / restart * groups) if at < 0 or u < restart else (at + 1) % groups
            at = at % groups
            for cell in range(cells):
                if not np.isnan(means[at, cell]):
                    total[cell] += means[at, cell]
                    seen[cell] += 1.0
        for cell in range(cells):
            if seen[cell] > 0:
                maxima[resample] = max(
                    maxima[resample], root[cell] * (total[cell] / seen[cell] - centre[cell])
                )
    return maxima


def reality_p(means: Floats, seed: bytes) -> float | None:
    """Share of resamples in which worthless cells look as good as the best cell does; None without cells.

    Parameters
    ----------
    means
        float64 (G, C): mean of each cluster in each cell, in order of time; NaN where a cell has no event.
    seed
        At least 8 bytes that name the data: the same events give the same answer.

    Notes
    -----
    500 stationary bootstraps over clusters, mean block ``sqrt G``; the share whose maximum over cells of
    ``sqrt(G)(mean* - mean)`` reaches the observed maximum of ``sqrt(G) mean``, G the clusters of each cell.

    References
    ----------
    White 2000, A Reality Check for Data Snooping, Econometrica 68; Politis, Romano 1994, The Stationary
    Bootstrap, JASA 89.
    """
    means = np.ascontiguousarray(means[:, ~np.isnan(means).all(axis=0)])
    if not means.size:
        return None
    root = np.sqrt((~np.isnan(means)).sum(axis=0))
    centre = np.nanmean(means, axis=0)
    start = np.uint64(int.from_bytes(seed[:8], "little"))
    maxima = _resampled_maxima(means, centre, root, start, RESAMPLES)
    return float((maxima >= float((root * centre).max())).mean())
