"""Against least squares by numpy, an implementation of its own."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.tsa.adfvalues import mackinnoncrit
from statsmodels.tsa.stattools import coint

from sextant.model.bar import Floats
from sextant.strategies.cointegration import critical, fit
from support.markets import autoregression, noise

ROWS = 540
BOTH = np.array([[0, 1]])


def pair(seed: int = 100, keep: float = 0.9) -> Floats:
    x = np.cumsum(0.01 * noise(seed, ROWS))
    return np.column_stack((0.5 + 1.2 * x + autoregression(2 * seed, ROWS, keep, 0.006), x))


def by_least_squares(y: Floats, x: Floats) -> dict[str, float]:
    rows = len(y)
    (alpha, beta), *_ = np.linalg.lstsq(np.column_stack((np.ones(rows), x)), y, rcond=None)
    e = y - alpha - beta * x
    change, level, step = np.diff(e)[1:], e[1:-1], np.diff(e)[:-1]
    design = np.column_stack((level, step))
    coefficients, *_ = np.linalg.lstsq(design, change, rcond=None)
    rest = change - design @ coefficients
    variance = rest @ rest / (len(change) - 2) * np.linalg.inv(design.T @ design)
    (b,), *_ = np.linalg.lstsq(e[:-1, None], e[1:], rcond=None)
    return {
        "alpha": float(alpha),
        "beta": float(beta),
        "sd": float(e.std(ddof=1)),
        "t": float(coefficients[0] / np.sqrt(variance[0, 0])),
        "half_life": float(-np.log(2) / np.log(b)),
        "crossings": float(np.count_nonzero(np.diff(np.sign(e)))),
    }


@pytest.mark.parametrize("seed", [100, 300, 500])
def test_the_kernel_and_least_squares_agree(seed: int) -> None:
    logs = pair(seed)
    found = fit(logs, BOTH, 0, ROWS)
    ways = (by_least_squares(logs[:, 0], logs[:, 1]), by_least_squares(logs[:, 1], logs[:, 0]))
    better = 0 if ways[0]["t"] <= ways[1]["t"] else 1
    assert bool(found.first_leads[0]) == (better == 0)
    for name, value in ways[better].items():
        assert getattr(found, name)[0] == pytest.approx(value, rel=1e-7), name
    returns = np.diff(logs, axis=0)
    assert found.correlation[0] == pytest.approx(
        float((np.corrcoef(returns[:, 0], returns[:, 1]) @ [1.0, 0.0])[1]), rel=1e-9
    )


@pytest.mark.parametrize("seed", [100, 300])
def test_the_statistic_is_that_of_a_known_package(seed: int) -> None:
    logs = pair(seed)
    ways = [coint(logs[:, i], logs[:, 1 - i], trend="c", maxlag=1, autolag=None)[0] for i in (0, 1)]
    assert fit(logs, BOTH, 0, ROWS).t[0] == pytest.approx(min(ways), rel=1e-6)


def test_critical_values_are_those_of_the_paper() -> None:
    assert critical(540) == pytest.approx(-3.917, abs=5e-4)
    # The last term is printed otherwise in a widely used package, which moves the fifth digit.
    one, five, _ = mackinnoncrit(N=2, regression="c", nobs=540)
    assert critical(540) == pytest.approx(one, abs=1e-4)
    assert critical(540, one_percent=False) == pytest.approx(five, abs=1e-4)


def test_the_order_of_a_couple_changes_only_who_leads() -> None:
    logs = pair()
    one, other = fit(logs, BOTH, 0, ROWS), fit(logs, BOTH[:, ::-1], 0, ROWS)
    assert (one.first_leads[0], other.first_leads[0]) in ((1.0, 0.0), (0.0, 1.0))
    assert one.t[0] == other.t[0]
    assert one.beta[0] == other.beta[0]


def test_a_window_is_its_own_rows_and_no_others() -> None:
    logs = np.vstack((pair(300), pair(100), pair(500)))
    alone, inside = fit(pair(100), BOTH, 0, ROWS), fit(logs, BOTH, ROWS, ROWS)
    for name, column in alone._asdict().items():
        np.testing.assert_array_equal(getattr(inside, name), column, err_msg=name)


def test_unknown_prices_and_missing_rows_are_unknown() -> None:
    logs = pair()
    logs[200, 1] = np.nan
    assert np.isnan(fit(logs, BOTH, 0, ROWS).t).all()
    assert np.isnan(fit(pair(), BOTH, 1, ROWS).t).all()
    assert np.isnan(fit(pair(), BOTH, -1, ROWS).t).all()
    assert fit(pair(), np.empty((0, 2), dtype=np.int64), 0, ROWS).t.shape == (0,)


def test_what_never_reverts_has_the_longest_half_life_and_what_alternates_none() -> None:
    x = np.cumsum(0.01 * noise(100, ROWS))
    flips = np.where(np.arange(ROWS) % 2 == 0, 0.01, -0.01) + 0.001 * noise(7, ROWS)
    found = fit(np.column_stack((x + flips, x)), BOTH, 0, ROWS)
    assert found.half_life[0] == 0.0
    assert found.crossings[0] > 500
    assert found.t[0] < critical(ROWS)
