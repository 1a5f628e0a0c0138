from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from sextant.model.view import View
from sextant.strategies.allocation import (
    WITHOUT_TRIAL,
    Allocation,
    Asked,
    allocate,
    expected_gain_usd,
    reports_of,
)
from sextant.strategies.contest import NOTHING
from sextant.strategies.ground import Ground, ground_of
from sextant.strategies.optimise import Refusal
from support.portfolios import DAYS, account, balance, market, normal, position, pricing


@pytest.fixture(scope="module")
def view() -> View:
    names = ("BTC", "ETH", "SOL", "XRP", "ADA")
    returns = {name: normal(DAYS, 0.02 + 0.01 * seed, seed) for seed, name in enumerate(names)}
    returns["NEW"] = np.r_[np.full(DAYS - 60, np.nan), normal(60, 0.02, 9)]
    return market(returns, venues=("binance", "bybit"))


def ground(view: View, *balances: object, **changes: object) -> Ground:
    told = ground_of(pricing(view, account(*balances, **changes)))  # type: ignore[arg-type]  # balances
    assert isinstance(told, Ground)
    return told


def allocated(told: Ground, **asked: object) -> Allocation:
    answer = allocate(told, Asked(**asked))  # type: ignore[arg-type]  # fields of Asked
    assert isinstance(answer, Allocation)
    return answer


def four(view: View, *more: object, **changes: object) -> Ground:
    lots = [balance(view, "binance", name, 200) for name in ("BTC", "ETH", "SOL", "XRP")]
    return ground(view, *lots, balance(view, "binance", "USDT", 20_000), *more, **changes)


def test_weights_costs_and_cash_come_from_the_portfolio(view: View) -> None:
    answer = allocated(four(view), method="equal_weight")
    np.testing.assert_allclose(answer.problem.now, 0.2)
    np.testing.assert_allclose(answer.problem.cost_frac, 0.0011)  # 10 bps and half of 2
    assert answer.problem.risky == pytest.approx(0.9)
    assert answer.problem.kelly_frac == 0.25
    assert answer.task is not None
    assert answer.task.cash_usd == {"binance": 20_000.0}
    assert answer.mix.weights is not None
    np.testing.assert_allclose(answer.mix.weights, 0.225)


def test_what_cannot_move_keeps_its_weight_and_is_named(view: View) -> None:
    told = four(view, balance(view, "binance", "NEW", 40), positions=(position(view, "XRP", 10),))
    answer = allocated(told, method="equal_weight", cap=0.4)
    assert answer.frozen == {"NEW": "59 days of history", "XRP": "held as a position"}
    assert answer.task is not None
    still = [answer.task.assets.index(name) for name in ("NEW", "XRP")]
    np.testing.assert_array_equal(answer.task.now[still], answer.task.target[still])
    equity = told.equity_usd
    assert answer.problem.risky == pytest.approx(0.9 - (4_000 + 21_000) / equity)


def test_an_asset_at_a_venue_without_its_instrument_is_frozen(view: View) -> None:
    told = ground(view, balance(view, "kraken", "BTC", 100), balance(view, "kraken", "USDT", 1_000))
    refusal = allocate(told, Asked())
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "too_little_history"
    assert refusal.facts["assets"] == "BTC"


def test_cash_alone_is_no_plan(view: View) -> None:
    refusal = allocate(ground(view, balance(view, "binance", "USDT", 1_000)), Asked())
    assert isinstance(refusal, Refusal)


def test_auto_takes_what_would_have_served_best(view: View) -> None:
    answer = allocated(four(view), cap=0.3)
    assert answer.tried is not None
    assert answer.chosen == answer.tried.courses[0].name
    if answer.chosen != NOTHING:
        gap = answer.difference
        assert gap is not None
        assert gap.n == 14


def test_with_too_few_days_for_a_trial_auto_needs_no_expected_return() -> None:
    view = market({"BTC": normal(140, 0.02, 1), "ETH": normal(140, 0.03, 2)})
    told = ground(view, balance(view, "binance", "BTC", 500), balance(view, "binance", "ETH", 400))
    answer = allocated(told, cap=0.5)
    assert answer.tried is None
    assert answer.difference is None
    assert answer.chosen == WITHOUT_TRIAL


