"""strategies.md 4, venue_spot_arbitrage, with the numbers stated there."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from sextant.model.bar import Floats
from sextant.model.view import View
from support.carries import Carried, carrying, two_venues
from support.couple_runs import BARE, answer, holding, scanned, single
from support.markets import autoregression

NAME = "venue_spot_arbitrage"
TRADER = holding(
    msgspec.structs.replace(BARE, free_usd={"binance": 2_000.0, "bybit": 0.0}), "bybit", "BTC", "500"
)


def test_twenty_units_between_two_books() -> None:
    row = single(scanned(NAME, two_venues(), TRADER))
    buy, sell = row.legs
    assert (buy.instrument.venue, buy.side) == ("binance", "buy")
    assert (sell.instrument.venue, sell.side) == ("bybit", "sell")
    assert buy.quantity == sell.quantity
    assert float(buy.price) == pytest.approx(100.00)
    assert float(sell.price) == pytest.approx(100.60)
    lines = {line.item: line for line in row.costs}
    assert (row.gross_bps or 0.0) + (lines["spread"].bps or 0.0) == pytest.approx(60.0, abs=0.05)
    assert lines["fee_entry"].bps == pytest.approx(-20.0)
    assert lines["fee_exit"].bps == 0.0
    assert lines["slippage"].bps == pytest.approx(-5.0, rel=0.02)
    assert lines["transfer"].bps == -8.0
    assert lines["transfer"].source == "assumption"
    assert row.edge_bps == pytest.approx(27.0, rel=0.02)
    assert row.grade == "analytic"


def test_quotes_of_different_ages_are_no_gap() -> None:
    item = answer(scanned(NAME, two_venues(ages_s=(1.0, 9.0)), TRADER))
    assert (item.kind, item.stage) == ("insufficient_data", "quote.age_ms")
    assert (item.value, item.limit) == (9_000.0, 5_000.0)
    apart = answer(scanned(NAME, two_venues(ages_s=(0.5, 3.5)), TRADER))
    assert (apart.kind, apart.stage, apart.value) == ("gate_failed", "quote_skew_ms", 3_000.0)


def test_the_cheaper_venue_is_bought_whichever_it_is() -> None:
    owner = holding(msgspec.structs.replace(BARE, free_usd={"bybit": 2_000.0}), "binance", "BTC", "500")
    row = single(scanned(NAME, two_venues(bid=99.30), owner))
    sides = {leg.instrument.venue: leg.side for leg in row.legs}
    assert sides == {"binance": "sell", "bybit": "buy"}


def test_a_gap_of_a_tenth_is_taken_for_two_assets() -> None:
    item = answer(scanned(NAME, two_venues(bid=110.0), TRADER))
    assert (item.kind, item.stage) == ("gate_failed", "gap_cap")


def test_a_thin_edge_is_not_worth_the_trouble() -> None:
    # 32.5 less 20 of fees and 8 of moving is 4.5; with the book walked, less.
    item = answer(scanned(NAME, two_venues(bid=100.325), TRADER))
    assert item.stage in ("least_edge_bps", "min_edge_bps")
    lost = answer(scanned(NAME, two_venues(bid=100.10), TRADER))
    assert lost.kind == "negative_net_edge"


def test_without_the_asset_at_the_dear_venue_there_is_nothing_to_sell() -> None:
    item = answer(scanned(NAME, two_venues(), msgspec.structs.replace(TRADER, balances=())))
    assert (item.kind, item.value) == ("below_min_notional", 0.0)
    assert item.flips_if is not None
    assert item.flips_if.startswith("capital")


def test_less_than_two_hundred_dollars_is_too_little() -> None:
    small = msgspec.structs.replace(TRADER, free_usd={"binance": 150.0})
    item = answer(scanned(NAME, two_venues(), small))
    assert (item.kind, item.stage) == ("gate_failed", "least_size_usd")
    assert item.value == pytest.approx(150.0, rel=0.01)


def test_one_venue_is_skipped_with_its_reason() -> None:
    run = scanned(NAME, carrying((Carried("bybit", "spot"), Carried("bybit", "spot", base="ETH")), 300, "1m"))
    assert run.report.outcome == "skipped"
    assert run.report.reason == "no asset that two venues trade against the same quote"


def swinging(gap: Floats) -> View:
    """The two venues with a given log gap between their closes in the past."""
    view = two_venues()
    base = view.bars["1m"].close[:, :1]
    moved = carrying(
        (Carried("binance", "spot"), Carried("bybit", "spot")),
        rows=len(gap),
        interval="1m",
        prices=np.column_stack((base[: len(gap), 0], base[: len(gap), 0] * np.exp(gap))),
    )
    return dataclasses.replace(view, bars=moved.bars)


def test_gaps_that_are_gone_before_an_order_arrives_are_left() -> None:
    rows = 1_500
    flips = np.where(np.arange(rows) % 2 == 0, 0.001, -0.001)
    item = answer(scanned(NAME, swinging(flips), TRADER))
    assert (item.kind, item.stage, item.value) == ("gate_failed", "half_life_s", 0.0)
    lasting = single(scanned(NAME, swinging(autoregression(11, rows, 0.9, 0.0005)), TRADER))
    half_life = {gate.gate: gate.value for gate in lasting.gates}["half_life_s"]
    assert half_life is not None
    # ln 2 / -ln 0.9 = 6.6 minutes; 240 rows estimate it with some error.
    assert 200.0 < half_life < 900.0
