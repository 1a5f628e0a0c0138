"""The fixtures of strategies.md 3.12: 80 % of 100,000 USD in X, whose day is 1.1 times that of BTC and 1 % of its own."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sextant.model.account import Account
from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition
from sextant.model.view import View, no_derivatives
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, StrategyRun, run_strategy
from sextant.scans.universe import choose
from sextant.strategies.catalog import strategy
from sextant.strategies.prices import CostAssumptions
from support.portfolios import DAYS, account, balance, funded, market, normal, steady, with_frame

ROWS = 1_000
DAY_SEED = 29  # an order of the days in which the newest volatility is 3 % as well
PERPETUAL = Instrument("binance", "BTC", "USDT", "perpetual")


def returns_of(rows: int, step: float, seed: int) -> dict[str, Any]:
    """BTC moves by 3 % a day, X by 1.1 times as much and 1 % of its own; ``step`` is the square root of a bar's days."""
    bitcoin = steady(rows, 0.03 * step, seed)
    return {"BTC": bitcoin, "X": 1.1 * bitcoin + steady(rows, 0.01 * step, seed + 1)}


def built(rate: float = 0.0, rows: int = ROWS, days: dict[str, Any] | None = None, **facts: Any) -> View:
    short = returns_of(rows, 6**-0.5, 21)
    view = market(days or returns_of(DAYS, 1.0, DAY_SEED), spot_only=("X",), **facts)
    return funded(with_frame(view, "4h", short), rate)


@pytest.fixture(scope="module")
def view() -> View:
    return built()


def holding(view: View, x: float, **changes: Any) -> Account:
    """Units of X of 100 USD; the rest of 100,000 USD lies free."""
    return account(
        balance(view, "binance", "X", x), balance(view, "binance", "USDT", 100_000 - 100 * x), **changes
    )


def scanned(view: View, who: Account) -> StrategyRun:
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    wanted = ScanRequest()
    chosen = strategy("ai_hedge_position")
    run = run_strategy(chosen, Asked(part, choose(view, wanted, part.turnover_usd), who, wanted))
    assert sum(run.report.dispositions.values()) == run.report.candidates
    return run


def only(run: StrategyRun) -> Disposition:
    (item,) = run.dispositions
    assert run.opportunities == ()
    return item


def test_the_market_is_sold_until_the_loss_is_within_nine_tenths_of_the_budget(view: View) -> None:
    """Sd 0.8 x sqrt(0.033^2 + 0.01^2) = 2.759 %, ES 2.338 sd = 6.45 %; 4.5 % leave 1,925 USD of sd, of which 800 are X's own, so
    (88,000 - N) x 0.03 = 1,751 and N = 29,600, 0.337 of the full hedge."""
    run = scanned(view, holding(view, 800))
    (row,) = run.opportunities
    facts = row.risk_facts
    assert facts["es_before_usd"] == pytest.approx(6_450, rel=0.02)
    assert facts["es_after_usd"] == pytest.approx(4_500, rel=1e-3)
    (leg,) = row.legs
    assert (leg.instrument, leg.side, leg.role, leg.reduce_only) == (PERPETUAL, "sell", "hedge", False)
    assert leg.notional_usd == pytest.approx(29_600, rel=0.02)
    assert float(row.reasons[1].split(" of the full hedge")[0].split()[-1]) == pytest.approx(0.337, rel=0.05)
    assert "of the variance" in row.reasons[1]
    assert row.direction == "short"
    assert row.horizon_s == 7 * 86_400
    # 5 bps of taker fee and half of 2 bps, twice; no funding.
    assert facts["cost_usd"] == pytest.approx(leg.notional_usd * 12e-4, rel=1e-3)
    assert leg.leverage == 3.0
    assert row.rank_score == pytest.approx(facts["price_of_risk"] - facts["cost_usd"] / facts["dES_usd"])
    assert (row.rank_score or 0.0) > 0


def test_out_of_sample_the_hedge_took_what_it_should(view: View) -> None:
    """1.1^2 x 9 of 1.1^2 x 9 + 1 is 0.916 of the variance."""
    (row,) = scanned(view, holding(view, 800)).opportunities
    reading = next(gate for gate in row.gates if gate.gate == "effectiveness")
    assert reading.value == pytest.approx(0.916, abs=0.03)
    assert row.evidence.n == (ROWS - 1 - 180) // 42
    assert row.grade == "analytic"


def test_within_the_budget_it_is_silent(view: View) -> None:
    """40,000 USD: 3.2 % of 5 % are 0.64 of the budget."""
    item = only(scanned(view, holding(view, 400)))
    assert (item.kind, item.stage, item.unit) == ("gate_failed", "breach", "hedge with BTC")
    assert item.value == pytest.approx(0.645, rel=0.02)
    assert item.limit == 1.0


