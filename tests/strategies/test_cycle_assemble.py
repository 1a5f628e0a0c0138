from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from support.couple_runs import BARE, scanned, single
from support.cycle_markets import cycle_market


def test_the_waterfall_of_a_size_that_walks_the_books() -> None:
    """A hundredth of a bitcoin at the touch, the rest 5 bps further on three books: two thirds of the way are 5 bps each."""
    row = single(scanned("triangular_arbitrage", cycle_market(3_030.0, sizes=(0.01, 0.2, 0.2)), BARE))
    lines = {line.item: line for line in row.costs}
    assert math.fsum(line.bps or 0.0 for line in row.costs) == pytest.approx(row.edge_bps, abs=1e-9)
    assert math.fsum(line.usd or 0.0 for line in row.costs) == pytest.approx(row.edge_usd, abs=1e-9)
    share = 1 - 600.0 / row.size.notional_usd
    assert lines["slippage"].bps == pytest.approx(-15.0 * share, rel=0.05)
    assert (lines["spread"].bps or 0.0) < 0
    assert lines["transfer"].bps == lines["funding"].bps == 0.0


def test_orders_reach_to_the_worst_level_they_need() -> None:
    row = single(scanned("triangular_arbitrage", cycle_market(3_030.0, sizes=(0.01, 0.2, 0.2)), BARE))
    prices = [leg.price for leg in row.legs]
    assert prices[0] == Decimal("60030.00")
    assert prices[1] == pytest.approx(Decimal("0.050025"))
    assert prices[2] <= Decimal("3028.49")


def test_the_curve_falls_with_the_size_and_ends_where_nothing_is_left() -> None:
    row = single(scanned("triangular_arbitrage", cycle_market(sizes=(0.01, 0.2, 0.2)), BARE))
    edges = np.array([point.edge_bps for point in row.capacity_curve])
    assert (np.diff(edges) <= 1e-9).all()
    assert row.capacity_usd is not None
    assert row.size.notional_usd <= row.capacity_usd / 2 * (1 + 1e-9)


def test_the_same_cycle_bears_the_same_key_and_another_direction_another() -> None:
    forth = single(scanned("triangular_arbitrage", cycle_market(), BARE))
    again = single(scanned("triangular_arbitrage", cycle_market(3_013.0), BARE))
    back = single(scanned("triangular_arbitrage", cycle_market(2_980.0), BARE))
    assert forth.opportunity_key == again.opportunity_key != back.opportunity_key
    assert [leg.side for leg in back.legs] == ["buy", "sell", "sell"]
