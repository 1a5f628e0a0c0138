"""Candidates, dispositions, opportunities and their words, through the pipeline that scans use."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.model.times import HOUR_NS, SECOND_NS
from sextant.model.view import View
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.costs import CostAssumptions
from sextant.strategies.propose import judge
from support.cards import UNPROVEN, proven
from support.markets import (
    bars_of,
    breakout_market,
    broad_fall_market,
    framed,
    momentum_market,
    quoted,
    specs_of,
    view_of,
)

RICH = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"binance": 100_000.0})
NOTHING = CostAssumptions()
BREAKOUT = "ai_spot_breakout_strategy"


def run(
    name: str, view: View, card: Scorecard = UNPROVEN, account: Account = RICH, **params: float
) -> tuple[list[Opportunity], list[Disposition]]:
    chosen = strategy(name)
    verdict = chosen.evaluate(view, chosen.defaults(**params), Columns(view))
    return judge(chosen, verdict, lambda *_: card, view, account, NOTHING)


def only(view: View, card: Scorecard = UNPROVEN, account: Account = RICH) -> Opportunity:
    rows, _ = run(BREAKOUT, view, card, account)
    (row,) = rows
    return row


def answer(view: View, card: Scorecard = UNPROVEN, account: Account = RICH) -> Disposition:
    return run(BREAKOUT, view, card, account)[1][0]


def paying(taker_bps: float) -> Account:
    tier = FeeTier(
        "binance", "spot", "own", taker_bps, taker_bps, assumed=False, source="venue", read_on="2026-01-01"
    )
    return msgspec.structs.replace(RICH, fees={"binance:spot": tier})


def mirrored(view: View, *, perpetual: bool) -> View:
    """The breakout market upside down, with a perpetual of the same base beside it if wanted."""
    frame = view.bars["1h"]
    fields = {name: getattr(frame, name).copy() for name in ("open", "high", "low", "close")}
    fields = {name: 10_000.0 / column for name, column in fields.items()}
    fields["high"], fields["low"] = fields["low"], fields["high"]
    fields |= {"volume": frame.quote_volume / fields["close"], "quote_volume": frame.quote_volume}
    specs = specs_of(1)
    if perpetual:
        still = bars_of(np.full(frame.close.shape, 200.0))
        fields = {name: np.hstack((column, still[name])) for name, column in fields.items()}
        specs += (
            msgspec.structs.replace(specs[0], instrument=Instrument("binance", "C000", "USDT", "perpetual")),
        )
    made = view_of(framed("1h", fields), specs)
    if not perpetual:
        return made
    facts = dataclasses.replace(
        made.derivatives,
        funding_rate=np.array([np.nan, 0.0001]),
        funding_interval_s=np.array([np.nan, 28_800.0]),
        next_funding_ns=np.array([0, made.as_of_ns + HOUR_NS]),
    )
    return dataclasses.replace(made, derivatives=facts)


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


def test_an_edge_that_costs_eat_is_negative_and_says_by_how_much() -> None:
    lost = answer(breakout_market(), proven(gross_mean_bps=25.0))
    assert (lost.kind, lost.stage) == ("negative_net_edge", "min_edge_bps")
    assert lost.gross_bps == pytest.approx(20.0)
    assert lost.cost_bps == pytest.approx(22.0, abs=1e-3)
    assert lost.value == pytest.approx(-2.0, abs=1e-3)
    assert lost.distance == pytest.approx(2.0, abs=1e-3)


def test_a_lower_fee_tier_turns_a_loss_into_an_idea_and_raises_its_score() -> None:
    card = proven(gross_mean_bps=25.0)
    assert answer(breakout_market(), card, paying(10.0)).kind == "negative_net_edge"
    assert answer(breakout_market(), card, paying(5.0)).kind == "opportunity"
    dear, cheap = (
        only(breakout_market(), proven(), paying(10.0)),
        only(breakout_market(), proven(), paying(5.0)),
    )
    assert dear.rank_score is not None
    assert cheap.rank_score is not None
    assert cheap.rank_score > dear.rank_score


def test_costs_beyond_what_stop_and_target_can_pay_fail_the_payoff_gate() -> None:
    lost = answer(breakout_market(), UNPROVEN, paying(90.0))
    assert (lost.kind, lost.stage, lost.limit) == ("gate_failed", "payoff", 0.60)
    # (105.4 + 182)/(105.4 + 301.8).
    assert lost.value == pytest.approx(0.706, abs=0.002)
    assert lost.flips_if == "payoff falls from 0.7057 to 0.6"


def test_money_at_another_venue_is_no_money_and_moving_it_helps() -> None:
    elsewhere = msgspec.structs.replace(RICH, free_usd={"kraken": 100_000.0})
    lost = answer(breakout_market(), proven(), elsewhere)
    assert (lost.kind, lost.value, lost.limit) == ("below_min_notional", 0.0, 5.0)
    assert lost.flips_if == "capital allows 5.00 USD instead of 0.00"
    assert answer(breakout_market(), proven()).kind == "opportunity"


def test_too_little_equity_fails_the_gate_of_the_strategys_minimum() -> None:
    small = Account(equity_usd=900.0, coverage_frac=1.0, free_usd={"binance": 900.0})
    lost = answer(breakout_market(), UNPROVEN, small)
    assert (lost.kind, lost.stage, lost.value, lost.limit) == ("gate_failed", "min_capital", 900.0, 1_000.0)


def test_without_an_account_sizes_are_illustrative_and_not_ranked() -> None:
    row = only(breakout_market(), proven(), Account())
    assert row.size.illustrative
    assert row.size.notional_usd <= 100.0
    assert row.rank_score is None
    assert any("illustrative" in warning for warning in row.warnings)


def test_a_lower_bound_below_zero_is_sized_like_an_unproven_idea_and_ranks_below_zero() -> None:
    row = only(breakout_market(), proven(gross_se_bps=200.0, deflated_p=0.2))
    assert row.grade == "C"
    assert row.edge_lcb_bps is not None
    assert row.edge_lcb_bps < 0
    assert row.rank_score is not None
    assert row.rank_score < 0
    assert row.size.notional_usd == pytest.approx(only(breakout_market()).size.notional_usd, rel=1e-6)


def test_a_short_of_a_spot_instrument_needs_a_perpetual_of_the_same_base() -> None:
    rows, dispositions = run(BREAKOUT, mirrored(breakout_market(), perpetual=False))
    assert not rows
    assert (dispositions[0].kind, dispositions[0].stage) == ("gate_failed", "shortable")


def test_the_perpetual_that_realises_a_short_is_priced_in_its_own_terms() -> None:
    view = mirrored(breakout_market(), perpetual=True)
    rows, dispositions = run(BREAKOUT, view)
    (row,) = rows
    assert dispositions[0].kind == "opportunity"
    assert str(row.legs[0].instrument) == "binance:C000-USDT:perpetual"
    assert (row.legs[0].side, row.direction, row.legs[0].leverage) == ("sell", "short", 1.0)
    # The stop lies 1.05 % above the perpetual's own mid of 200, the target 3 % below.
    assert row.stop is not None
    assert float(row.stop) == pytest.approx(200.0 * 1.0105, rel=1e-3)
    assert float(row.targets[0].price) == pytest.approx(200.0 * 0.9698, rel=2e-3)
    lines = {line.item: line.bps for line in row.costs}
    assert lines["fee_entry"] == -5.0
    # Three settlements of 1 bp within 24 hours, paid to the short.
    assert lines["funding"] == pytest.approx(3.0)
    assert any("realised by" in warning for warning in row.warnings)


def test_an_idea_keeps_its_key_while_its_row_and_parameters_stay() -> None:
    view = breakout_market()
    first = only(view)
    later = dataclasses.replace(
        view,
        as_of_ns=view.as_of_ns + 5 * SECOND_NS,
        quotes=quoted(view.bars["1h"].close[-1] * 1.0001, view.as_of_ns + 5 * SECOND_NS),
    )
    assert only(later).opportunity_key == first.opportunity_key
    assert first.first_seen_ns == view.bars["1h"].last_close_ns
    rows, _ = run(BREAKOUT, view, volume=1.9)
    assert rows[0].opportunity_key != first.opportunity_key


def test_an_idea_expires_with_its_quote_long_before_its_trigger() -> None:
    view = breakout_market()
    assert only(view).expires_ns == view.as_of_ns + 300 * SECOND_NS


def test_reasons_name_value_threshold_and_since_when() -> None:
    row = only(breakout_market(), proven())
    assert "volume is 4, at least 1.8 is asked." in row.reasons
    assert any(reason.startswith("All gates have passed together since 20") for reason in row.reasons)
    assert any("120.0 bps gross after shrinkage; costs are 22.0 bps" in reason for reason in row.reasons)


def test_the_nearest_gate_is_told_with_what_would_flip_it_and_since_when() -> None:
    view = broad_fall_market()
    _, dispositions = run("ai_spot_mean_reversion", view)
    lost = dispositions[0]
    assert (lost.kind, lost.stage, lost.failed_count) == ("gate_failed", "z", 1)
    assert lost.distance == pytest.approx(0.28, abs=0.01)
    assert lost.flips_if == "z rises from 1.435 to 2 sd"
    assert lost.since_ns is not None
    assert lost.since_ns <= view.as_of_ns


def test_two_instruments_of_one_trade_show_it_once() -> None:
    view = mirrored(breakout_market(), perpetual=True)
    frame = view.bars["1h"]
    both = {
        name: np.repeat(getattr(frame, name)[:, :1], 2, axis=1)
        for name in ("open", "high", "low", "close", "volume", "quote_volume")
    }
    twin = view_of(framed("1h", both), view.instruments)
    twin = dataclasses.replace(twin, derivatives=view.derivatives)
    rows, dispositions = run(BREAKOUT, twin)
    assert [item.kind for item in dispositions] == ["opportunity", "opportunity"]
    assert len(rows) == 1
    assert dispositions[0].opportunity_key == dispositions[1].opportunity_key


def test_legs_are_rounded_to_lot_and_tick_the_worse_way() -> None:
    view = breakout_market()
    rules = msgspec.structs.replace(view.instruments[0], lot=Decimal("0.5"), tick=Decimal("0.05"))
    row = only(dataclasses.replace(view, instruments=(rules,)))
    leg = row.legs[0]
    assert leg.quantity % Decimal("0.5") == 0
    assert float(leg.price) >= float(view.quotes.ask[0])
    assert float(leg.price) - float(view.quotes.ask[0]) < 0.05
    assert leg.notional_usd <= only(view).legs[0].notional_usd


def test_every_instrument_of_a_skipped_verdict_is_disposed() -> None:
    view = momentum_market()
    rows, dispositions = run(BREAKOUT, view)
    assert not rows
    assert len(dispositions) == view.size
    assert {item.stage for item in dispositions} == {"no 1h bars"}


def numbers_of(row: Opportunity) -> Any:
    return msgspec.to_builtins(row)


def test_an_opportunity_survives_the_wire() -> None:
    row = only(breakout_market(), proven())
    again = msgspec.json.decode(msgspec.json.encode(row), type=Opportunity)
    assert numbers_of(again) == numbers_of(row)
