"""strategies.md 4, triangular_arbitrage, with the numbers stated there."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import numpy as np
import pytest

from sextant.strategies.prices import CostAssumptions
from support.couple_runs import BARE, scanned, single
from support.cycle_markets import LOTS, cycle_market
from support.markets import unquoted

NAME = "triangular_arbitrage"


def test_forty_basis_points_less_three_fees() -> None:
    """40 - 30 on the page; fees are taken of what is received, so that the last two cost a little more: 9.9."""
    row = single(scanned(NAME, cycle_market(), BARE))
    sides = [(str(leg.instrument), leg.side) for leg in row.legs]
    assert sides == [
        ("bybit:BTC-USDT:spot", "buy"),
        ("bybit:ETH-BTC:spot", "buy"),
        ("bybit:ETH-USDT:spot", "sell"),
    ]
    lines = {line.item: line.bps or 0.0 for line in row.costs}
    assert lines["gross"] + lines["spread"] == pytest.approx(40.0, abs=1e-6)
    assert lines["fee_entry"] + lines["fee_exit"] == pytest.approx(-30.0, abs=0.1)
    assert row.edge_bps == pytest.approx(10.0, abs=0.15)
    assert row.grade == "analytic"
    assert row.expires_ns - row.first_seen_ns == 2 * 10**9


def test_sixteen_basis_points_lose_their_fees() -> None:
    run = scanned(NAME, cycle_market(3_005.0), BARE)
    best = max(item.value or 0.0 for item in run.dispositions)
    assert best == pytest.approx(-13.3, abs=0.05)
    assert {item.kind for item in run.dispositions} == {"negative_net_edge"}
    assert run.report.near_misses == ()


def test_each_order_is_sized_by_what_the_one_before_it_brings() -> None:
    """By hand: 10,000 dollars buy 0.16666 bitcoin in lots of 0.00001; 0.1664933 of it is left and buys 3.329 ether in
    lots of 0.001; 3.3256 is left and 3.325 of it is sold. 0.6 of 3,325.6 and 0.86 of 3,329.8 are dust."""
    lots = (Decimal("0.00001"), Decimal("0.001"), Decimal("0.001"))
    row = single(scanned(NAME, cycle_market(lots=lots), BARE))
    assert [leg.quantity for leg in row.legs] == [Decimal("0.16666"), Decimal("3.329"), Decimal("3.325")]
    assert row.size.notional_usd == pytest.approx(9_999.6)
    back = 3.325 * 3_012.0 * 0.999
    assert row.edge_usd == pytest.approx(back - 9_999.6)
    dust = {gate.gate: gate.value for gate in row.gates}["dust_frac"]
    first = 1 - 3.329 * 0.05 / (0.16666 * 0.999)
    second = 1 - 3.325 / (3.329 * 0.999)
    assert dust == pytest.approx(first + second)


def test_lots_that_leave_too_much_over_are_refused() -> None:
    run = scanned(NAME, cycle_market(lots=(LOTS[0], Decimal("0.01"), Decimal("0.05"))), BARE)
    refused = {item.stage: item for item in run.dispositions}
    assert not run.opportunities
    assert set(refused) & {"dust_frac", "least_edge_bps", "min_edge_bps"}


def test_depth_bounds_the_size() -> None:
    """A tenth of a bitcoin at the touch and the rest 5 bps further: ten times as much would lose what is gained."""
    deep, thin = cycle_market(), cycle_market(sizes=(0.01, 0.2, 0.2))
    rows = [single(scanned(NAME, view, BARE)) for view in (deep, thin)]
    assert rows[1].size.notional_usd < rows[0].size.notional_usd
    assert rows[1].capacity_usd is not None
    assert rows[0].capacity_usd is not None
    assert rows[1].capacity_usd < rows[0].capacity_usd / 50
    slip = {line.item: line.bps for line in rows[1].costs}["slippage"]
    assert slip is not None
    assert slip < 0


def test_only_the_touch_is_known_without_a_book() -> None:
    view = cycle_market()
    blind = dataclasses.replace(
        view, books=dataclasses.replace(view.books, valid=np.zeros(3, dtype=np.bool_))
    )
    row = single(scanned(NAME, blind, BARE))
    assert row.capacity_usd == pytest.approx(600_000.0, rel=0.01)  # ten bitcoin, a little of which fees keep


def test_assumed_spreads_are_no_prices() -> None:
    replayed = dataclasses.replace(unquoted(cycle_market()), feed="replay")
    run = scanned(NAME, replayed, BARE, assumptions=CostAssumptions(spread_bps_assumed=2.0))
    assert run.report.outcome == "skipped"
    assert run.report.reason == "the recording has no quotes"
