"""Expected numbers come from loops written after the page's formulas, and from cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sextant.errors import InputError
from sextant.model.bar import Floats
from sextant.strategies.covariance import recency, shrunk_covariance, shrunk_mean


def _returns(rows: int = 200, size: int = 4, seed: int = 3) -> Floats:
    rng = np.random.default_rng(seed)
    common = rng.standard_t(5, (rows, 1)) * 0.02
    values: Floats = (
        common * np.linspace(-0.3, 1.5, size) + rng.normal(0.001, 0.02, (rows, size))
    ) * np.linspace(0.5, 1.5, size)
    return values


def _looped(x: Floats) -> tuple[Floats, float]:
    """strategies.md 5.1, one number at a time."""
    rows, size = x.shape
    y = x - x.mean(axis=0)
    s = np.array(
        [[sum(y[t, i] * y[t, j] for t in range(rows)) / rows for j in range(size)] for i in range(size)]
    )
    couples = [(i, j) for i in range(size) for j in range(size) if i != j]
    rbar = sum(s[i, j] / math.sqrt(s[i, i] * s[j, j]) for i, j in couples) / len(couples)
    f = s.copy()
    for i, j in couples:
        f[i, j] = rbar * math.sqrt(s[i, i] * s[j, j])
    pi, rho = 0.0, 0.0
    for i in range(size):
        for j in range(size):
            own = sum((y[t, i] * y[t, j]) ** 2 for t in range(rows)) / rows - s[i, j] ** 2
            pi += own
            if i == j:
                rho += own
            else:
                third = sum(y[t, i] ** 3 * y[t, j] for t in range(rows)) / rows - s[i, i] * s[i, j]
                rho += rbar * math.sqrt(s[j, j] / s[i, i]) * third
    gamma = ((f - s) ** 2).sum()
    delta = min(max((pi - rho) / (gamma * rows), 0.0), 1.0)
    return delta * f + (1 - delta) * s, delta


def test_it_equals_the_formulas_written_as_loops() -> None:
    x = _returns()
    matrix, delta = _looped(x)
    shrunk = shrunk_covariance(x)
    assert 0 < delta < 1
    assert shrunk.shrink_frac == pytest.approx(delta, rel=1e-9)
    np.testing.assert_allclose(shrunk.matrix, matrix, rtol=1e-9)


def test_equal_weights_of_rows_change_nothing() -> None:
    x = _returns()
    weighed = shrunk_covariance(x, np.full(len(x), 7.0))
    np.testing.assert_allclose(weighed.matrix, shrunk_covariance(x).matrix, rtol=1e-9)


def test_rows_without_weight_are_not_seen() -> None:
    x = _returns()
    weights = np.r_[np.zeros(50), np.ones(150)]
    np.testing.assert_allclose(
        shrunk_covariance(x, weights).matrix, shrunk_covariance(x[50:]).matrix, rtol=1e-9
    )


def test_variances_are_never_shrunk_and_the_matrix_stays_positive() -> None:
    x = _returns(rows=30, size=12)
    shrunk = shrunk_covariance(x)
    np.testing.assert_allclose(np.diag(shrunk.matrix), x.var(axis=0), rtol=1e-12)
    assert np.linalg.eigvalsh(shrunk.matrix).min() > 0


def test_one_column_is_its_variance() -> None:
    x = _returns(size=1)
    shrunk = shrunk_covariance(x)
    assert shrunk.matrix == pytest.approx(np.array([[x.var()]]))
    assert shrunk.shrink_frac == 0
    assert math.isnan(shrunk.correlation)


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0])
def test_a_column_that_is_missing_or_still_has_no_covariance(broken: float) -> None:
    x = _returns()
    x[:, 1] = broken
    with pytest.raises(InputError, match="finite returns"):
        shrunk_covariance(x)


def test_expected_returns_move_towards_the_least_variable_mix() -> None:
    """Two uncorrelated columns of means 0.3 % and 0.1 % and variances 4e-4 and 1e-4, T = 400: m0 = 0.14 %, gap (0.16, -0.04) %,
    quadratic form 0.0064 + 0.0016 = 0.008, w = 4/(4 + 3.2) = 0.5556, means 0.2111 and 0.1222 %, and 365 days of them
    bounded by sqrt(365 x 4e-4) = 0.3821 and sqrt(365 x 1e-4) = 0.1910."""
    matrix = np.diag([4e-4, 1e-4])
    returns = np.tile([0.003, 0.001], (400, 1))
    np.testing.assert_allclose(shrunk_mean(returns, matrix), [0.38210, 0.19105], rtol=1e-4)
    calm = np.tile([0.0003, 0.0001], (400, 1))  # quadratic form 8e-5, w = 4/4.032 = 0.99206
    expected = 365 * ((1 - 4 / 4.032) * np.array([3e-4, 1e-4]) + 4 / 4.032 * 1.4e-4)
    np.testing.assert_allclose(shrunk_mean(calm, matrix), expected, rtol=1e-9)


def test_recency_halves_and_sums_to_one() -> None:
    weights = recency(121, 60.0)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[60] / weights[120] == pytest.approx(0.5)
    assert weights[0] / weights[120] == pytest.approx(0.25)
