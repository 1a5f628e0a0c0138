"""Expected numbers are worked by hand or from the normal distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sextant.strategies.tail import (
    backtest,
    clusters,
    contributions,
    over_days,
    scenarios,
    shortfall,
    value_at_risk,
)
from support.portfolios import normal

TEN = np.array([-10.0, -8.0, -6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 8.0])


def test_the_tail_of_ten_outcomes() -> None:
    """At 80 % the worst two: mean of 10 and 8. At 75 % two and a half: (10 + 8 + 0.5 x 6)/2.5 = 8.4."""
    assert shortfall(TEN, 0.80) == pytest.approx(9.0)
    assert shortfall(TEN, 0.75) == pytest.approx(8.4)
    assert value_at_risk(TEN, 0.80) == 6.0
    assert value_at_risk(TEN, 0.75) == 6.0


def test_a_portfolio_that_gains_in_its_worst_case_has_a_negative_shortfall() -> None:
    assert shortfall(TEN + 20.0, 0.80) == pytest.approx(-11.0)


def test_the_tail_of_normal_outcomes_is_the_normal_one() -> None:
    """phi(1.95996)/0.025 = 2.3378 standard deviations; VaR 1.95996."""
    gains = normal(20_000, 0.02, 1)
    assert shortfall(gains) == pytest.approx(0.02 * 2.3378, rel=1e-3)
    assert value_at_risk(gains) == pytest.approx(0.02 * 1.95996, rel=1e-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_shares_sum_to_the_shortfall_which_is_convex(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_t(4, (300, 4)) * 0.02
    one, other = rng.normal(0, 1e4, 4), rng.normal(0, 1e4, 4)
    assert contributions(rows, one).sum() == pytest.approx(shortfall(rows @ one))
    middle = shortfall(rows @ (0.5 * one + 0.5 * other))
    assert middle <= 0.5 * shortfall(rows @ one) + 0.5 * shortfall(rows @ other) + 1e-9


def test_scenarios_carry_todays_volatility() -> None:
    """A market that has become three times as wild: the calm days are stretched by as much."""
    calm, wild = normal(400, 0.01, 1), normal(400, 0.03, 2)
    rows = scenarios(np.r_[calm, wild][:, None])
    assert len(rows) == 500
    assert rows[:100].std() == pytest.approx(0.03, rel=0.25)


def test_scenarios_never_use_the_volatility_of_their_own_day() -> None:
    returns = normal(300, 0.02, 3)[:, None]
    shocked = returns.copy()
    shocked[100] *= 10.0
    ratio = scenarios(shocked)[40, 0] / scenarios(returns)[40, 0]
    before = scenarios(shocked)[39, 0] / scenarios(returns)[39, 0]  # today's volatility alone
    assert ratio == pytest.approx(10.0 * before, rel=1e-9)


def test_sums_over_days_overlap() -> None:
    rows = np.arange(5.0)[:, None]
    np.testing.assert_allclose(over_days(rows, 3)[:, 0], [3.0, 6.0, 9.0])


def test_a_right_model_holds_in_its_past() -> None:
    told = backtest(normal(561, 0.02, 5)[:, None], np.array([1_000.0]))
    assert told is not None
    assert told.days == 250
    assert 2 <= told.beyond <= 12
    assert told.holds
    assert told.factor == 1.0


def test_a_market_that_breaks_its_model_widens_it() -> None:
    """Each tenth day falls a quarter further than the tenth day before, after a calm history."""
    returns = normal(561, 0.01, 6)
    returns[311::10] = -0.03 * 1.25 ** np.arange(25)
    told = backtest(returns[:, None], np.array([1_000.0]))
    assert told is not None
    assert told.beyond > 12
    assert not told.holds
    assert told.factor > 1.0


def test_too_few_days_are_not_tested() -> None:
    assert backtest(normal(200, 0.02, 1)[:, None], np.ones(1)) is None


def test_clusters_join_through_common_members() -> None:
    joint = np.array([[1, 0.9, 0.1, 0.2], [0.9, 1, 0.85, 0.2], [0.1, 0.85, 1, 0.2], [0.2, 0.2, 0.2, 1]])
    assert clusters(joint, 0.8) == [[0, 1, 2]]
    assert clusters(joint, 0.95) == []
    assert math.isclose(float(joint[0, 1]), 0.9)
