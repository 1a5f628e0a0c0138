"""Effective counts and intervals against hand work and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.proportion import proportion_confint

from sextant.evidence.clusters import (
    clustered,
    effective_count,
    lasting_count,
    mean_interval,
    standard_error,
    wilson,
)


def test_wilson_of_60_in_100_is_as_the_page_says() -> None:
    assert list(wilson(0.6, 100)) == pytest.approx([0.5178, 0.6769], abs=5e-5)


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 7), (7, 7), (41, 90)])
def test_wilson_equals_statsmodels_at_its_own_level(hits: int, n: int) -> None:
    low, high = proportion_confint(hits, n, alpha=0.1, method="wilson")
    assert list(wilson(hits / n, n)) == pytest.approx([low, high], abs=2e-4)


def test_events_that_share_their_cluster_s_fate_count_once_per_cluster() -> None:
    cluster = np.repeat(np.arange(5), 4)
    groups = clustered(cluster, np.repeat([0.01, -0.02, 0.03, 0.0, -0.01], 4))
    assert effective_count(groups) == pytest.approx(5.0)


def test_events_that_differ_within_clusters_as_between_count_fully() -> None:
    cluster = np.array([0, 0, 1, 1, 2, 2])
    groups = clustered(cluster, np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0]))
    assert effective_count(groups) == 6.0


def test_the_effective_count_of_uneven_clusters_is_as_worked_by_hand() -> None:
    # n 5, G 2, means 2 and 6, grand mean 3.6: MSB = 3*1.6^2 + 2*2.4^2 = 19.2; MSW = (1+0+1+1+1)/3 = 4/3;
    # m0 = (5 - 13/5)/1 = 2.4; icc = (19.2 - 4/3)/(19.2 + 1.4*4/3) = 17.8667/21.0667 = 0.848101;
    # n_eff = 5/(1 + (13/5 - 1)*0.848101) = 5/2.356962.
    groups = clustered(np.array([0, 0, 0, 1, 1]), np.array([1.0, 2.0, 3.0, 5.0, 7.0]))
    assert effective_count(groups) == pytest.approx(5 / 2.356962, rel=1e-6)


@pytest.mark.parametrize(("cluster", "expected"), [([], 0.0), ([3, 3, 3], 1.0), ([0, 1, 5], 3.0)])
def test_the_ends_of_clustering(cluster: list[int], expected: float) -> None:
    values = np.linspace(-1, 1, len(cluster)) if cluster else np.empty(0)
    assert effective_count(clustered(np.array(cluster, dtype=np.int64), values)) == expected


def test_equal_outcomes_do_not_divide_by_zero() -> None:
    assert effective_count(clustered(np.array([0, 0, 1, 1]), np.full(4, 0.02))) == 4.0


def test_the_standard_error_is_the_cluster_robust_one_of_statsmodels() -> None:
    rng = np.random.default_rng(11)
    cluster = np.sort(rng.integers(0, 17, 120))
    values = rng.normal(0, 0.01, 120) + rng.normal(0, 0.01, 17)[cluster]
    fit = sm.OLS(values, np.ones(120)).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": True}
    )
    groups = clustered(cluster, values)
    # statsmodels corrects by G/(G-1) * (n-1)/(n-1) for one regressor, which is the page's formula.
    assert standard_error(groups) == pytest.approx(float(fit.bse[0]), rel=1e-9)
    low, high = mean_interval(groups.mean, float(fit.bse[0]), groups.groups)
    assert (high - groups.mean) / float(fit.bse[0]) == pytest.approx(1.7459, abs=1e-4)  # t(16), 95 %
    assert groups.mean - low == pytest.approx(high - groups.mean)


def test_one_cluster_has_no_standard_error() -> None:
    assert standard_error(clustered(np.zeros(3, dtype=np.int64), np.arange(3.0))) is None
    assert math.isnan(clustered(np.empty(0, dtype=np.int64), np.empty(0)).mean)


def test_what_lasts_longer_than_a_cluster_is_counted_as_newey_and_west_do() -> None:
    rng = np.random.default_rng(12)
    season = np.repeat(rng.random(25) < 0.5, 8)
    values = (rng.random(200) < np.where(season, 0.8, 0.2)).astype(np.float64)
    fit = sm.OLS(values, np.ones(200)).fit(
        cov_type="HAC",
        cov_kwds={"maxlags": 4, "use_correction": False},  # 4 (200/100)^(2/9) = 4.67
    )
    expected = float(values.var()) / float(fit.bse[0]) ** 2
    assert lasting_count(np.arange(200), values) == pytest.approx(expected, rel=1e-9)
    assert expected < 120


@pytest.mark.parametrize(
    ("cluster", "values", "expected"),
    [([4, 4, 9], [1.0, 1.0, 1.0], 3.0), ([7, 7, 7], [0.0, 1.0, 1.0], 1.0), ([3], [1.0], 1.0)],
    ids=["all alike", "one cluster", "one event"],
)
def test_the_ends_of_counting_what_lasts(cluster: list[int], values: list[float], expected: float) -> None:
    assert lasting_count(np.array(cluster), np.array(values)) == expected


def test_what_lasts_is_never_worth_more_than_its_clusters() -> None:
    rng = np.random.default_rng(13)
    for _ in range(50):
        n = int(rng.integers(1, 60))
        cluster, values = np.sort(rng.integers(0, 12, n)), (rng.random(n) < 0.5).astype(np.float64)
        assert 1.0 <= lasting_count(cluster, values) <= max(1.0, effective_count(clustered(cluster, values)))
