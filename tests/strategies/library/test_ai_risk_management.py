"""Expected sizes are worked by hand from the limits of strategies.md 3.13."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.view import View
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, StrategyRun, run_strategy
from sextant.scans.universe import choose
from sextant.strategies.catalog import strategy
from sextant.strategies.prices import CostAssumptions
from support.portfolios import DAYS, account, balance, market, normal, position, requoted

NAME = "ai_risk_management"
CHECKS = [
    "shortfall", "one_asset", "one_venue", "one_stablecoin", "stablecoin_price",
    "gross_exposure", "liquidation_distance", "days_to_exit", "correlated",
]  # fmt: skip


def scanned(view: View, who: Account, **request: Any) -> StrategyRun:
    """A scan of one strategy."""
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    wanted = ScanRequest(**request)
    return run_strategy(strategy(NAME), Asked(part, choose(view, wanted, part.turnover_usd), who, wanted))


def answers(run: StrategyRun) -> dict[str, Disposition]:
    found = {item.unit: item for item in run.dispositions}
    assert len(found) == len(run.dispositions) == run.report.candidates
    assert sum(run.report.dispositions.values()) == run.report.candidates
    return found


def only(run: StrategyRun) -> Opportunity:
    (row,) = run.opportunities
    return row


@pytest.fixture(scope="module")
def calm() -> View:
    """Five assets that move by 2 % a day, each on its own, at three venues; one unit is 100 USD."""
    names = ("BTC", "ETH", "SOL", "XRP", "ADA")
    returns = {name: normal(DAYS, 0.02, seed) for seed, name in enumerate(names)}
    return market(returns, venues=("binance", "bybit", "kraken"))


def spread_out(view: View, **changes: Any) -> Account:
    """strategies.md 3.13, MUST NOT: 35/35/30 % over three venues, and nothing over a limit."""
    lots = (
        balance(view, "binance", "BTC", 150), balance(view, "binance", "USDT", 20_000),
        balance(view, "bybit", "ETH", 150), balance(view, "bybit", "USDC", 20_000),
        balance(view, "kraken", "SOL", 150), balance(view, "kraken", "USDT", 15_000),
    )  # fmt: skip
    return account(*lots, **changes)


def test_nine_tenths_at_one_venue_are_to_be_moved_down_to_two_thirds(calm: View) -> None:
    """90 % of 100,000 at one venue against 70 %: 23,500 USD bring it to 66.5 % (MUST EMIT)."""
    who = account(
        balance(calm, "bybit", "BTC", 200), balance(calm, "bybit", "ETH", 100), balance(calm, "bybit", "USDT", 60_000),
        balance(calm, "kraken", "USDC", 10_000),
    )  # fmt: skip
    run = scanned(calm, who)
    assert list(answers(run)) == CHECKS
    row = only(run)
    assert row.transfer is not None
    assert (row.transfer.asset, row.transfer.from_venue, row.transfer.to_venue) == ("USDT", "bybit", "kraken")
    assert row.transfer.value_usd == pytest.approx(23_500)
    assert row.transfer.quantity == Decimal(23_500)
    assert row.legs == ()
    assert (row.lane, row.direction, row.opportunity_type) == ("protect", "reduce", "risk_mitigation")
    assert row.strength == pytest.approx(0.9 / 0.7)
    assert "venue_diversification" in row.reasons[1]
    assert row.edge_bps is None
    assert row.rank_score is None
    moved = next(line for line in row.costs if line.item == "transfer")
    assert (moved.bps, moved.usd) == (None, None)
    assert moved.basis.startswith("unknown")
    assert any("not known here" in warning for warning in row.warnings)


def test_within_every_limit_it_is_silent_and_says_how_far_each_is(calm: View) -> None:
    run = scanned(calm, spread_out(calm))
    assert run.opportunities == ()
    assert run.report.outcome == "empty"
    found = answers(run)
    assert {(item.kind, item.stage) for item in found.values()} == {("gate_failed", "breach")}
    assert found["one_venue"].value == pytest.approx(0.35 / 0.70)
    assert found["one_asset"].value == pytest.approx(0.15 / 0.40)
    assert found["gross_exposure"].value == pytest.approx(0.45 / 3.0)


def test_the_shortfall_of_independent_normal_assets_is_the_normal_one(calm: View) -> None:
    """Three assets of 15,000 USD and 2 % a day: sd 15,000 x 0.02 x sqrt 3 = 519.6, ES97.5 = 2.338 sd = 1,215 of 5,000 USD. The
    filter and the sample leave it within a tenth of that."""
    found = answers(scanned(calm, spread_out(calm)))
    assert found["shortfall"].value == pytest.approx(2.338 * 519.6 / 5_000, rel=0.10)


def test_too_little_of_the_account_is_insufficient(calm: View) -> None:
    run = scanned(calm, spread_out(calm, coverage_frac=0.80))
    (item,) = run.dispositions
    assert (item.kind, item.stage) == ("insufficient_data", "portfolio.coverage")
    assert item.value == pytest.approx(0.80)
    assert item.limit == 0.95


def test_nobody_without_holdings_is_told_anything(calm: View) -> None:
    run = scanned(calm, Account())
    assert (run.report.outcome, run.report.reason) == ("skipped", "no portfolio")
    nothing = account(balance(calm, "bybit", "BTC", 0))
    assert scanned(calm, nothing).report.outcome == "skipped"


def test_an_asset_over_its_limit_is_sold_where_it_lies_free(calm: View) -> None:
    """60 % of BTC against 40 %: sold down to 38 %, 22,000 USD, 220 units; 30 % in cash at three venues else."""
    who = account(
        balance(calm, "binance", "BTC", 500), balance(calm, "bybit", "BTC", 100),
        balance(calm, "kraken", "USDT", 20_000), balance(calm, "bybit", "USDC", 20_000),
    )  # fmt: skip
    run = scanned(calm, who)
    row = next(row for row in run.opportunities if "one_asset" in row.reasons[0])
    (leg,) = row.legs
    assert leg.instrument == Instrument("binance", "BTC", "USDT", "spot")
    assert (leg.side, leg.quantity, leg.reduce_only) == ("sell", Decimal(220), False)
    assert leg.price == Decimal("99.99")
    assert leg.notional_usd == pytest.approx(22_000)
    # Binance spot takes 10 bps and half of 2 bps: 22,000 x 11 bps = 24.20 USD, and it is not bought back.
    assert row.risk_facts["cost_usd"] == pytest.approx(24.2)
    assert row.risk_facts["dES_usd"] == pytest.approx(
        row.risk_facts["es_before_usd"] * 22 / 60, rel=1e-9
    )  # one asset: shortfall is proportional to it
    assert row.rank_score == pytest.approx(row.risk_facts["price_of_risk"] - 24.2 / row.risk_facts["dES_usd"])


def test_the_smallest_sale_brings_the_shortfall_to_its_aim() -> None:
    """One wild asset among calm ones: 38,000 USD of 10 % a day are 8.9 % of equity lost in the tail; only it is sold."""
    names = {"BTC": 0.02, "ETH": 0.02, "DOGE": 0.10}
    view = market({name: normal(DAYS, sd, seed) for seed, (name, sd) in enumerate(names.items())})
    who = account(
        balance(view, "binance", "BTC", 100), balance(view, "binance", "ETH", 100),
        balance(view, "binance", "DOGE", 380), balance(view, "kraken", "USDT", 42_000),
    )  # fmt: skip
    row = next(row for row in scanned(view, who).opportunities if "shortfall" in row.reasons[0])
    (leg,) = row.legs
    assert leg.instrument.base == "DOGE"
    assert row.risk_facts["es_after_usd"] == pytest.approx(0.95 * 5_000, rel=1e-4)
    assert row.risk_facts["es_after_usd"] <= 0.95 * 5_000 * (1 + 1e-9)


def test_a_stablecoin_below_its_dollar_is_swapped(calm: View) -> None:
    couple = Instrument("bybit", "USDC", "USDT", "spot")
    view = dataclasses.replace(
        calm,
        instruments=(
            *calm.instruments[:-1],
            specified(calm, couple),
        ),
    )
    view = requoted(view, {couple: 0.99})
    who = account(
        balance(view, "bybit", "USDC", 30_000), balance(view, "binance", "USDT", 40_000),
        balance(view, "kraken", "USDT", 30_000),
    )  # fmt: skip
    row = only(scanned(view, who))
    (leg,) = row.legs
    assert (leg.instrument, leg.side) == (couple, "sell")
    assert row.strength == pytest.approx(2.0)  # 100 of 50 bps
    assert leg.quantity == Decimal(30_000)


def specified(view: View, instrument: Instrument) -> Any:
    return msgspec.structs.replace(view.instruments[-1], instrument=instrument, tick=Decimal("0.0001"))


def test_gross_exposure_is_reduced_by_closing_positions(calm: View) -> None:
    """100,000 USD bear 350,000 of positions, limit 3: down to 2.85, 65,000 USD less of the largest."""
    who = account(
        balance(calm, "binance", "USDT", 35_000), balance(calm, "bybit", "USDC", 35_000),
        balance(calm, "kraken", "USDT", 30_000),
        positions=(position(calm, "BTC", 2_000), position(calm, "ETH", -1_500)),
    )  # fmt: skip
    row = next(row for row in scanned(calm, who).opportunities if "gross_exposure" in row.reasons[0])
    (leg,) = row.legs
    assert leg.instrument == Instrument("binance", "BTC", "USDT", "perpetual")
    assert (leg.side, leg.reduce_only, leg.quantity) == ("sell", True, Decimal(650))


def test_a_liquidation_that_is_near_asks_for_margin_from_another_venue(calm: View) -> None:
    """Liquidation 6 % below the mark is 3 volatilities of 2 %; 4 are asked, so 4/0.95 = 4.2105 of them are the aim: 20,000 x
    1.2105 x 2 % = 484 USD, as far as the volatility of the day is 2 %."""
    who = account(
        balance(calm, "binance", "USDT", 30_000), balance(calm, "bybit", "USDC", 35_000),
        balance(calm, "kraken", "USDT", 35_000),
        positions=(position(calm, "BTC", 200, liquidation_price=Decimal(94)),),
    )  # fmt: skip
    row = next(row for row in scanned(calm, who).opportunities if "liquidation" in row.reasons[0])
    assert row.transfer is not None
    assert (row.transfer.asset, row.transfer.to_venue) == ("USDT", "binance")
    assert row.transfer.value_usd == pytest.approx(484, rel=0.35)
    assert "at least 4" in row.reasons[0]


def test_a_position_without_a_liquidation_price_cannot_be_judged(calm: View) -> None:
    who = account(balance(calm, "binance", "USDT", 100_000), positions=(position(calm, "BTC", 10),))
    item = answers(scanned(calm, who))["liquidation_distance"]
    assert item.kind == "insufficient_data"
    assert item.stage.startswith("liquidation_distance.binance:BTC-USDT")


def test_what_takes_days_to_sell_is_reduced() -> None:
    """60,000 USD of an asset that trades 200,000 a day on two instruments each way: 5 % of 400,000 is 20,000 a day, 3 days of 2;
    down to 1.9 days, 38,000, so 22,000 are sold."""
    view = market({"XYZ": normal(DAYS, 0.01, 1), "BTC": normal(DAYS, 0.01, 2)}, turnover=200_000.0)
    who = account(
        balance(view, "binance", "XYZ", 600), balance(view, "kraken", "USDT", 40_000), profile="aggressive"
    )
    found = answers(scanned(view, who))
    assert found["days_to_exit"].value == pytest.approx(3.0 / 5.0)
    calmer = account(balance(view, "binance", "XYZ", 600), balance(view, "kraken", "USDT", 40_000))
    lost = answers(scanned(view, calmer))["days_to_exit"]
    # 22,000 USD are beyond 1 % of the turnover, which is as far as a size can be priced without a book.
    assert (lost.kind, lost.stage) == ("gate_failed", "mendable")


def test_assets_that_move_together_count_as_one() -> None:
    common = normal(DAYS, 0.02, 1)
    returns = {name: common + normal(DAYS, 0.002, seed) for seed, name in enumerate(("A", "B", "C"), 5)}
    view = market(returns)
    who = account(
        *(balance(view, "binance", name, 300) for name in returns), balance(view, "kraken", "USDT", 10_000)
    )
    found = answers(scanned(view, who))
    assert found["correlated"].kind == "opportunity"
    row = next(row for row in scanned(view, who).opportunities if "correlated" in row.reasons[0])
    assert row.strength == pytest.approx(0.9 / 0.8)
    assert row.legs[0].notional_usd == pytest.approx(14_000, abs=0.11)  # whole lots


def test_one_account_at_one_venue_has_nowhere_to_move_to(calm: View) -> None:
    who = account(balance(calm, "bybit", "USDT", 60_000), balance(calm, "bybit", "USDC", 40_000))
    item = answers(scanned(calm, who))["one_venue"]
    assert (item.kind, item.stage) == ("gate_failed", "mendable")
    assert item.flips_if == "there is no longer no account at a second venue"


def test_a_small_account_is_under_the_least_capital(calm: View) -> None:
    who = account(balance(calm, "bybit", "USDT", 400), equity_usd=400.0)
    assert {item.stage for item in scanned(calm, who).dispositions} == {"min_capital"}


def test_a_price_that_is_missing_is_bounded_by_what_the_account_states(calm: View) -> None:
    """1,000 units of REEF are not priced; the account states 103,000 USD, so they are worth 3,000 at most: coverage 0.971."""
    who = spread_out(calm, equity_usd=103_000.0)
    who = with_more(who, balance(calm, "bybit", "REEF", 1_000))
    run = scanned(calm, who)
    assert answers(run)["one_venue"].kind == "gate_failed"
    unbounded = with_more(spread_out(calm, equity_usd=None), balance(calm, "bybit", "REEF", 1_000))
    (item,) = scanned(calm, unbounded).dispositions
    assert (item.kind, item.stage) == ("insufficient_data", "portfolio.priced")


def with_more(who: Account, *more: Any) -> Account:
    return msgspec.structs.replace(who, balances=(*who.balances, *more))


def test_debt_and_dust_are_counted_and_never_sold(calm: View) -> None:
    who = with_more(
        spread_out(calm), balance(calm, "bybit", "XRP", "-10"), balance(calm, "bybit", "ADA", "0.00000001")
    )
    run = scanned(calm, who)
    assert run.opportunities == ()
    found = answers(run)
    equity = 100_000 - 1_000 + 1e-6
    assert found["gross_exposure"].value == pytest.approx(46_000 / equity / 3)


def test_nothing_worth_having_is_insufficient(calm: View) -> None:
    who = account(balance(calm, "bybit", "USDT", "-5"))
    (item,) = scanned(calm, who).dispositions
    assert (item.kind, item.stage) == ("insufficient_data", "portfolio.equity_usd")


def test_old_balances_are_insufficient(calm: View) -> None:
    old = balance(calm, "bybit", "USDT", 1_000, as_of_ns=calm.as_of_ns - 121 * 10**9)
    (item,) = scanned(calm, account(old)).dispositions
    assert (item.stage, item.limit) == ("portfolio.age_s", 120.0)
    assert item.value == pytest.approx(121.0)


def test_an_asset_without_history_is_insufficient_unless_it_is_small() -> None:
    young = np.r_[np.full(DAYS - 40, np.nan), normal(40, 0.02, 3)]
    view = market({"BTC": normal(DAYS, 0.02, 1), "NEW": young})
    large = account(balance(view, "binance", "BTC", 100), balance(view, "binance", "NEW", 100))
    (item,) = scanned(view, large).dispositions
    assert (item.kind, item.stage, item.value, item.limit) == ("insufficient_data", "bars.1d.NEW", 39, 120)
    small = account(
        balance(view, "binance", "BTC", 500),
        balance(view, "binance", "NEW", 10),
        balance(view, "kraken", "USDT", 10_000),
    )
    rows = scanned(view, small).opportunities
    assert rows
    assert any("NEW has 39 of 120 days" in warning for warning in rows[0].warnings)


def test_the_report_holds_quantiles_contributions_and_stresses(calm: View) -> None:
    who = account(
        balance(calm, "binance", "BTC", 600),
        balance(calm, "binance", "ETH", 100),
        balance(calm, "kraken", "USDT", 30_000),
    )
    row = scanned(calm, who).opportunities[0]
    facts = row.risk_facts
    assert facts["contribution_BTC_usd"] + facts["contribution_ETH_usd"] == pytest.approx(
        facts["es97.5_1d_usd"]
    )
    assert facts["var95_1d_usd"] < facts["var97.5_1d_usd"] < facts["var99_1d_usd"] < facts["es99_1d_usd"]
    assert facts["stress_all_usd"] == pytest.approx(21_000)
    assert facts["stress_stable_usd"] == pytest.approx(3_000)
    assert facts["stress_venue_usd"] == pytest.approx(70_000)
    assert facts["es97.5_7d_usd"] > facts["es97.5_1d_usd"]
