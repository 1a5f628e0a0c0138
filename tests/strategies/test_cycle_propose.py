"""What an account is told of a cycle, and why a cycle is none for it."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import msgspec
import pytest

from sextant.model.instrument import Instrument
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.catalog import strategy
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.cycle_propose import judge_cycles
from support.cards import UNPROVEN
from support.carries import Carried, carrying
from support.couple_runs import BARE, holding, scanned, single
from support.cycle_markets import LOTS, cycle_market

NAME = "triangular_arbitrage"


def test_a_lot_larger_than_what_is_held_is_below_the_least_order() -> None:
    run = scanned(NAME, cycle_market(lots=(LOTS[0], Decimal(50), LOTS[2])), BARE)
    (item,) = [item for item in run.dispositions if item.kind == "below_min_notional"]
    assert item.limit == pytest.approx(50 * 0.05 * 60_000.0, rel=1e-6)
    assert item.flips_if is not None
    assert item.flips_if.startswith("position_cap")


def test_a_thin_gain_is_not_worth_three_orders() -> None:
    """30 basis points of gain and a little: above nothing and below two."""
    run = scanned(NAME, cycle_market(3_009.4), BARE)
    assert [item.stage for item in run.dispositions if item.kind == "gate_failed"] == ["least_edge_bps"]


def test_an_account_begins_with_what_it_holds_of_the_start() -> None:
    """5,000 USDT are less than its position cap allows; who holds none of it cannot begin."""
    row = single(scanned(NAME, cycle_market(), holding(BARE, "bybit", "USDT", "5000")))
    assert row.size.binding == "capital"
    assert row.size.notional_usd == pytest.approx(5_000.0, rel=1e-4)
    without = scanned(NAME, cycle_market(), holding(BARE, "bybit", "BTC", "3"))
    assert {item.kind for item in without.dispositions} == {"below_min_notional", "negative_net_edge"}


def test_a_small_account_is_told_what_it_needs() -> None:
    poor = msgspec.structs.replace(BARE, equity_usd=2_000.0)
    run = scanned(NAME, cycle_market(), poor)
    assert [item.stage for item in run.dispositions if item.kind == "gate_failed"] == ["min_capital"]


def test_a_halted_instrument_stops_both_directions() -> None:
    view = cycle_market()
    halted = msgspec.structs.replace(view.instruments[1], status="halted")
    stopped = dataclasses.replace(view, instruments=(view.instruments[0], halted, view.instruments[2]))
    run = scanned(NAME, stopped, BARE)
    assert {(item.kind, item.stage) for item in run.dispositions} == {("gate_failed", "status")}


def test_an_unknown_venue_has_no_fees_and_no_edge() -> None:
    run = scanned(NAME, cycle_market(venue="nowhere"), BARE)
    assert {(item.kind, item.stage) for item in run.dispositions} == {("insufficient_data", "cost.fees")}


def test_accounts_of_the_same_fees_are_refused_by_the_same_answers() -> None:
    part = MarketPart(cycle_market(3_005.0), CostAssumptions(), EvidenceShelf())
    chosen = strategy(NAME)
    verdict = part.verdict(chosen)
    told = [
        judge_cycles(
            chosen,
            verdict,
            lambda *_: UNPROVEN,
            Pricing(part.view, account, part.assumptions, part.tariff(account)),
        )[1]
        for account in (BARE, msgspec.structs.replace(BARE, equity_usd=5_000.0))
    ]
    assert all(one is other for one, other in zip(*told, strict=True))


def test_a_dollar_that_no_price_is_stated_in_is_still_worth_one() -> None:
    """Of USDC against bitcoin and ether nothing is quoted in USDC, with which that cycle begins all the same."""
    pairs = {("BTC", "USDT"): 60_000.0, ("ETH", "USDT"): 3_000.0, ("ETH", "BTC"): 0.0496}
    pairs |= {("USDC", "BTC"): 1 / 60_000.0, ("USDC", "ETH"): 1 / 3_000.0}
    legs = [Carried("bybit", "spot", price=price, base=base) for (base, _), price in pairs.items()]
    view = carrying(legs, rows=1_500, interval="1m")
    specs = tuple(
        msgspec.structs.replace(
            rules, instrument=Instrument("bybit", *pair, "spot"), tick=Decimal("1e-12"), min_notional=None
        )
        for rules, pair in zip(view.instruments, pairs, strict=True)
    )
    rows = scanned(NAME, dataclasses.replace(view, instruments=specs), BARE).opportunities
    assert {row.legs[0].instrument.base for row in rows} == {"BTC", "USDC"}
    for row in rows:
        assert row.size.notional_usd == pytest.approx(10_000.0, rel=1e-3)
