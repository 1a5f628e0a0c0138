from __future__ import annotations

import dataclasses
from decimal import Decimal

import msgspec
import pytest

from sextant.model.account import Account
from sextant.model.opportunity import Opportunity
from support.cards import proven
from support.judging import answer, only
from support.markets import breakout_market


def test_an_unproven_breakout_shows_what_it_must_hit_and_is_sized_for_doubt() -> None:
    row = only(breakout_market())
    assert (row.grade, row.direction, row.rank_group) == ("unproven", "long", 1)
    assert row.edge_bps is None
    assert row.confidence is None
    assert row.rank_score is None
    # (105.4 + 22)/(105.4 + 301.8) with two taker fees of 10 and a spread of 2 bps.
    assert row.break_even_hit_frac == pytest.approx(0.313, abs=0.001)
    # A quarter of 500 USD over a stop of 105.4 bps x 1.5 and an exit of 11 bps.
    assert row.size.notional_usd == pytest.approx(125.0 / (0.010537 * 1.5 + 0.0011), rel=1e-3)
    assert row.size.binding == "risk"
    assert any("Unproven" in warning for warning in row.warnings)


def test_a_proven_idea_states_edge_confidence_and_rank() -> None:
    row = only(breakout_market(), proven())
    assert row.grade == "A"
    # Shrunk gross 120 less 22; nothing slips within a touch of a billion units. Error 16 bps.
    assert row.edge_bps == pytest.approx(98.0, abs=1e-3)
    assert row.edge_lcb_bps == pytest.approx(98.0 - 0.84 * 16.0, abs=1e-3)
    assert row.edge_usd == pytest.approx(row.size.notional_usd * 98.0 / 1e4, rel=1e-4)
    assert row.confidence == 0.62
    assert row.es95_usd == pytest.approx(row.size.notional_usd * 0.031)
    assert row.rank_group == 0
    assert row.rank_score is not None
    assert [point.size_usd / row.size.notional_usd for point in row.capacity_curve][:3] == pytest.approx(
        [0.25, 0.5, 1.0]
    )


def test_without_an_account_sizes_are_illustrative_and_not_ranked() -> None:
    row = only(breakout_market(), proven(), Account())
    assert row.size.illustrative
    assert row.size.notional_usd <= 100.0
    assert row.rank_score is None
    assert any("illustrative" in warning for warning in row.warnings)


def test_legs_are_rounded_to_lot_and_tick_the_worse_way() -> None:
    view = breakout_market()
    rules = msgspec.structs.replace(view.instruments[0], lot=Decimal("0.5"), tick=Decimal("0.05"))
    row = only(dataclasses.replace(view, instruments=(rules,)))
    leg = row.legs[0]
    assert leg.quantity % Decimal("0.5") == 0
    assert float(leg.price) >= float(view.quotes.ask[0])
    assert float(leg.price) - float(view.quotes.ask[0]) < 0.05
    assert leg.notional_usd <= only(view).legs[0].notional_usd


def test_an_opportunity_survives_the_wire() -> None:
    row = only(breakout_market(), proven())
    again = msgspec.json.decode(msgspec.json.encode(row), type=Opportunity)
    assert again == row


def test_analytic_evidence_has_no_letter_and_needs_a_lower_bound_above_zero() -> None:
    sure = only(breakout_market(), proven(kind="analytic"))
    assert (sure.grade, sure.rank_group) == ("analytic", 0)
    unsure = answer(breakout_market(), proven(kind="analytic", gross_se_bps=200.0))
    assert (unsure.kind, unsure.stage) == ("gate_failed", "edge_lcb_bps")
    assert unsure.value == pytest.approx(98.0 - 0.84 * 160.0, abs=1e-3)
