"""Joint waterfalls against hand work: bybit takes 10 bps on spot and 5.5 bps on perpetuals, spreads are 2 bps each."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.view import View
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.couple_costs import IN_GROSS, JointTerms, joint_terms, joint_waterfall
from sextant.strategies.couples import CoupleSet
from support.carries import BPS, Carried, carrying, constant, spot_carry
from support.couple_runs import evaluated

VIEW = spot_carry(days=60)
NOTHING = CostAssumptions()


def said_of(view: View = VIEW, **changes: object) -> CoupleSet:
    said = evaluated("ai_funding_arbitrage", view).couples
    assert said is not None
    return dataclasses.replace(said, **changes)  # type: ignore[arg-type]  # the names are those of fields


def terms_of(view: View = VIEW, direction: int = 1, **changes: object) -> JointTerms:
    pricing = Pricing(view, Account(), NOTHING)
    return joint_terms(pricing, said_of(view, **changes), 0, direction, 0.0)


def test_four_fills_and_two_spreads_of_equal_legs() -> None:
    terms = terms_of()
    assert terms.fee_bps == pytest.approx((15.5, 15.5))
    assert terms.spread_bps == pytest.approx(4.0)
    assert terms.funding_bps == 0.0
    assert terms.cost_bps(1_000.0) == pytest.approx(35.0)
    assert terms.unknown is None


def test_a_smaller_leg_costs_its_share_of_the_larger_side() -> None:
    terms = terms_of(ratio=np.array([1.25]))
    assert terms.weights == pytest.approx((0.8, 1.0))
    assert terms.fee_bps == pytest.approx((0.8 * 10 + 5.5, 0.8 * 10 + 5.5))
    assert terms.spread_bps == pytest.approx(0.8 * 2 + 2)


def test_a_leg_held_to_expiry_pays_delivery_instead_of_a_second_order() -> None:
    view = carrying((Carried("bybit", "spot"), Carried("bybit", "perpetual")), rows=60)
    terms = terms_of(view, exits=("trade", "delivery"))
    assert terms.unknown == "delivery"  # a perpetual has no expiry at which it could be settled
    known = dataclasses.replace(terms, delivery_bps=2.5)
    assert known.fee_bps == pytest.approx((15.5, 10.0))
    assert known.spread_bps == pytest.approx(1.0 + 0.5)
    assert known.fixed_bps == pytest.approx(15.5 + 10.0 + 1.5 + 2.5)


def test_legs_that_stay_where_they_are_cross_once() -> None:
    terms = terms_of(exits=("kept", "kept"), extra_bps=(8.0, "restoring"))
    assert terms.fee_bps == pytest.approx((15.5, 0.0))
    assert terms.spread_bps == pytest.approx(2.0)
    assert terms.fixed_bps == pytest.approx(15.5 + 2.0 + 8.0)


def test_funding_is_a_line_only_where_the_gross_is_not_made_of_it() -> None:
    inside = terms_of()
    assert inside.funding_bps == 0.0
    outside = terms_of(model=None)
    assert outside.funding_bps == pytest.approx(126.0)  # 21 settlements of 6 bps, received by the short leg
    assert terms_of(direction=-1, model=None).funding_bps == pytest.approx(-126.0)


def test_lines_stand_in_their_order_and_sum_to_the_edge() -> None:
    pricing = Pricing(VIEW, Account(), NOTHING)
    lines = joint_waterfall(pricing, terms_of(), (126.0, "funding"), 2_000.0)
    assert [line.item for line in lines] == [
        "gross", "fee_entry", "fee_exit", "spread", "slippage", "funding", "borrow", "transfer", "delivery",
    ]  # fmt: skip
    assert math.fsum(line.bps or 0.0 for line in lines) == pytest.approx(91.0)
    assert math.fsum(line.usd or 0.0 for line in lines) == pytest.approx(2_000.0 * 91e-4)
    told = {line.item: line for line in lines}
    assert told["funding"].basis == IN_GROSS
    assert "bybit spot 10 bps x 1.00 assumed" in told["fee_entry"].basis
    assert told["gross"].source == "model"
    assert told["slippage"].bps == 0.0
    assert told["slippage"].bps is not None
    assert math.copysign(1.0, told["slippage"].bps) == 1.0


def test_size_beyond_the_touch_slips_on_both_legs_by_the_law() -> None:
    sigma = np.array([[0.04, 0.02]])
    small = dataclasses.replace(
        VIEW,
        quotes=dataclasses.replace(
            VIEW.quotes, bid_size=np.array([10.0, 10.0]), ask_size=np.array([10.0, 10.0])
        ),
    )
    terms = terms_of(small, sigma_day=sigma)
    beyond = (5_000.0 - 1_000.0) / 1.2e8  # ten units at 100 lie at the touch; 1.2e8 USD are traded a day
    wanted = 2 * 1e4 * (0.04 + 0.02) * math.sqrt(beyond)  # entry and exit of both
    assert float(terms.slippage_bps(np.array([5_000.0]))[0]) == pytest.approx(wanted, rel=1e-3)
    assert terms.greatest_usd == pytest.approx(1.2e6)
    assert math.isnan(float(terms.slippage_bps(np.array([1.3e6]))[0]))


def test_an_unknown_fee_is_named_with_its_leg() -> None:
    view = carrying(
        (
            Carried("binance", "spot"),
            Carried("gate", "perpetual", interval_h=8, rate=BPS, settled=constant(BPS, 20, 8)),
        ),
        rows=60,
    )
    assert terms_of(view).unknown == "fees.second"


def test_unknown_funding_matters_only_where_it_is_a_cost() -> None:
    view = carrying((Carried("bybit", "spot"), Carried("bybit", "perpetual")), rows=60)
    assert terms_of(view).unknown is None
    assert terms_of(view, model=None).unknown == "funding.second"
