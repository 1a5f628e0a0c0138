"""A portfolio over its limits, from a view to the JSON that a client reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sextant.api.scans import results_body
from sextant.model.account import Account
from sextant.model.view import View
from sextant.scans.offline import Question, scan_view
from sextant.scans.records import Coverage, ScanRequest, ScanResults
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from support.portfolios import DAYS, account, balance, funded, market, normal, with_frame

PROTECTORS = ("ai_hedge_position", "ai_risk_management", "ai_portfolio_optimization")


@pytest.fixture(scope="module")
def view() -> View:
    """Two assets that move by 6 % a day, at two venues."""
    days = {name: normal(DAYS, 0.06, seed) for seed, name in enumerate(("BTC", "ETH"), 1)}
    short = {name: normal(1_000, 0.024, seed) for seed, name in enumerate(("BTC", "ETH"), 11)}
    return funded(with_frame(market(days, venues=("binance", "kraken")), "4h", short), 0.0)


def scanned(view: View, who: Account, **request: Any) -> tuple[ScanResults, Coverage]:
    wanted = ScanRequest(**{"strategy_ids": PROTECTORS} | request)
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    return scan_view(part, Question(wanted, who, strategies(), "test"))


def body(results: ScanResults) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(results_body(results))
    return told


def holder(view: View, **changes: Any) -> Account:
    return account(
        balance(view, "binance", "BTC", 600),
        balance(view, "binance", "USDT", 35_000),
        balance(view, "kraken", "USDC", 5_000),
        **changes,
    )


def test_protection_is_told_without_a_profit_and_with_what_it_removes(view: View) -> None:
    results, coverage = scanned(view, holder(view))
    rows = body(results)["opportunities"]
    assert {row["strategy_id"] for row in rows} >= {"ai_hedge_position", "ai_risk_management"}
    for row in rows:
        assert row["lane"] == "protect"
        assert row["profit_potential_usd"] is None
        assert row["confidence_score"] is None
        assert row["edge_bps"] is None
    hedge = next(row for row in rows if row["strategy_id"] == "ai_hedge_position")
    assert hedge["risk_reduction_usd"] > 0
    assert (hedge["symbol"], hedge["direction"], hedge["exchange"]) == ("BTC/USDT", "short", "binance")
    assert {report.strategy_id: report.candidates for report in coverage.strategies} == {
        "ai_hedge_position": 3,
        "ai_risk_management": 9,
        "ai_portfolio_optimization": 1,
    }
    for report in coverage.strategies:
        mine = [item for name, item in coverage.candidates if name == report.strategy_id]
        assert len(mine) == report.candidates == sum(report.dispositions.values())


def test_a_transfer_has_no_instrument_and_is_told_in_words_and_numbers(view: View) -> None:
    rows = body(scanned(view, holder(view))[0])["opportunities"]
    move = next(row for row in rows if row["metadata"]["transfer"] is not None)
    assert (move["symbol"], move["exchange"], move["instruments"]) == ("PORTFOLIO", "multiple", [])
    assert (move["entry_price"], move["exit_price"], move["stop_price"]) == (None, None, None)
    told = move["metadata"]["transfer"]
    assert (told["asset"], told["from_venue"], told["to_venue"]) == ("USDT", "binance", "kraken")
    # 95 % of 100,000 USD at one venue against 70 %: 28,500 USD bring it to 66.5 %.
    assert told["value_usd"] == pytest.approx(28_500)
    assert told["fee_usd"] is None
    assert any("only you can do it" in reason for reason in move["rank_reasons"])


def test_a_person_without_holdings_is_told_why_nothing_was_looked_at(view: View) -> None:
    results, coverage = scanned(view, Account())
    assert body(results)["total_opportunities"] == 0
    assert {(report.outcome, report.reason) for report in coverage.strategies} == {
        ("skipped", "no portfolio")
    }
    performance = body(results)["strategy_performance"]
    assert {performance[name]["reason"] for name in PROTECTORS} == {"no portfolio"}


def test_filters_keep_protection_and_count_what_they_refuse(view: View) -> None:
    kept, _ = scanned(view, holder(view), min_profit_usd=1e9)
    assert kept.found  # a profit that protection never promises is not asked of it
    none, coverage = scanned(view, holder(view), max_capital_usd=1.0)
    assert not none.found
    refused = {item.stage for _, item in coverage.candidates if item.kind == "filtered_by_user"}
    assert refused == {"max_required_capital"}
