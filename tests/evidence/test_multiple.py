"""Multiple testing: the published check value, and worthless cells that must not look good."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sextant.evidence.multiple import Shape, Tries, deflated_p, reality_p, shape_of

SEED = bytes(range(16))


def test_the_check_value_of_the_page() -> None:
    """Bailey and Lopez de Prado's example: 2.5 a year over 1,250 days, 100 tries."""
    shape = Shape(2.5 / math.sqrt(250), -3.0, 10.0, 1250)
    assert deflated_p(shape, Tries(100, 0.5 / 250)) == pytest.approx(0.9004, abs=5e-5)


def test_one_try_of_normal_means_is_the_ordinary_test() -> None:
    # sr 0.2, G 101, skew 0, kurt 3: z = 0.2*10/sqrt(1 + 0.5*0.04) = 1.98029
    assert deflated_p(Shape(0.2, 0.0, 3.0, 101), Tries(1, 9.0)) == pytest.approx(
        stats.norm.cdf(2.0 / math.sqrt(1.02)), rel=1e-12
    )


def test_the_variance_of_tries_is_at_least_one_over_the_clusters() -> None:
    shape = Shape(0.3, 0.0, 3.0, 50)
    assert deflated_p(shape, Tries(8, 0.0)) == deflated_p(shape, Tries(8, 1 / 50))
    assert deflated_p(shape, Tries(8, 0.1)) < deflated_p(shape, Tries(8, 0.0))  # type: ignore[operator]  # both known


def test_the_shape_of_means_equals_scipy() -> None:
    values = np.random.default_rng(1).gamma(2.0, 1.0, 200)
    shape = shape_of(values)
    assert shape is not None
    assert shape.ratio == pytest.approx(values.mean() / values.std(ddof=1))
    assert shape.skew == pytest.approx(stats.skew(values))
    assert shape.kurt == pytest.approx(stats.kurtosis(values, fisher=False))
    assert shape.groups == 200


def test_too_few_or_equal_means_have_no_shape() -> None:
    assert shape_of(np.array([0.1, 0.2])) is None
    assert shape_of(np.full(9, 0.1)) is None


def test_means_that_never_vary_against_the_formula_give_no_answer() -> None:
    assert deflated_p(Shape(1.0, 2.0, 5.0, 10), Tries(1, 0.0)) is None  # 1 - 2 + 1 = 0


def test_the_expected_best_of_worthless_tries_is_met_by_simulation() -> None:
    """The best of 20 worthless ratios reaches sr0 about as often as not: P is near 0.5 there."""
    rng = np.random.default_rng(7)
    best = [max(v.mean() / v.std(ddof=1) for v in rng.normal(0, 1, (20, 100))) for _ in range(200)]
    known = [deflated_p(Shape(ratio, 0.0, 3.0, 100), Tries(20, 0.0)) for ratio in best]
    assert np.mean([p for p in known if p is not None]) == pytest.approx(0.5, abs=0.08)


def test_the_same_events_give_the_same_reality_p() -> None:
    means = np.random.default_rng(3).normal(0.0, 1.0, (60, 5))
    assert reality_p(means, SEED) == reality_p(means.copy(), SEED)
    assert reality_p(means, SEED) != reality_p(means, SEED[::-1])


def test_reality_p_of_worthless_cells_is_uniform_and_of_a_real_edge_small() -> None:
    rng = np.random.default_rng(9)
    worthless = [reality_p(rng.normal(0, 1, (80, 4)), bytes([k]) * 16) for k in range(120)]
    low = sum(p is not None and p < 0.1 for p in worthless)
    # Binomial(120, 0.1): mean 12, sd 3.3; a bootstrap of 80 clusters is a little liberal.
    assert 3 <= low <= 25
    real = rng.normal(0, 1, (80, 4))
    real[:, 2] += 0.6
    assert reality_p(real, SEED) == 0.0


def test_cells_without_events_are_left_out_of_the_reality_check() -> None:
    means = np.random.default_rng(3).normal(0.0, 1.0, (60, 3))
    padded = np.column_stack((means[:, :1], np.full(60, np.nan), means[:, 1:]))
    assert reality_p(padded, SEED) == reality_p(means, SEED)
    assert reality_p(np.full((60, 2), np.nan), SEED) is None
    assert reality_p(np.empty((0, 8)), SEED) is None


def test_the_resampled_means_spread_as_blocks_of_correlated_clusters_do() -> None:
    """Clusters that come in runs of 8: the p of a mean at one block-true standard error is near 0.16."""
    rng = np.random.default_rng(21)
    groups = 400
    found = []
    for seed in range(40):
        means = np.repeat(rng.normal(0, 1, groups // 8), 8)[:, None]
        true_error = math.sqrt(8 / groups)
        means += true_error - means.mean()
        p = reality_p(means, bytes([seed]) * 16)
        assert p is not None
        found.append(p)
    assert np.mean(found) == pytest.approx(0.16, abs=0.05)
