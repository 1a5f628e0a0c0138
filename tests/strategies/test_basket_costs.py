from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from sextant.model.account import Account
from sextant.strategies.basket_costs import BasketTerms, basket_waterfall
from sextant.strategies.costs import CostAssumptions, Depth, Pricing, Stay, terms_of
from sextant.strategies.funding import FundingForecast
from support.bar_markets import funded
from support.markets import bars_of, closes_of, framed, specs_of, view_of

VIEW = funded(view_of(framed("1h", bars_of(closes_of([np.zeros(48)] * 2))), specs_of(2, "perpetual")))
PRICING = Pricing(VIEW, Account(), CostAssumptions())


def law() -> Depth:
    """4 % a day, 4 million a day, nothing at the touch."""
    return Depth("law", 1, 100.0, np.zeros(1), np.zeros(1), 0.0, 4e6, 0.04, 1.0)


def pair(weights: tuple[float, float] = (1.0, 0.5)) -> BasketTerms:
    """One bought and one sold leg; three settlements of 1 bp."""
    legs = []
    for column, direction in ((0, 1), (1, -1)):
        terms = terms_of(PRICING, Stay(column, direction, 86_400.0, sigma_day=0.04, stop_share=0.0))
        paid = FundingForecast(3e-4, 3, 1e-4, 0.0, 90)
        legs.append(dataclasses.replace(terms, entry=law(), leave=law(), funding=paid))
    return BasketTerms((legs[0], legs[1]), weights)


def test_legs_cost_in_proportion_to_their_weights() -> None:
    terms = pair()
    # Fees of 5 and a spread of 2 on 1.5 times the reference notional; the bought leg pays 3, the sold receives half of 3.
    assert terms.fee_bps == pytest.approx(7.5)
    assert terms.spread_bps == pytest.approx(3.0)
    assert terms.funding_bps == pytest.approx(-1.5)
    assert terms.fixed_bps == pytest.approx(2 * 7.5 + 3.0 + 1.5)
    # 0.04 sqrt(size/4e6) each way: 20 bps at 10,000 USD, and half of 14.14 at 5,000.
    slip = 2 * 20.0 + 0.5 * 2 * 20.0 / math.sqrt(2.0)
    assert terms.slippage_bps(np.array([10_000.0]))[0] == pytest.approx(slip)
    assert terms.cost_bps(10_000.0) == pytest.approx(19.5 + slip)


def test_the_largest_size_is_that_of_the_leg_that_is_reached_first() -> None:
    # 1 % of 4 million on each leg; the second is half as large.
    assert pair().greatest_usd == pytest.approx(40_000.0)
    assert pair((0.5, 1.0)).greatest_usd == pytest.approx(40_000.0)
    assert pair((0.5, 0.4)).greatest_usd == pytest.approx(80_000.0)


def test_the_lines_sum_to_gross_less_costs() -> None:
    terms = pair()
    lines = basket_waterfall(PRICING, terms, 50.0, 10_000.0)
    assert math.fsum(line.bps or 0.0 for line in lines) == pytest.approx(50.0 - terms.cost_bps(10_000.0))
    named = {line.item: line for line in lines}
    assert named["funding"].bps == pytest.approx(-1.5)
    assert named["fee_entry"].usd == pytest.approx(-7.5)
    assert "entry tiers assumed" in named["fee_entry"].basis
    assert basket_waterfall(PRICING, terms, None, 10_000.0)[0].basis == "unproven: too few past events"
