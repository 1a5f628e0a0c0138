from __future__ import annotations

import math

import numpy as np
import pytest

from sextant.strategies.expiries import Expiry, expiries_of
from sextant.strategies.structures import Hedge, OptionLeg, Structure, leg_worth, shortfall
from support.option_markets import AS_OF_NS, Quoted, chain

STRIKES = [50_000.0, 54_000.0, 60_000.0, 66_000.0, 70_000.0]


@pytest.fixture(scope="module")
def near() -> Expiry:
    return expiries_of(chain(Quoted(14, 0.62, STRIKES)), AS_OF_NS)[0]


def leg(expiry: Expiry, strike: float, right: int, quantity: int) -> OptionLeg:
    at = expiry.find(strike, right)
    assert at is not None
    return OptionLeg(expiry, at, quantity)


def condor(expiry: Expiry) -> Structure:
    legs = ((50_000.0, -1, 1), (54_000.0, -1, -1), (66_000.0, 1, -1), (70_000.0, 1, 1))
    return Structure("iron_condor", tuple(leg(expiry, *one) for one in legs))


def test_what_is_bought_pays_the_ask_and_what_is_sold_gets_the_bid(near: Expiry) -> None:
    bought, sold = leg(near, 60_000.0, 1, 1), leg(near, 60_000.0, 1, -1)
    assert bought.price > sold.price
    assert bought.usd == pytest.approx(bought.price * 60_000.0)
    assert bought.mid_usd == pytest.approx((bought.usd + sold.usd) / 2)
    assert bought.fee_ceiling_usd == pytest.approx(0.125 * bought.usd)


def test_the_condor_of_the_page_brings_its_credit(near: Expiry) -> None:
    found = condor(near)
    assert -found.debit_usd == pytest.approx(999.0, rel=0.001)  # strategies.md 3.10
    assert found.mid_usd < found.debit_usd < 0
    assert found.touch_units == 100.0
    assert found.corners.tolist() == [50_000.0, 54_000.0, 66_000.0, 70_000.0]


@pytest.mark.parametrize(
    ("settled", "worth"),
    [(40_000, -4_000), (52_000, -2_000), (60_000, 0), (67_000, -1_000), (90_000, -4_000)],
)
def test_worth_at_expiry_is_worked_by_hand(near: Expiry, settled: float, worth: float) -> None:
    assert condor(near).worth(np.array([settled], dtype=np.float64))[0] == worth


def test_delivery_is_charged_on_what_ends_in_the_money_and_capped_by_its_value(near: Expiry) -> None:
    settled = np.array([60_000.0, 80_000.0, 66_010.0])
    found = condor(near).delivery(settled, 1.5)
    # 80,000: both calls, 12 each. 66,010: one call worth 10, an eighth of it.
    assert found == pytest.approx([0.0, 24.0, 1.25])


def test_a_hedge_gains_with_the_price_and_counts_in_delta(near: Expiry) -> None:
    put = Structure("put_credit_vertical", (leg(near, 54_000.0, -1, -1), leg(near, 50_000.0, -1, 1)))
    delta = float(put.greeks.delta[0])
    assert delta > 0.1
    hedged = Structure(put.shape, put.legs, Hedge(0, -delta, 60_050.0))
    assert hedged.greeks.delta[0] == pytest.approx(0.0, abs=1e-12)
    assert hedged.hedged(np.array([61_050.0])) == pytest.approx([-1_000.0 * delta])
    assert put.hedged(np.array([61_050.0])).tolist() == [0.0]


def test_greeks_are_sums_over_legs(near: Expiry) -> None:
    call, put = leg(near, 60_000.0, 1, 1), leg(near, 60_000.0, -1, 1)
    both = Structure("long_straddle", (call, put)).greeks
    single = Structure("long_straddle", (call,)).greeks
    assert both.vega[0] == pytest.approx(2 * single.vega[0])
    assert both.gamma[0] == pytest.approx(2 * single.gamma[0])
    assert both.delta[0] == pytest.approx(2 * single.delta[0] - 1)


def test_a_later_option_is_worth_blacks_value_at_its_own_forward_and_volatility() -> None:
    """S = 60,000, far forward 1 % above, 14 days left at 50 %, strike 60,600: at the money 0.4 x F x iv x sqrt T about."""
    one = chain(Quoted(14, 0.6, [60_600.0]), Quoted(28, 0.5, [60_600.0], forward=60_600.0))
    near, far = expiries_of(one, AS_OF_NS)
    worth = leg_worth(leg(far, 60_600.0, 1, 1), np.array([60_000.0, 66_000.0]), near)
    spread = 0.5 * math.sqrt(14 / 365)
    assert worth[0] == pytest.approx(60_600 * math.erf(spread / 2 / math.sqrt(2)), rel=1e-9)
    assert worth[1] > 6_060  # the forward has moved by the same tenth


def test_the_shortfall_is_the_mean_of_the_worst_twentieth() -> None:
    values = np.concatenate((np.full(38, 10.0), [-100.0, -50.0]))
    assert shortfall(values) == 75.0
    assert shortfall(np.array([3.0])) == -3.0
