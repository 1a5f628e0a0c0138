"""The fixtures of strategies.md 3.14; weights and orders are worked by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.opportunity import Disposition
from sextant.model.view import View
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, StrategyRun, run_strategy
from sextant.scans.universe import choose
from sextant.strategies.allocation import CHOICES
from sextant.strategies.catalog import strategy
from sextant.strategies.contract import Strategy
from sextant.strategies.prices import CostAssumptions
from support.portfolios import DAYS, account, balance, market, normal, requoted

EQUAL = {"method": float(CHOICES.index("equal_weight")), "cap": 0.45, "cash_target": 0.10}


def asking(**params: float) -> Strategy:
    """The strategy with other defaults, as an owner would ask."""
    chosen = strategy("ai_portfolio_optimization")
    changed = tuple(
        dataclasses.replace(param, default=params.get(param.name, param.default)) for param in chosen.params
    )
    return dataclasses.replace(chosen, params=changed)


def scanned(view: View, who: Account, **params: float) -> StrategyRun:
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    wanted = ScanRequest()
    return run_strategy(asking(**params), Asked(part, choose(view, wanted, part.turnover_usd), who, wanted))


def only(run: StrategyRun) -> Disposition:
    (item,) = run.dispositions
    assert run.report.candidates == 1
    assert sum(run.report.dispositions.values()) == 1
    assert run.opportunities == ()
    return item


@pytest.fixture(scope="module")
def view() -> View:
    """Two assets that move by 8 % a day, each on its own and, over the year that is fitted, to nowhere."""
    fitted = {name: normal(365, 0.08, seed) for seed, name in enumerate(("BTC", "ETH"))}
    return market({name: np.r_[normal(DAYS - 365, 0.08, 7), year] for name, year in fitted.items()})


def holding(view: View, btc: float, eth: float, **changes: Any) -> Account:
    """Shares of 100,000 USD; the rest is cash."""
    return account(
        balance(view, "binance", "BTC", 1_000 * btc),
        balance(view, "binance", "ETH", 1_000 * eth),
        balance(view, "binance", "USDT", round(100_000 * (1 - btc - eth), 6)),
        **changes,
    )


def test_two_lines_bring_both_weights_to_the_edges_of_their_bands(view: View) -> None:
    run = scanned(view, holding(view, 0.70, 0.20), **EQUAL)
    (row,) = run.opportunities
    assert [(leg.instrument.base, leg.side) for leg in row.legs] == [("BTC", "sell"), ("ETH", "buy")]
    sold, bought = (leg.notional_usd for leg in row.legs)
    assert sold == pytest.approx(20_000, abs=0.2)
    assert bought == pytest.approx(20_000, abs=0.2)
    facts = row.risk_facts
    assert facts["weight_BTC_after_frac"] == pytest.approx(0.50, abs=1e-5)
    assert facts["weight_ETH_after_frac"] == pytest.approx(0.40, abs=1e-5)
    assert facts["weight_BTC_target_frac"] == pytest.approx(0.45)
    # Each line pays 10 bps and half of 2 bps.
    assert facts["cost_usd"] == pytest.approx(40_000 * 11e-4, rel=1e-4)
    assert facts["turnover_frac"] == pytest.approx(0.4, abs=1e-5)
    value = facts["price_of_risk"] * facts["dES_usd"] + facts["expected_gain_usd"] - facts["cost_usd"]
    assert facts["benefit_usd"] == pytest.approx(value)
    assert row.strength == pytest.approx(0.25 / 0.05)
    assert (row.direction, row.lane, row.opportunity_type) == ("neutral", "protect", "portfolio_rebalance")
    assert row.entry is None
    assert row.horizon_s == 90 * 86_400
    assert run.dispositions[0].kind == "opportunity"


def test_inside_the_bands_there_are_no_lines(view: View) -> None:
    item = only(scanned(view, holding(view, 0.46, 0.44), **EQUAL))
    assert (item.kind, item.stage) == ("gate_failed", "drift")
    assert item.value == pytest.approx(0.01)
    assert item.limit == pytest.approx(0.05)


def test_a_plan_that_is_not_worth_its_cost_is_none() -> None:
    calm = market({"BTC": normal(DAYS, 0.001, 1), "ETH": normal(DAYS, 0.001, 2)})
    item = only(scanned(calm, holding(calm, 0.70, 0.20), **EQUAL))
    assert (item.kind, item.stage, item.value_unit) == ("gate_failed", "benefit", "USD")
    assert item.limit == pytest.approx(1.5 * 44.0, rel=1e-3)
    assert item.distance is not None
    assert item.distance > 0


def test_two_assets_cannot_fill_a_portfolio_under_the_default_cap(view: View) -> None:
    item = only(scanned(view, holding(view, 0.70, 0.20), method=EQUAL["method"]))
    assert (item.kind, item.stage) == ("gate_failed", "feasible")
    assert item.value == pytest.approx(0.5)
    assert item.limit == pytest.approx(0.9)
    assert item.flips_if is not None
    assert "raise the cap to 0.450, keep 0.50 in cash, or add 2 assets" in item.flips_if


def test_doing_nothing_may_be_best() -> None:
    """One asset rises calmly and is all that is held: every method would have taken some of the other."""
    view = market({"BTC": normal(DAYS, 0.005, 1) + 0.01, "ETH": normal(DAYS, 0.06, 2) - 0.02})
    item = only(scanned(view, holding(view, 1.0, 0.0001), cap=0.5))
    assert (item.kind, item.stage) == ("gate_failed", "certainty_equivalent")
    assert item.distance is not None
    assert item.distance > 0


def test_the_method_that_served_best_is_shown_with_its_months() -> None:
    """A calm asset and a wild one that falls; nine tenths lie in the wild one."""
    view = market({"BTC": normal(DAYS, 0.004, 1), "ETH": normal(DAYS, 0.05, 2) - 0.02})
    run = scanned(view, holding(view, 0.05, 0.90), cap=0.9)
    (row,) = run.opportunities
    assert row.evidence.kind == "portfolio"
    assert row.evidence.n == 14
    assert row.evidence.status == "scored"
    assert row.grade == "analytic"
    assert row.rank_group == 0
    assert any("Against doing nothing" in reason for reason in row.reasons)
    assert {leg.side for leg in row.legs if leg.instrument.base == "ETH"} == {"sell"}


def test_one_asset_is_told_the_cap(view: View) -> None:
    item = only(scanned(view, holding(view, 0.9, 0.0), method=EQUAL["method"]))
    assert item.stage == "feasible"


def test_nobody_and_cash_alone_get_no_plan(view: View) -> None:
    assert scanned(view, Account()).report.outcome == "skipped"
    item = only(scanned(view, account(balance(view, "binance", "USDT", 100_000))))
    assert (item.kind, item.stage) == ("insufficient_data", "portfolio.assets")


def test_without_a_quote_an_asset_keeps_its_weight(view: View) -> None:
    gone = requoted(
        view, {spec.instrument: np.nan for spec in view.instruments if spec.instrument.base == "ETH"}
    )
    who = account(
        balance(gone, "binance", "BTC", 700),
        balance(gone, "binance", "ETH", 200, value_usd=20_000.0, reason=None),
        balance(gone, "binance", "USDT", 10_000),
    )
    run = scanned(gone, who, **{**EQUAL, "cap": 0.8})
    # 0.9 less the 0.2 that stay: BTC may be 0.7, which it is.
    assert only(run).stage == "drift"


def test_a_small_account_is_under_the_least_capital(view: View) -> None:
    who = account(balance(view, "binance", "BTC", 4), equity_usd=400.0)
    assert only(scanned(view, who)).stage == "min_capital"


def test_partial_coverage_is_insufficient(view: View) -> None:
    item = only(scanned(view, holding(view, 0.7, 0.2, coverage_frac=0.5), **EQUAL))
    assert (item.kind, item.stage) == ("insufficient_data", "portfolio.coverage")


def test_equal_views_give_equal_bytes(view: View) -> None:
    who = holding(view, 0.70, 0.20)
    first, second = (scanned(view, who, **EQUAL).opportunities for _ in range(2))
    assert msgspec.json.encode(first) == msgspec.json.encode(second)