def test_funding_that_is_earned_makes_it_cheaper_and_is_signed() -> None:
    """3 bps every 8 hours for 7 days are 21 settlements of 3 bps, which a short earns: 63 bps of its size."""
    (row,) = scanned(paid := built(3e-4), holding(paid, 800)).opportunities
    size = row.legs[0].notional_usd
    assert row.risk_facts["cost_usd"] == pytest.approx(size * (12 - 63) * 1e-4, rel=1e-3)
    assert (row.rank_score or 0.0) > row.risk_facts["price_of_risk"]
    line = next(line for line in row.costs if line.item == "funding")
    assert line.bps == pytest.approx(63.0)


def test_a_hedge_that_costs_more_than_it_is_worth_is_none() -> None:
    """A short that pays 20 bps every 8 hours pays 420 bps of its size in a week."""
    dear = built(-20e-4)
    item = only(scanned(dear, holding(dear, 800)))
    assert (item.kind, item.stage, item.value_unit) == ("gate_failed", "worth", "USD")


def test_the_own_perpetual_is_compared_with_the_market() -> None:
    """With a perpetual of X there are two candidates; its own needs least for each USD of shortfall."""
    days = returns_of(DAYS, 1.0, DAY_SEED)
    base = market(days)
    view = funded(with_frame(base, "4h", returns_of(ROWS, 6**-0.5, 21)), 0.0)
    run = scanned(view, holding(view, 800))
    (row,) = run.opportunities
    found = {item.unit: item for item in run.dispositions}
    assert set(found) == {"hedge with X", "hedge with BTC"}
    assert row.legs[0].instrument.base == "X"
    lost = found["hedge with BTC"]
    assert (lost.kind, lost.stage) == ("gate_failed", "cheapest")


def test_two_majors_together_are_a_candidate() -> None:
    rng_days, rng_short = normal(DAYS, 0.03, 31), normal(ROWS, 0.03 * 6**-0.5, 32)
    days, short = returns_of(DAYS, 1.0, DAY_SEED), returns_of(ROWS, 6**-0.5, 21)
    days = {
        "BTC": days["BTC"],
        "ETH": rng_days,
        "X": 0.8 * days["BTC"] + 0.8 * rng_days + normal(DAYS, 0.01, 5),
    }
    short = {
        "BTC": short["BTC"],
        "ETH": rng_short,
        "X": 0.8 * short["BTC"] + 0.8 * rng_short + normal(ROWS, 0.004, 6),
    }
    view = funded(with_frame(market(days, spot_only=("X",)), "4h", short), 0.0)
    run = scanned(view, holding(view, 650))
    (row,) = run.opportunities
    assert {item.unit for item in run.dispositions} == {
        "hedge with BTC",
        "hedge with ETH",
        "hedge with BTC+ETH",
    }
    assert len(row.legs) == 2
    assert {leg.side for leg in row.legs} == {"sell"}


def test_a_market_that_explains_nothing_is_no_hedge() -> None:
    days = {"BTC": normal(DAYS, 0.03, 1), "X": normal(DAYS, 0.05, 2)}
    view = market(days, spot_only=("X",))
    short = {"BTC": normal(ROWS, 0.012, 3), "X": normal(ROWS, 0.02, 4)}
    view = funded(with_frame(view, "4h", short), 0.0)
    item = only(scanned(view, holding(view, 800)))
    assert item.kind in ("gate_failed", "insufficient_data")
    assert item.stage in ("effectiveness", "min_notional.BTC")


def test_without_funding_or_weeks_or_bars_it_is_insufficient(view: View) -> None:
    blind = dataclasses.replace(view, derivatives=no_derivatives(view.size), funding_history={})
    assert only(scanned(blind, holding(blind, 800))).stage == "funding.BTC"
    few = built(rows=400)
    item = only(scanned(few, holding(few, 800)))
    assert (item.stage, item.value, item.limit) == ("evidence.weeks", 5.0, 12.0)
    none = dataclasses.replace(view, bars={"1d": view.bars["1d"]})
    item = only(scanned(none, holding(none, 800)))
    assert (item.stage, item.value, item.limit) == ("bars.4h.BTC", 0.0, 360.0)


def test_margin_must_lie_free_at_the_venue(view: View) -> None:
    who = holding(view, 800, free_usd={"binance": 100.0})
    item = only(scanned(view, who))
    assert (item.stage, item.value) == ("margin_free_usd", 100.0)


def test_without_a_perpetual_at_a_venue_of_the_account_there_is_nothing_to_hedge_with(view: View) -> None:
    who = account(balance(view, "kraken", "X", 800), balance(view, "kraken", "USDT", 20_000))
    item = only(scanned(view, who))
    assert (item.unit, item.stage) == ("portfolio", "instrument")


def test_nobody_is_hedged(view: View) -> None:
    assert scanned(view, Account()).report.reason == "no portfolio"


def test_cash_alone_is_within_its_budget(view: View) -> None:
    item = only(scanned(view, account(balance(view, "binance", "USDT", 100_000))))
    assert (item.stage, item.value) == ("breach", 0.0)


def test_a_small_account_is_under_the_least_capital(view: View) -> None:
    who = account(balance(view, "binance", "X", 40), equity_usd=4_000.0)
    assert only(scanned(view, who)).stage == "min_capital"
