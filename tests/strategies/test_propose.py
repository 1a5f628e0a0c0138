from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.scorecard import Scorecard
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.costs import Pricing
from sextant.strategies.propose import judge
from sextant.strategies.tariff import Tariff
from support.cards import UNPROVEN, proven
from support.judging import BREAKOUT, NOTHING, RICH, answer, mirrored, only, paying, run
from support.markets import breakout_market, framed, view_of
from support.portfolios import balance


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


def test_a_lower_bound_below_zero_is_sized_like_an_unproven_idea_and_ranks_below_zero() -> None:
    row = only(breakout_market(), proven(gross_se_bps=200.0, deflated_p=0.2))
    assert row.grade == "C"
    assert row.edge_lcb_bps is not None
    assert row.edge_lcb_bps < 0
    assert row.rank_score is not None
    assert row.rank_score < 0
    assert row.size.notional_usd == pytest.approx(only(breakout_market()).size.notional_usd, rel=1e-6)


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


def test_whoever_pays_the_same_fees_is_refused_by_the_same_costs_and_whoever_holds_asks_anew() -> None:
    view = breakout_market()
    asked: list[tuple[int, int, float]] = []
    tariff = Tariff(view, paying(10.0).fees, NOTHING)
    breakout = strategy(BREAKOUT)
    verdict = breakout.evaluate(view, breakout.defaults(), Columns(view))

    def cards(column: int, direction: int, strength: float) -> Scorecard:
        asked.append((column, direction, strength))
        return proven(gross_mean_bps=25.0)

    def kinds(account: Account) -> list[str]:
        _, told = judge(breakout, verdict, cards, Pricing(view, account, NOTHING, tariff))
        return [item.kind for item in told]

    poor = msgspec.structs.replace(paying(10.0), equity_usd=2_000.0)
    owner = msgspec.structs.replace(poor, balances=(balance(view, "binance", "ETH", 1.0),))
    assert kinds(paying(10.0)) == kinds(poor) == kinds(owner)
    assert "negative_net_edge" in kinds(poor)
    assert len(asked) == 2  # once for all who hold nothing, once for the one who does
