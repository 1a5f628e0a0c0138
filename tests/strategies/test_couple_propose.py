from __future__ import annotations

import dataclasses

import msgspec
import pytest

from sextant.model.account import Account
from sextant.model.view import View
from sextant.strategies.catalog import strategy
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.couple_propose import judge_couples
from sextant.strategies.couples import CoupleSet, Economics
from support.cards import UNPROVEN, proven
from support.carries import BPS, Carried, carrying, constant, interval_trap, spike, spot_carry
from support.couple_runs import RICH, answer, evaluated, scanned, single
from support.markets import known_at

NAME = "ai_funding_arbitrage"
DAYS = 250


def three_ways() -> View:
    """Spot and two perpetuals of one base: the one pays 6 bps, the other 4 bps each eight hours."""
    legs = (
        Carried("bybit", "spot", spread_bps=2.0),
        Carried("bybit", "perpetual", interval_h=8, rate=6 * BPS, settled=constant(6 * BPS, DAYS, 8)),
        Carried("binance", "perpetual", interval_h=8, rate=4 * BPS, settled=constant(4 * BPS, DAYS, 8)),
    )
    return carrying(legs, rows=DAYS * 6)


def test_two_perpetuals_of_unlike_intervals_are_no_equals() -> None:
    """strategies.md 3.11, MUST EMIT: 168 - 21 = 147 bps, costs 23, edge 124."""
    row = single(scanned(NAME, interval_trap()))
    assert [(str(leg.instrument), leg.side) for leg in row.legs] == [
        ("binance:BTC-USDT:perpetual", "buy"),
        ("bybit:BTC-USDT:perpetual", "sell"),
    ]
    assert row.gross_bps == pytest.approx(147.0)
    assert row.edge_bps == pytest.approx(124.0)
    assert row.horizon_s == 7 * 86_400.0


def test_a_rate_that_reverts_is_not_multiplied_by_its_settlements() -> None:
    """strategies.md 3.11, MUST NOT: the naive 210 bps are 39 - 44 = -5."""
    item = answer(scanned(NAME, spike()))
    assert (item.kind, item.stage) == ("negative_net_edge", "min_edge_bps")
    assert item.gross_bps == pytest.approx(39.0 - 9.0, abs=0.8)
    assert item.cost_bps == pytest.approx(35.0)
    assert item.value == pytest.approx(-5.0, abs=0.8)


def test_only_the_best_couple_of_a_base_is_shown_and_the_others_say_by_how_much() -> None:
    run = scanned(NAME, three_ways())
    row = single(run)
    assert {str(leg.instrument) for leg in row.legs} == {"bybit:BTC-USDT:spot", "bybit:BTC-USDT:perpetual"}
    # 21 x 6 - (2 x 15.5 + 2 + 1) = 92; the other perpetual leaves 21 x 4 - (2 x 15 + 3) = 51; both against each other
    # 21 x 2 - (21 + 2) = 19, but earns its 23 bps at the 12th settlement only.
    told = {item.unit: item for item in run.dispositions}
    spot_other = told["bybit:BTC-USDT:spot / binance:BTC-USDT:perpetual"]
    assert (spot_other.kind, spot_other.stage) == ("gate_failed", "best_of_group")
    assert spot_other.value == pytest.approx(51.0)
    assert spot_other.limit == pytest.approx(92.0)
    both = told["binance:BTC-USDT:perpetual / bybit:BTC-USDT:perpetual"]
    assert both.stage == "break_even_s"
    assert both.value == 12 * 8 * 3600.0


def test_a_perpetual_that_pays_less_than_its_costs_in_time_fails_break_even() -> None:
    # 2.6 bps each eight hours: 54.6 in all, 35 of cost reached at the 14th settlement, the half is 10.5.
    item = answer(scanned(NAME, spot_carry(2.6 * BPS)))
    assert (item.kind, item.stage) == ("gate_failed", "break_even_s")
    assert item.value == 14 * 8 * 3600.0
    assert item.limit == 3.5 * 86_400.0
    assert item.value_unit == "s"


def test_negative_funding_would_need_borrowed_spot() -> None:
    item = answer(scanned(NAME, spot_carry(-6 * BPS)))
    assert (item.kind, item.stage) == ("gate_failed", "shortable")


def test_a_short_past_leaves_the_edge_unproven_and_the_size_small() -> None:
    row = single(scanned(NAME, spot_carry(days=60)))
    assert row.grade == "unproven"
    assert (row.edge_bps, row.gross_bps, row.confidence, row.rank_score) == (None, None, None, None)
    assert row.rank_group == 1
    assert any(reason.startswith("Expected gross 126.0 bps") for reason in row.reasons)
    assert any(warning.startswith("Unproven: insufficient history") for warning in row.warnings)


def test_a_small_account_is_told_the_least_capital() -> None:
    small = msgspec.structs.replace(RICH, equity_usd=4_000.0)
    item = answer(scanned(NAME, spot_carry(), small))
    assert (item.kind, item.stage, item.value, item.limit) == (
        "gate_failed", "min_capital", 4_000.0, 5_000.0,
    )  # fmt: skip


def test_an_unknown_fee_ends_the_couple_with_its_name() -> None:
    legs = (
        Carried("gate", "spot"),
        Carried("bybit", "perpetual", interval_h=8, rate=6 * BPS, settled=constant(6 * BPS, 60, 8)),
    )
    item = answer(scanned(NAME, carrying(legs, rows=360)))
    assert (item.kind, item.stage) == ("insufficient_data", "cost.fees.first")


def test_a_silent_verdict_disposes_every_instrument() -> None:
    view = known_at(interval_trap(), 0)
    pricing = Pricing(view, RICH, CostAssumptions())
    rows, dispositions = judge_couples(strategy(NAME), evaluated(NAME, view), lambda *_: UNPROVEN, pricing)
    assert not rows
    assert {(item.kind, item.stage) for item in dispositions} == {("insufficient_data", "no 4h bars")}


def test_without_a_model_the_gross_is_what_past_events_prove() -> None:
    view = spot_carry(days=60)
    verdict = evaluated(NAME, view)
    said: CoupleSet | None = verdict.couples
    assert said is not None
    held = dataclasses.replace(said, model=None, economics=Economics())
    plain = dataclasses.replace(verdict, couples=held)
    pricing = Pricing(view, Account(), CostAssumptions())
    rows, _ = judge_couples(strategy(NAME), plain, lambda *_: proven(), pricing)
    assert rows[0].gross_bps == pytest.approx(0.8 * 150.0)  # shrunk
    # Stops were 80 of 250 exits, which matters to slippage only; funding is a line of its own now.
    lines = {line.item: line.bps for line in rows[0].costs}
    assert lines["funding"] == pytest.approx(126.0)
    assert rows[0].edge_bps == pytest.approx(120.0 - 35.0 + 126.0)
    nobody, dispositions = judge_couples(strategy(NAME), plain, lambda *_: UNPROVEN, pricing)
    assert nobody[0].grade == "unproven"
    assert [item.kind for item in dispositions] == ["opportunity"]


def test_near_misses_of_couples_are_listed_with_what_would_flip_them() -> None:
    # Costs of 35 bps at 3.1 bps each eight hours are earned at the 12th settlement, the limit is at 10.5.
    run = scanned(NAME, spot_carry(3.1 * BPS))
    (near,) = run.report.near_misses
    assert near.stage == "break_even_s"
    assert near.distance == pytest.approx(12 * 8 / 84 - 1)
    assert near.flips_if == "break_even_s falls from 3.456e+05 to 3.024e+05 s"
