"""What an opportunity of options says of itself."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.opportunity import Opportunity
from sextant.model.times import DAY_NS, SECOND_NS
from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Strategy
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.library.ai_complex_strategy import STRATEGY as COMPLEX
from sextant.strategies.library.ai_options_trade import STRATEGY as OPTIONS
from sextant.strategies.option_propose import judge_options
from support.cards import UNPROVEN
from support.option_markets import AS_OF_NS, Quoted, chain, condor_market, daily, market, straddle_market

RICH = Account(equity_usd=200_000.0, coverage_frac=1.0, free_usd={"deribit": 200_000.0})


def only(strategy: Strategy, view: View, account: Account = RICH) -> Opportunity:
    verdict = strategy.evaluate(view, strategy.defaults(), Columns(view))
    rows, _ = judge_options(strategy, verdict, lambda *_: UNPROVEN, Pricing(view, account, CostAssumptions()))
    (row,) = rows
    return row


@pytest.fixture(scope="module")
def straddle() -> Opportunity:
    return only(OPTIONS, straddle_market())


@pytest.fixture(scope="module")
def condor() -> Opportunity:
    return only(COMPLEX, condor_market())


def test_legs_are_orders_at_the_touch_on_ticks_and_lots(condor: Opportunity) -> None:
    assert [(leg.side, str(leg.instrument.strike), leg.instrument.right) for leg in condor.legs] == [
        ("buy", "50000.0", "put"),
        ("sell", "54000.0", "put"),
        ("sell", "66000.0", "call"),
        ("buy", "70000.0", "call"),
    ]
    for leg in condor.legs:
        assert leg.quantity == condor.size.quantity
        assert leg.notional_usd == pytest.approx(float(leg.quantity) * 60_000)
        assert (leg.order_kind, leg.leverage) == ("limit", None)


def test_the_waterfall_adds_up(straddle: Opportunity, condor: Opportunity) -> None:
    for row in (straddle, condor):
        assert math.fsum(line.bps or 0.0 for line in row.costs) == pytest.approx(row.edge_bps, abs=1e-9)
        assert math.fsum(line.usd or 0.0 for line in row.costs) == pytest.approx(row.edge_usd, abs=1e-9)


def test_a_bounded_loss_needs_no_stop(straddle: Opportunity) -> None:
    assert (straddle.stop, straddle.targets, straddle.direction) == (None, (), "neutral")
    assert straddle.stop_reason == "The loss is bounded by the legs; it is held to its expiry."
    assert straddle.horizon_s == straddle.expected_s == 14 * 86_400


def test_it_expires_with_its_quotes(straddle: Opportunity) -> None:
    assert straddle.expires_ns == AS_OF_NS - SECOND_NS + 20 * 30 * SECOND_NS
    assert straddle.first_seen_ns == AS_OF_NS


def test_confidence_is_the_shrunk_share_of_profitable_scenarios(condor: Opportunity) -> None:
    share, n_eff = condor.evidence.hit_frac, condor.evidence.n_eff
    assert share is not None
    assert condor.confidence == pytest.approx((n_eff * share + 15) / (n_eff + 30))
    bounds = (condor.confidence_low, condor.confidence, condor.confidence_high)
    assert None not in bounds
    assert bounds == tuple(sorted(value or 0.0 for value in bounds))
    assert len(set(bounds)) == 3


def test_risk_level_rises_for_short_options_and_is_blind_to_the_edge(
    straddle: Opportunity, condor: Opportunity
) -> None:
    assert straddle.risk_facts["levels_up"] == 0.0
    assert condor.risk_facts["levels_up"] == 1.0
    assert straddle.risk_level == condor.risk_level == "very_high"  # most of the capital can be lost


def test_greeks_and_break_evens_are_told(condor: Opportunity) -> None:
    facts = condor.risk_facts
    assert facts["theta_usd"] > 0 > facts["vega_usd"]
    assert facts["break_even_1"] < 54_000
    assert facts["break_even_2"] > 66_000
    assert any("breaks even at" in reason for reason in condor.reasons)
    assert any("short options" in warning for warning in condor.warnings)


def test_a_key_lives_as_long_as_legs_day_and_parameters(straddle: Opportunity) -> None:
    view = straddle_market()
    later = dataclasses.replace(view, as_of_ns=view.as_of_ns + 10 * SECOND_NS)
    assert only(OPTIONS, later).opportunity_key == straddle.opportunity_key
    other = market(daily(0.0314), chain(Quoted(15, 0.40, [60_000.0])))
    assert only(OPTIONS, other).opportunity_key != straddle.opportunity_key


def test_under_thirty_independent_outcomes_numbers_are_withheld() -> None:
    rich = Account(equity_usd=1_000_000.0, coverage_frac=1.0, free_usd={"deribit": 1_000_000.0})
    row = only(OPTIONS, market(daily(0.0314, rows=600), chain(Quoted(14, 0.38, [60_000.0]))), rich)
    assert row.size.risk_usd <= 0.25 * 0.005 * 1_000_000
    assert (row.grade, row.rank_group) == ("unproven", 1)
    assert row.edge_bps is None
    assert row.confidence is None
    assert row.costs[0].bps is None
    assert row.evidence.status == "insufficient_history"
    assert any(warning.startswith("Unproven") for warning in row.warnings)


def test_a_vertical_is_hedged_when_that_is_the_better_idea() -> None:
    """With a perpetual and its funding known the vertical with a perpetual against its delta is a candidate too."""
    view = condor_market()
    hours = np.array([AS_OF_NS + 3_600 * SECOND_NS], dtype=np.int64)
    facts = dataclasses.replace(
        view.derivatives,
        funding_rate=np.array([0.0]),
        funding_interval_s=np.array([3_600.0]),
        next_funding_ns=hours,
        event_ns=np.array([AS_OF_NS], dtype=np.int64),
    )
    row = only(OPTIONS, dataclasses.replace(view, derivatives=facts))
    assert row.legs[-1].role == "hedge"
    assert row.legs[-1].instrument == view.instruments[0].instrument
    assert row.legs[-1].quantity % 10 == 0  # contracts of ten dollars
    assert float(row.legs[-1].quantity) == pytest.approx(row.legs[-1].notional_usd, abs=5.0)
    assert row.stop_reason is not None
    assert "hedge may lose more" in row.stop_reason
    assert row.horizon_s == 14 * DAY_NS / SECOND_NS