def test_a_cap_that_cannot_be_met_leaves_no_plan(view: View) -> None:
    told = ground(view, balance(view, "binance", "BTC", 500), balance(view, "binance", "USDT", 1_000))
    answer = allocated(told, method="risk_parity")
    assert answer.plan is None
    assert answer.mix.refusal is not None
    assert answer.mix.refusal.reason == "infeasible"
    assert expected_gain_usd(answer, told.equity_usd, 90.0) == 0.0


def test_one_balance_is_free_once_whatever_its_instruments(view: View) -> None:
    answer = allocated(four(view, balance(view, "bybit", "BTC", 50)), method="equal_weight")
    assert answer.task is not None
    free = {str(place.spec.instrument): place.free for place in answer.task.places if place.asset == "BTC"}
    assert free == {"binance:BTC-USDT:spot": Decimal(200), "bybit:BTC-USDT:spot": Decimal(50)}


def test_the_expected_gain_is_what_the_moved_weights_promise(view: View) -> None:
    told = four(view)
    answer = allocated(told, method="target", wanted={"BTC": 0.25, "ETH": 0.25, "SOL": 0.25, "XRP": 0.1})
    assert answer.plan is not None
    assert answer.task is not None
    moved = dict(zip(answer.task.assets, answer.plan.after - answer.task.now, strict=True))
    mu = dict(zip(answer.problem.assets, answer.problem.mu, strict=True))
    expected = sum(moved[name] * mu[name] for name in mu) * told.equity_usd * 90 / 365
    assert expected_gain_usd(answer, told.equity_usd, 90.0) == pytest.approx(expected)
    assert moved["XRP"] == pytest.approx(-0.05, abs=1e-4)  # to the upper edge of 0.10 +- 0.05


def test_every_method_is_reported_on_the_same_problem(view: View) -> None:
    told = four(view)
    answer = allocated(told, cap=0.3)
    reports = reports_of(told, answer)
    assert {report.method for report in reports} == {
        "equal_weight", "min_variance", "max_sharpe", "risk_parity", "kelly_criterion", "adaptive",
    }  # fmt: skip
    known = [report.certainty_frac for report in reports if report.weights is not None]
    assert known == sorted(known, key=lambda value: -(value or 0.0))
    equal = next(report for report in reports if report.method == "equal_weight")
    assert equal.weights == pytest.approx(dict.fromkeys(("BTC", "ETH", "SOL", "XRP"), 0.225))
    assert equal.risk_shares is not None
    assert sum(equal.risk_shares.values()) == pytest.approx(1.0)
    # From 0.2 to 0.225 of four assets is a tenth of equity, at 11 bps.
    assert equal.turnover_frac == pytest.approx(0.1)
    assert equal.cost_usd == pytest.approx(0.1 * told.equity_usd * 0.0011)
    weights = np.full(4, 0.225)
    sigma = float(np.sqrt(weights @ answer.problem.sigma @ weights))
    assert equal.volatility_frac == pytest.approx(sigma)
    assert equal.return_frac == pytest.approx(float(answer.problem.mu @ weights))
    assert equal.return_high_frac == pytest.approx(float(answer.problem.mu @ weights) + 1.645 * sigma)
    assert equal.es_usd == pytest.approx(told.es_usd * 0.225 / 0.2)
    assert equal.difference is not None
    assert equal.difference.n == 14


def test_a_refused_method_is_last_and_says_why(view: View) -> None:
    told = ground(view, balance(view, "binance", "BTC", 500), balance(view, "binance", "USDT", 1_000))
    reports = reports_of(told, allocated(told, method="risk_parity"))
    last = reports[-1]
    assert last.weights is None
    assert last.refusal is not None
    assert last.refusal.reason == "infeasible"
    assert next(report for report in reports if report.method == "kelly_criterion").weights is not None
