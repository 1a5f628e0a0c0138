"""What every strategy of cycles must satisfy, whoever wrote it; strategies.md 1.3 and 1.10 through the steps of a scan."""

from __future__ import annotations

import dataclasses
import math

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.view import no_books
from sextant.strategies.catalog import strategies
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Strategy
from sextant.strategies.costs import CostAssumptions, Pricing
from support.cards import UNPROVEN
from support.couple_runs import BARE, scanned
from support.cycle_markets import EMITS, REFUSES
from support.finite import numbers
from support.markets import quoted_earlier, reordered, unquoted

ALL = [strategy for strategy in strategies().values() if strategy.unit == "cycle"]
IDS = [strategy.id for strategy in ALL]
LINES = ["gross", "fee_entry", "fee_exit", "spread", "slippage", "funding", "borrow", "transfer", "delivery"]

each = pytest.mark.parametrize("strategy", ALL, ids=IDS)


@each
def test_its_statement_is_complete(strategy: Strategy) -> None:
    assert strategy.references
    assert strategy.known_gaps
    assert strategy.judge is not None
    assert strategy.life_s is not None
    assert len({param.name for param in strategy.params}) == len(strategy.params)
    assert "quotes" in {need.column for need in strategy.needs}


@each
def test_it_speaks_in_its_own_market_in_one_direction(strategy: Strategy) -> None:
    run = scanned(strategy.id, EMITS[strategy.id](), BARE)
    assert run.report.outcome == "ok"
    (row,) = run.opportunities
    assert len(row.legs) == 3
    assert row.direction == "neutral"
    assert row.stop_reason
    assert {item.kind for item in run.dispositions} == {"opportunity", "negative_net_edge"}
    assert [item.opportunity_key for item in run.dispositions if item.opportunity_key] == [
        row.opportunity_key
    ]


@each
def test_it_is_silent_in_a_market_without_its_cause(strategy: Strategy) -> None:
    market, kind, stage = REFUSES[strategy.id]
    run = scanned(strategy.id, market(), BARE)
    assert not run.opportunities
    assert {(item.kind, item.stage) for item in run.dispositions} == {(kind, stage)}
    assert all(item.flips_if for item in run.dispositions)


@each
def test_every_cycle_has_one_disposition_and_they_add_up(strategy: Strategy) -> None:
    run = scanned(strategy.id, EMITS[strategy.id](), BARE)
    units = [item.unit for item in run.dispositions]
    assert units == sorted(set(units))
    assert run.report.candidates == len(units) == sum(run.report.dispositions.values()) == 2
    for item in run.dispositions:
        assert len(item.instruments) == 3


@each
def test_the_order_of_instruments_changes_nothing(strategy: Strategy) -> None:
    view = EMITS[strategy.id]()
    run, other = (scanned(strategy.id, one, BARE) for one in (view, reordered(view, (2, 0, 1))))
    assert msgspec.json.encode(list(run.dispositions)) == msgspec.json.encode(list(other.dispositions))
    assert msgspec.json.encode(run.opportunities) == msgspec.json.encode(other.opportunities)


@each
def test_the_view_is_left_as_it_is_and_gives_the_same_bytes_again(strategy: Strategy) -> None:
    view = EMITS[strategy.id]()
    before = view.content_hash
    first = msgspec.json.encode(scanned(strategy.id, view, BARE).opportunities)
    assert msgspec.json.encode(scanned(strategy.id, view, BARE).opportunities) == first
    assert dataclasses.replace(view).content_hash == before


@each
@pytest.mark.parametrize("account", [BARE, Account()], ids=["account", "nobody"])
def test_opportunities_add_up_and_can_be_ordered(strategy: Strategy, account: Account) -> None:
    view = EMITS[strategy.id]()
    (row,) = scanned(strategy.id, view, account).opportunities
    for path, value in numbers(msgspec.to_builtins(row)):
        assert math.isfinite(value), path
    assert [line.item for line in row.costs] == LINES
    assert row.edge_bps is not None
    assert row.edge_bps > 0
    assert math.fsum(line.bps or 0.0 for line in row.costs) == pytest.approx(row.edge_bps, abs=1e-9)
    assert all((line.bps or 0.0) <= 0.0 for line in row.costs[1:])
    rules = {spec.instrument: spec for spec in view.instruments}
    for leg in row.legs:
        assert leg.quantity % rules[leg.instrument].lot == 0
        assert leg.price % rules[leg.instrument].tick == 0
    assert row.expires_ns >= row.as_of_ns >= row.first_seen_ns
    assert row.reasons
    assert all(reading.passed for reading in row.gates)
    assert row.size.illustrative == (account.equity_usd is None)


@each
def test_dearer_fees_never_raise_an_edge(strategy: Strategy) -> None:
    view, last = EMITS[strategy.id](), math.inf
    for taker_bps in (0.0, 2.0, 5.0, 10.0, 20.0):
        tier = FeeTier(
            "bybit", "spot", "test", taker_bps, taker_bps, assumed=False, source="test", read_on=""
        )
        paying = msgspec.structs.replace(BARE, fees={"bybit:spot": tier})
        rows = scanned(strategy.id, view, paying).opportunities
        edge = max((row.edge_bps or 0.0 for row in rows), default=0.0)
        assert edge <= last
        last = edge
    assert last == 0.0


@each
def test_both_bounds_of_every_parameter_run(strategy: Strategy) -> None:
    view = EMITS[strategy.id]()
    assert strategy.judge is not None
    for param in strategy.params:
        for value in (param.low, param.high):
            verdict = strategy.evaluate(view, strategy.defaults(**{param.name: value}), Columns(view))
            pricing = Pricing(view, BARE, CostAssumptions())
            _, dispositions = strategy.judge(strategy, verdict, lambda *_: UNPROVEN, pricing)
            assert len(dispositions) == 2, (param.name, value)


@each
@pytest.mark.parametrize("name", ["bid", "ask", "bid_size", "ask_size"])
def test_an_unknown_quote_is_an_answer_and_never_an_exception(strategy: Strategy, name: str) -> None:
    view = EMITS[strategy.id]()
    column = getattr(view.quotes, name).copy()
    column[1] = np.nan
    quotes = dataclasses.replace(view.quotes, **{name: column})
    run = scanned(strategy.id, dataclasses.replace(view, quotes=quotes, books=no_books(3)), BARE)
    assert (
        not run.opportunities or name == "bid_size"
    )  # ether is bought here: who else buys it does not matter
    if name in ("bid", "ask"):
        assert {(item.kind, item.stage) for item in run.dispositions} == {("insufficient_data", "quotes")}


@each
def test_old_and_missing_quotes_are_insufficient(strategy: Strategy) -> None:
    limit_s = next(need.greatest_age_s for need in strategy.needs if need.column == "quotes")
    view = EMITS[strategy.id]()
    old = scanned(strategy.id, quoted_earlier(view, limit_s + 1.0), BARE)
    assert {(item.kind, item.stage) for item in old.dispositions} == {("insufficient_data", "quote.age_ms")}
    never = scanned(strategy.id, unquoted(view), BARE)
    assert {(item.kind, item.stage) for item in never.dispositions} == {("insufficient_data", "quotes")}


@each
def test_without_a_cycle_it_is_skipped_with_its_reason(strategy: Strategy) -> None:
    view = EMITS[strategy.id]()
    for kept in (view.instruments[:2], ()):
        bare = dataclasses.replace(view, instruments=kept)
        verdict = strategy.evaluate(bare, strategy.defaults(), Columns(bare))
        assert verdict.skipped is not None
        assert "cycle" in verdict.skipped
