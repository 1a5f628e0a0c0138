"""The fixtures of strategies.md 3.7; its numbers were worked out by a prototype that is not this code."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.view import View
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, StrategyRun, run_strategy
from sextant.scans.universe import choose
from sextant.strategies.catalog import strategy
from sextant.strategies.prices import CostAssumptions
from support.makers import informed_tape, maker_market, tight_tape, wide_tape
from support.markets import known_at
from support.portfolios import balance, position

RICH = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"bybit": 100_000.0})


def scanned(view: View, who: Account = RICH) -> StrategyRun:
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    wanted = ScanRequest()
    chosen = strategy("ai_market_making")
    run = run_strategy(chosen, Asked(part, choose(view, wanted, part.turnover_usd), who, wanted))
    assert sum(run.report.dispositions.values()) == run.report.candidates == view.size
    return run


def emitted(view: View, who: Account = RICH) -> Opportunity:
    run = scanned(view, who)
    assert run.opportunities, run.dispositions
    return run.opportunities[0]


def refused(view: View, who: Account = RICH) -> Disposition:
    run = scanned(view, who)
    assert run.opportunities == ()
    return run.dispositions[0]


@pytest.fixture(scope="module")
def view() -> View:
    return maker_market()


def test_a_wide_and_busy_book_is_worth_quoting(view: View) -> None:
    """half_AS 12.3 = delta; 2 x 12.28 - 2 x 2 - 2 x 1.0 and 0.08 for holding leave 18.5 bps of a round trip."""
    row = emitted(view)
    assert row.gross_bps == pytest.approx(2 * 12.28, rel=2e-3)
    assert row.edge_bps == pytest.approx(18.47, rel=2e-3)
    lines = {line.item: line.bps for line in row.costs}
    assert lines["fee_entry"] == lines["fee_exit"] == -2.0
    assert lines["slippage"] == pytest.approx(-2.08, rel=0.01)
    assert math.fsum(bps for bps in lines.values() if bps is not None) == pytest.approx(row.edge_bps)
    assert row.strength == pytest.approx(12.28 / 3.5, rel=2e-3)
    # 0.2525 sweeps a second of the slower side, half of which fill: 7.9 s.
    assert row.expected_s == pytest.approx(1 / (0.5 * 0.2525), rel=5e-3)
    assert (row.direction, row.opportunity_type, row.grade) == ("neutral", "market_making", "analytic")
    assert (row.evidence.kind, row.evidence.reason, row.evidence.n) == ("flow", "no recorded books", 600)
    assert row.horizon_s == 3_600


def test_both_orders_rest_inside_the_touch_on_their_ticks(view: View) -> None:
    """12.28 bps of 100 are 0.1228: 99.87 and 100.13."""
    buy, sell = emitted(view).legs
    assert (buy.side, buy.price, sell.side, sell.price) == (
        "buy",
        Decimal("99.87"),
        "sell",
        Decimal("100.13"),
    )
    assert {buy.order_kind, sell.order_kind} == {"limit_post_only"}
    assert buy.quantity == sell.quantity > 0


def test_the_size_is_what_risk_capital_flow_and_inventory_allow(view: View) -> None:
    """100,000 USD: the touch of 100,000, or 5 % of 2,400 units an hour, 12,000 USD, of which half; the cap of 10 % over three
    sizes is 3,333; risk 500 USD over 3 x (4 x 7.746 x 1.5 + 15 bps) = 184 bps is 27,000."""
    row = emitted(view)
    assert row.size.binding == "position_cap"
    assert row.size.notional_usd == pytest.approx(3_333, rel=1e-3)
    assert row.capacity_usd == pytest.approx(12_000, rel=1e-3)
    poor = dataclasses.replace(view, quotes=dataclasses.replace(view.quotes, bid_size=np.array([50.0])))
    assert emitted(poor).size.notional_usd == pytest.approx(2_500, rel=1e-3)


def test_an_inventory_moves_both_orders_against_it(view: View) -> None:
    """Three sizes long: 3 x 0.02 x 1 x 60 = 3.6 bps lower: 99.964 less and more 12.28 bps."""
    long = position(view, "C000", 1_000_000, "bybit")
    row = emitted(view, msgspec.structs.replace(RICH, positions=(long,)))
    assert [leg.price for leg in row.legs] == [Decimal("99.84"), Decimal("100.09")]


def test_informed_flow_is_refused() -> None:
    item = refused(maker_market(tape=informed_tape))
    assert (item.kind, item.stage) == ("gate_failed", "quote_within_flow")
    assert item.value is not None
    assert item.value > 60 + 2.5
    assert item.limit == pytest.approx(45.0, rel=1e-3)


def test_a_tight_book_does_not_pay_its_fee() -> None:
    """2 bps of fee and 0.5 of margin against fills seen down to 0.03 bps."""
    item = refused(maker_market(99.9999, 100.0001, tick="0.00001", tape=tight_tape))
    assert (item.kind, item.stage) == ("gate_failed", "quote_within_flow")
    assert item.value == pytest.approx(2.5, abs=0.02)
    assert item.limit == pytest.approx(0.03, rel=1e-3)


def test_a_spread_of_one_tick_leaves_no_room(view: View) -> None:
    item = refused(maker_market(tick="0.3"))
    assert (item.kind, item.stage, item.value, item.limit) == ("gate_failed", "spread_ticks", 1.0, 2.0)


def test_a_jump_takes_quotes_away(view: View) -> None:
    frame = view.bars["1m"]
    close = frame.close.copy()
    close[-2:] *= np.exp(60e-4)
    moved = dataclasses.replace(view, bars={"1m": dataclasses.replace(frame, close=close)})
    assert refused(moved).stage == "jump"


def test_one_sided_flow_is_toxic() -> None:
    def biased(end_ns: int) -> Any:
        tape = wide_tape(end_ns)
        return dataclasses.replace(tape, size=np.where(tape.aggressor > 0, 4.0, 1.0))

    item = refused(maker_market(tape=biased))
    assert item.stage == "toxicity"
    assert item.value == pytest.approx(0.6)


def test_a_dearer_fee_eats_the_edge(view: View) -> None:
    def paying(maker_bps: float) -> Account:
        tier = FeeTier(
            "bybit", "perpetual", "test", maker_bps, 10.0, assumed=False, source="test", read_on=""
        )
        return msgspec.structs.replace(RICH, fees={"bybit:perpetual": tier})

    assert emitted(view, paying(4.0)).edge_bps == pytest.approx(18.47 - 4.0, rel=2e-3)
    # 11.5 + 1.0 + 0.5 = 13.0 bps are needed: half a basis point over the costs is less than 1.28 of 1.22.
    item = refused(view, paying(11.5))
    assert item.stage == "significance"
    assert item.value == pytest.approx(0.5 / 1.2225, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        ({"trades": {}}, "trades"),
        ({"books": "stale"}, "book.age_ms"),
        ({"books": "short"}, "books.levels"),
        ({"quotes": "stale"}, "quote.age_ms"),
    ],
)
def test_what_is_missing_is_said(view: View, change: dict[str, Any], stage: str) -> None:
    books, quotes = view.books, view.quotes
    facts: dict[str, Any] = dict(change)
    if change.get("books") == "stale":
        facts["books"] = dataclasses.replace(books, event_ns=books.event_ns - 3 * 10**9)
    if change.get("books") == "short":
        facts["books"] = dataclasses.replace(
            books, bid_price=np.where(np.arange(10) < 9, books.bid_price, np.nan)
        )
    if change.get("quotes") == "stale":
        facts["quotes"] = dataclasses.replace(quotes, event_ns=quotes.event_ns - 6 * 10**9)
    item = refused(dataclasses.replace(view, **facts))
    assert (item.kind, item.stage) == ("insufficient_data", stage)


def test_too_few_or_too_old_trades_are_counted(view: View) -> None:
    tape = next(iter(view.trades.values()))
    spec = view.instruments[0].instrument
    few = dataclasses.replace(
        tape, **{n: getattr(tape, n)[-200:] for n in ("event_ns", "price", "size", "aggressor")}
    )
    item = refused(dataclasses.replace(view, trades={spec: few}))
    assert (item.stage, item.value, item.limit) == ("trades.900s", 200.0, 300.0)
    old = dataclasses.replace(tape, event_ns=tape.event_ns - 61 * 10**9)
    assert refused(dataclasses.replace(view, trades={spec: old})).stage == "trades.age_s"
    sided = dataclasses.replace(tape, aggressor=np.ones(600))
    assert refused(dataclasses.replace(view, trades={spec: sided})).stage == "trades.per_side"
    unknown = dataclasses.replace(tape, aggressor=np.zeros(600))
    assert refused(dataclasses.replace(view, trades={spec: unknown})).stage == "trades.900s"


def test_without_bars_it_is_skipped(view: View) -> None:
    run = scanned(known_at(view, 0))
    assert (run.report.outcome, run.report.reason) == ("skipped", "no 1m bars")


def test_spot_is_bound_by_the_asset_that_lies_there(view: View) -> None:
    spot = msgspec.structs.replace(view.instruments[0].instrument, kind="spot")
    rules = msgspec.structs.replace(view.instruments[0], instrument=spot)
    tape = next(iter(view.trades.values()))
    there = dataclasses.replace(view, instruments=(rules,), trades={spot: tape})
    tier = FeeTier("bybit", "spot", "test", 2.0, 10.0, assumed=False, source="test", read_on="")
    who = msgspec.structs.replace(RICH, fees={"bybit:spot": tier})
    item = refused(there, who)
    assert (item.kind, item.value) == ("below_min_notional", 0.0)
    row = emitted(there, msgspec.structs.replace(who, balances=(balance(there, "bybit", "C000", 20),)))
    assert row.size.notional_usd == pytest.approx(2_000)
    assert row.size.binding == "capital"


def test_nobody_gets_an_illustration(view: View) -> None:
    row = emitted(view, Account())
    assert row.size.illustrative
    assert row.rank_score is None
    assert any("illustrative" in warning for warning in row.warnings)


def test_the_least_capital_is_asked(view: View) -> None:
    assert refused(view, msgspec.structs.replace(RICH, equity_usd=2_000.0)).stage == "min_capital"


def test_equal_views_give_equal_bytes(view: View) -> None:
    assert msgspec.json.encode(scanned(view).opportunities) == msgspec.json.encode(
        scanned(view).opportunities
    )
