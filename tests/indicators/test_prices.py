"""Rows made of prices and volumes, by hand."""

from __future__ import annotations

import numpy as np

from sextant.indicators import prices
from sextant.indicators.windows import counter
from sextant.model.bar import Floats


def row(*values: float) -> Floats:
    return np.array(values)


def test_true_range_reaches_back_to_the_close_before() -> None:
    out = np.empty(3)
    prices.true_range(row(11, 11, 11), row(9, 9, 9), row(10, 15, 2), out)
    assert out.tolist() == [2, 6, 9]


def test_money_flow_is_the_volume_by_place_in_the_range() -> None:
    out = np.empty(4)
    prices.money_flow(row(4, 4, 4, 4), row(0, 0, 0, 4), row(4, 0, 3, 4), row(10, 10, 10, 10), out)
    assert out.tolist() == [10, -10, 5, 0]


def test_change_keeps_the_close_for_the_next_row() -> None:
    before, out = row(100, 50), np.empty(2)
    prices.change(row(150, 25), before, out)
    assert out.tolist() == [0.5, -0.5]
    assert before.tolist() == [150, 25]


def test_sides_are_bought_minus_and_plus_sold() -> None:
    net, total = np.empty(2), np.empty(2)
    prices.sides(row(10, 10), row(7, 0), net, total)
    assert net.tolist() == [4, -10]
    assert total.tolist() == [10, 10]


def test_volume_is_told_in_times_of_the_usual_and_capped() -> None:
    out = np.empty(4)
    prices.times_usual(row(5, 5000, 0, 3), row(2, 2, 0, 0), out)
    assert out.tolist() == [2.5, 100, 0, 100]


def test_typical_price_is_the_third_of_three() -> None:
    out = np.empty(1)
    prices.typical(row(6), row(2), row(4), out)
    assert out.tolist() == [4]


def test_strength_of_the_worked_moves() -> None:
    """Moves +2 -1 then +1 with two rows: gain (2+0)/2 = 1 then (1+1)/2 = 1, loss .5 then .25."""
    moved, count, out = (np.zeros(1), np.zeros(1), np.zeros(1)), counter(1), np.empty(1)
    told = []
    for close in (10.0, 12.0, 11.0, 12.0):
        count += 1
        prices.strength(moved, count, row(close), 2, out)
        told.append(out[0])
    assert told[2:] == [100 * (1 / 1.5), 100 * (1 / 1.25)]


def test_bar_with_one_missing_price_is_a_hole() -> None:
    count = counter(3)
    prices.tick_bar(count, row(1, np.nan, 1), row(1, 1, 1), row(1, 1, np.nan))
    assert count.tolist() == [1, 0, 0]
