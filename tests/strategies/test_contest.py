from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sextant.errors import InputError
from sextant.model.bar import Floats
from sextant.strategies.contest import NOTHING, contest, interval_of
from sextant.strategies.optimise import Problem


def _problem(now: list[float], **changes: Any) -> Problem:
    size = len(now)
    facts: dict[str, Any] = {
        "assets": tuple(f"A{i}" for i in range(size)),
        "sigma": np.eye(size),
        "mu": np.zeros(size),
        "now": np.array(now),
        "cost_frac": np.full(size, 0.001),
        "risky": 1.0,
        "cap": 1.0,
        "floor": 0.0,
    }
    return Problem(**facts | changes)


def _days(rows: int, drift: list[float], seed: int = 5) -> Floats:
    rng = np.random.default_rng(seed)
    values: Floats = rng.normal(0.0, 0.02, (rows, len(drift))) + np.array(drift)
    return values


def test_doing_nothing_is_the_mix_left_alone() -> None:
    """Two assets from 0.6 and 0.4 with no cash: the value after each day is 0.6 e^x + 0.4 e^y."""
    returns = _days(150, [0.001, -0.001])
    course = contest(returns, _problem([0.6, 0.4]), ("equal_weight",)).course(NOTHING)
    value = np.exp(np.cumsum(returns[120:150], axis=0)) @ np.array([0.6, 0.4])
    daily = value / np.r_[1.0, value[:-1]] - 1.0
    assert course.certainty_frac == pytest.approx(365 * (daily.mean() - 1.5 * daily.var()))
    assert (course.turnover_frac, course.cost_frac) == (0.0, 0.0)
    assert len(course.folds) == 1


def test_the_first_trade_is_paid_for() -> None:
    """From 0.6/0.4 to 0.5/0.5 is a turnover of 0.2 in a month of 30 days: 0.2 x 365/30 a year, at 10 bps."""
    course = contest(_days(150, [0.0, 0.0]), _problem([0.6, 0.4]), ("equal_weight",)).course("equal_weight")
    assert course.turnover_frac == pytest.approx(0.2 * 365 / 30)
    assert course.cost_frac == pytest.approx(0.2 * 365 / 30 * 0.001)


def test_a_month_is_judged_only_by_what_was_known_before_it() -> None:
    returns = _days(240, [0.0, 0.0, 0.0])
    whole = contest(returns, _problem([0.4, 0.3, 0.3]))
    cut = contest(returns[:180], _problem([0.4, 0.3, 0.3]))
    for course in cut.courses:
        np.testing.assert_array_equal(whole.course(course.name).folds[:2], course.folds)


def test_what_is_dear_loses_to_doing_nothing() -> None:
    dear = _problem([0.6, 0.4], cost_frac=np.full(2, 0.2))
    assert contest(_days(480, [0.0, 0.0]), dear, ("equal_weight",)).courses[0].name == NOTHING


def test_the_better_mix_wins_with_an_interval_above_zero() -> None:
    """A calm asset and a wild one that falls: least variance keeps almost only the calm one."""
    returns = _days(600, [0.0, -0.006]) * np.array([0.2, 3.0])
    told = contest(returns, _problem([0.1, 0.9]), ("equal_weight", "min_variance"))
    assert told.courses[0].name == "min_variance"
    gap = told.against_nothing("min_variance")
    assert gap is not None
    assert gap.n == 16
    assert gap.low_frac > 0


def test_equal_courses_go_by_turnover() -> None:
    order = contest(_days(150, [0.0]), _problem([1.0]), ("min_variance", "equal_weight")).courses
    assert [course.name for course in order] == ["equal_weight", "min_variance", NOTHING]
    assert {course.turnover_frac for course in order} == {0.0}


def test_a_price_that_stands_still_refuses_every_method_and_says_which() -> None:
    returns = _days(200, [0.0, 0.0])
    returns[:, 1] = 0.0
    told = contest(returns, _problem([0.5, 0.5]), ("risk_parity",))
    course = told.course("risk_parity")
    assert course.refusal is not None
    assert course.refusal.facts["assets"] == "A1"
    assert math.isnan(course.certainty_frac)
    assert told.courses[0].name == NOTHING
    assert told.against_nothing("risk_parity") is None


def test_nothing_that_promises_more_than_cash_is_cash_for_that_month() -> None:
    course = contest(_days(150, [-0.02, -0.03]), _problem([0.5, 0.5]), ("max_sharpe",)).course("max_sharpe")
    assert course.refusal is None
    assert course.certainty_frac == pytest.approx(365 * -0.001 / 30, rel=0.02)


def test_too_few_days_are_said() -> None:
    with pytest.raises(InputError, match="149 days are too few"):
        contest(_days(149, [0.0]), _problem([1.0]))


def test_a_name_that_took_no_part_is_refused() -> None:
    with pytest.raises(InputError, match="took no part"):
        contest(_days(150, [0.0]), _problem([1.0]), ("equal_weight",)).course("adaptive")


def test_the_interval_of_a_mean_is_students() -> None:
    """1, 2, 3, 4: mean 2.5, sd 1.29099, t(3, 0.95) = 2.35336, so +- 1.51911."""
    told = interval_of(np.array([1.0, 2.0, 3.0, 4.0]))
    assert (told.mean_frac, told.n) == (2.5, 4)
    assert told.low_frac == pytest.approx(2.5 - 1.51911, abs=1e-4)
    assert told.high_frac == pytest.approx(2.5 + 1.51911, abs=1e-4)
