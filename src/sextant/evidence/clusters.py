"""How much past events say when many of them are one event: clusters, effective counts, intervals."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from scipy.special import stdtrit

from sextant.model.bar import Floats, Integers

Z90: Final = 1.645
"""Normal quantile of two-sided 90 %, the level of every interval here."""


class Clustered(NamedTuple):
    """Values grouped by cluster.

    ``sizes`` and ``sums`` are float64 (G,), clusters without a value left out; ``mean`` is over all n
    values and ``spread`` the sum of their squared deviations from it.
    """

    sizes: Floats
    sums: Floats
    mean: float
    spread: float

    @property
    def events(self) -> int:
        """n, the number of values."""
        return int(self.sizes.sum())

    @property
    def groups(self) -> int:
        """G, the number of clusters."""
        return len(self.sizes)

    @property
    def means(self) -> Floats:
        """float64 (G,): mean of each cluster, in order of time."""
        return self.sums / self.sizes


def clustered(cluster: Integers, values: Floats) -> Clustered:
    """Values grouped by the number of their cluster.

    Parameters
    ----------
    cluster
        int64 (n,), >= 0.
    values
        float64 (n,), finite.
    """
    sizes = np.bincount(cluster).astype(np.float64)
    sums = np.bincount(cluster, weights=values).astype(np.float64)
    present = sizes > 0
    mean = float(values.mean()) if len(values) else math.nan
    return Clustered(sizes[present], sums[present], mean, float(((values - mean) ** 2).sum()))


def effective_count(groups: Clustered) -> float:
    """How many independent events the values are worth, in [0, n].

    Notes
    -----
    ``n/(1 + (sum m_c^2/n - 1) icc)`` with ``icc = max(0, (MSB - MSW)/(MSB + (m0 - 1) MSW))``. All values in one
    cluster are worth one event; where every cluster holds one value, n.
    """
    return float(effective(groups.sizes, groups.sums, groups.spread))


@njit(cache=True, nogil=True)
def effective(sizes: Floats, sums: Floats, spread: float) -> float:
    """:func:`effective_count` of sizes and sums of clusters, empty ones allowed, and the values' squared deviations."""
    n, total, squares, g = 0.0, 0.0, 0.0, 0
    for c in range(len(sizes)):
        if sizes[c] > 0:
            n += sizes[c]
            total += sums[c]
            squares += sizes[c] * sizes[c]
            g += 1
    if g <= 1:
        return min(n, 1.0)
    if n == g:
        return n
    between = 0.0
    for c in range(len(sizes)):
        if sizes[c] > 0:
            between += sizes[c] * (sums[c] / sizes[c] - total / n) ** 2
    msb = between / (g - 1)
    msw = max(0.0, spread - between) / (n - g)
    m0 = (n - squares / n) / (g - 1)
    scale = msb + (m0 - 1.0) * msw
    icc = max(0.0, (msb - msw) / scale) if scale > 0 else 0.0
    return n / (1.0 + (squares / n - 1.0) * icc)


def lasting_count(cluster: Integers, values: Floats) -> float:
    """How many independent events the values are worth where neighbouring clusters may be alike too, in [1, n].

    Parameters
    ----------
    cluster
        int64 (n,), >= 0, in order of time.
    values
        float64 (n,), finite.

    Notes
    -----
    The variance of one value over that of the mean, the latter summed over ``L = floor(4 (G/100)^(2/9))`` neighbours on
    either side with weights that fall to 0; never more than :func:`effective_count`. What is entered at the end of one
    cluster ends in the next, and seasons outlast days.

    References
    ----------
    Newey, West 1987, A Simple, Positive Semi-definite, Heteroskedasticity and Autocorrelation Consistent Covariance Matrix,
    Econometrica 55; Newey, West 1994, Automatic Lag Selection in Covariance Matrix Estimation, Review of Economic Studies 61.
    """
    groups = clustered(cluster, values)
    n, most = float(groups.events), effective_count(groups)
    if groups.spread <= 0:
        return most
    first = int(cluster.min())
    sums = np.bincount(cluster - first, weights=values - groups.mean)
    lags = min(int(4.0 * (groups.groups / 100.0) ** (2.0 / 9.0)), len(sums) - 1)
    total = float(sums @ sums)
    for lag in range(1, lags + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * float(sums[lag:] @ sums[:-lag])
    return min(most, max(1.0, n * groups.spread / total)) if total > 0 else most


def standard_error(groups: Clustered) -> float | None:
    """Standard error of the mean, clusters kept whole; None with fewer than two clusters.

    Notes
    -----
    ``sqrt(G/(G-1) sum_c (sum_{e in c} (g_e - mean))^2)/n``.

    References
    ----------
    Cameron, Miller 2015, A Practitioner's Guide to Cluster-Robust Inference, Journal of Human Resources 50.
    """
    g = groups.groups
    if g < 2:
        return None
    residuals = groups.sums - groups.sizes * groups.mean
    return math.sqrt(g / (g - 1) * float((residuals**2).sum())) / groups.events


def mean_interval(mean: float, error: float, groups: int) -> tuple[float, float]:
    """Two-sided 90 % interval of a mean by Student's t with ``groups - 1`` degrees of freedom."""
    half = float(stdtrit(groups - 1, 0.95)) * error
    return mean - half, mean + half


def wilson(share: float, count: float) -> tuple[float, float]:
    """Two-sided 90 % interval of a share seen in ``count`` independent events.

    References
    ----------
    Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22.

    Examples
    --------
    >>> low, high = wilson(0.6, 100)
    >>> round(low, 4), round(high, 4)
    (0.5178, 0.6769)
    """
    z2 = Z90 * Z90
    centre = (share + z2 / (2.0 * count)) / (1.0 + z2 / count)
    half = Z90 * math.sqrt(share * (1.0 - share) / count + z2 / (4.0 * count * count)) / (1.0 + z2 / count)
    return max(0.0, centre - half), min(1.0, centre + half)
