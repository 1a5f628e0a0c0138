"""From candidate structures to answers for an account."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.bar import BAR_FIELDS
from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.view import View, bar_frame
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Strategy
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.library.ai_complex_strategy import STRATEGY as COMPLEX
from sextant.strategies.library.ai_options_trade import STRATEGY as OPTIONS
from sextant.strategies.option_propose import judge_options
from support.cards import UNPROVEN
from support.markets import specs_of, view_of
from support.option_markets import (
    NAME,
    Quoted,
    chain,
    condor_market,
    daily,
    market,
    straddle_market,
    with_chain,
    with_values,
)
from support.options import option_spec

RICH = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"deribit": 100_000.0})


def judged(
    strategy: Strategy, view: View, account: Account = RICH
) -> tuple[list[Opportunity], list[Disposition]]:
    verdict = strategy.evaluate(view, strategy.defaults(), Columns(view))
    pricing = Pricing(view, account, CostAssumptions())
    rows, dispositions = judge_options(strategy, verdict, lambda *_: UNPROVEN, pricing)
    return rows, list(dispositions)


def only(strategy: Strategy, view: View, account: Account = RICH) -> Disposition:
    rows, dispositions = judged(strategy, view, account)
    assert not rows
    return dispositions[0]


def test_every_instrument_of_the_base_shares_the_answer_and_others_have_no_chain() -> None:
    view = straddle_market()
    bybit = msgspec.structs.replace(
        option_spec(view.instruments[0].instrument), instrument=Instrument("bybit", "BTC", "USDT", "spot")
    )
    frame = view.bars["1d"]
    bars = {name: np.repeat(getattr(frame, name), 3, axis=1) for name in BAR_FIELDS}
    specs = (*view.instruments, bybit, *specs_of(1))
    wide = dataclasses.replace(view_of(bar_frame("1d", frame.open_ns, bars), specs=specs), chains=view.chains)
    rows, dispositions = judged(OPTIONS, wide)
    assert len(rows) == 1
    assert [item.kind for item in dispositions] == ["opportunity", "opportunity", "insufficient_data"]
    assert {item.opportunity_key for item in dispositions[:2]} == {rows[0].opportunity_key}
    assert dispositions[2].stage == "chain"
    assert [item.unit for item in dispositions] == [str(spec.instrument) for spec in specs]


def test_an_account_that_cannot_bear_a_lots_loss_is_told_how_much_it_lacks() -> None:
    poor = Account(equity_usd=6_000.0, coverage_frac=1.0, free_usd={"deribit": 6_000.0})
    answer = only(OPTIONS, straddle_market(), poor)
    assert (answer.kind, answer.value_unit) == ("below_min_notional", "USD")
    # 0.5 % of 6,000 is 30 USD; a base unit loses 3,879 of 60,000 at most, so 464 USD of notional.
    assert answer.value == pytest.approx(30 / (3_879.05 / 60_000), rel=1e-3)
    assert answer.limit == pytest.approx(6_000.0)


def test_the_strategys_least_capital_is_asked_for() -> None:
    small = Account(equity_usd=4_000.0, coverage_frac=1.0, free_usd={"deribit": 4_000.0})
    answer = only(OPTIONS, straddle_market(), small)
    assert (answer.kind, answer.stage, answer.value, answer.limit) == (
        "gate_failed",
        "min_capital",
        4_000.0,
        5_000.0,
    )


def test_the_budget_is_spent_on_the_largest_loss() -> None:
    rich = Account(equity_usd=1_000_000.0, coverage_frac=1.0, free_usd={"deribit": 1_000_000.0})
    (row,), _ = judged(OPTIONS, straddle_market(), rich)
    # 5,000 USD of risk buy 1.289 straddles that cost 3,879 each.
    assert row.size.quantity == Decimal("1.2")
    assert row.size.risk_usd == pytest.approx(1.2 * 3_879.05, rel=1e-4)
    assert row.size.required_capital_usd == pytest.approx(row.size.risk_usd)
    assert row.size.binding == "risk"
    assert row.size.notional_usd == pytest.approx(72_000.0)


def test_nothing_is_free_at_another_venue() -> None:
    elsewhere = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"bybit": 100_000.0})
    answer = only(OPTIONS, straddle_market(), elsewhere)
    assert (answer.kind, answer.value) == ("below_min_notional", 0.0)
    assert answer.flips_if is not None
    assert answer.flips_if.startswith("capital")


def test_no_more_than_the_touch_is_offered() -> None:
    view = straddle_market()
    one = view.chains[NAME]
    thin = with_values(one, ask_size=np.full(one.size, 0.05))
    answer = only(OPTIONS, with_chain(view, thin))
    assert answer.kind == "below_min_notional"


def test_without_an_account_the_smallest_order_is_shown() -> None:
    (row,), _ = judged(OPTIONS, straddle_market(), Account())
    assert (row.size.quantity, row.size.illustrative, row.rank_score) == (Decimal("0.1"), True, None)
    assert any("No account is connected" in warning for warning in row.warnings)


def test_the_nearest_failed_gate_of_all_candidates_is_told() -> None:
    answer = only(OPTIONS, straddle_market(0.53))
    assert (answer.kind, answer.stage, answer.failed_count) == ("gate_failed", "vol_ratio", 1)
    assert answer.distance == pytest.approx((answer.value or 0) / 0.85 - 1)


WIDE = market(daily(0.0314), chain(Quoted(14, 0.45, [60_000.0], half_width=0.03)))


def test_costs_that_eat_the_gross_are_told_with_both() -> None:
    dear = FeeTier("deribit", "option", "test", 200.0, 200.0, assumed=False, source="test", read_on="")
    answer = only(OPTIONS, WIDE, msgspec.structs.replace(RICH, fees={"deribit:option": dear}))
    assert (answer.kind, answer.failed_count) == ("negative_net_edge", 1)
    assert answer.gross_bps is not None
    assert answer.cost_bps is not None
    assert answer.value == pytest.approx(answer.gross_bps - answer.cost_bps)
    assert (answer.value or 0) < 0


def test_an_edge_within_its_error_is_no_opportunity() -> None:
    """At 45 % and three points of spread the straddle is still cheap; it gains less than 0.84 standard errors."""
    answer = only(OPTIONS, WIDE)
    assert (answer.kind, answer.stage) == ("gate_failed", "edge_lcb_bps")
    assert (answer.value or 0) < 0


def test_a_credit_must_be_kept_often_enough() -> None:
    view = condor_market()
    verdict = COMPLEX.evaluate(view, COMPLEX.defaults(profit_frac=0.9), Columns(view))
    rows, dispositions = judge_options(
        COMPLEX, verdict, lambda *_: UNPROVEN, Pricing(view, RICH, CostAssumptions())
    )
    assert len(rows) == 1  # 90.3 % of scenarios keep it
    assert dispositions[0].kind == "opportunity"
