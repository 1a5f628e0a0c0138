"""Numbers worked by hand from the formulas of strategies.md 3.7."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sextant.strategies.quoting import Book, half_spread_as, quote_of, reservation_shift_bps, round_trip


def books(**changes: list[float]) -> Book:
    """The wide book of the specification, with some numbers of its own."""
    wide = {
        "half_spread_bps": 15.0,
        "tick_bps": 1.0,
        "maker_bps": 2.0,
        "adverse_bps": 1.0,
        "sigma_bps": 1.0,
        "k": 0.076,
    }
    size = max((len(some) for some in changes.values()), default=1)
    return Book(**{name: np.array(changes.get(name, [value] * size)) for name, value in wide.items()})


WIDE = books()
TENTH = np.array([0.1])


def test_half_the_spread_is_inventory_risk_and_the_decay_of_flow() -> None:
    """0.5 x 0.02 x 1 x 60 = 0.6, ln(1 + 0.02/0.076)/0.02 = 11.68."""
    [found] = half_spread_as(WIDE, 0.02, 60.0)
    assert found == pytest.approx(0.6 + math.log(1 + 0.02 / 0.076) / 0.02)
    assert found == pytest.approx(12.28, abs=0.01)


def test_inside_the_touch_half_of_the_flow_fills() -> None:
    quote = quote_of(WIDE, TENTH, 0.02, 60.0)
    assert quote.inside.tolist() == [True]
    assert quote.fill_share.tolist() == [0.5]


def test_at_the_touch_the_place_in_the_queue_decides() -> None:
    narrow = books(half_spread_bps=[8.0] * 3)
    quote = quote_of(narrow, np.array([0.1, 0.001, 0.9]), 0.02, 60.0)
    assert not quote.inside.any()
    assert quote.fill_share.tolist() == [0.1, 0.02, 0.5]
    assert quote.delta_bps == pytest.approx([12.28] * 3, abs=0.01)


def test_at_a_touch_wider_than_what_is_asked_for_the_order_joins_it() -> None:
    assert quote_of(books(half_spread_bps=[13.0]), TENTH, 0.02, 60.0).delta_bps.tolist() == [13.0]


def test_it_never_quotes_closer_than_what_pays() -> None:
    dear = books(maker_bps=[11.5])
    assert dear.least_bps.tolist() == [13.0]
    assert quote_of(dear, TENTH, 0.02, 60.0).delta_bps.tolist() == [13.0]


def test_a_long_inventory_lowers_the_reservation_price() -> None:
    assert reservation_shift_bps(1.0, 2.0, 0.02, 60.0) == pytest.approx(-2.4)
    assert reservation_shift_bps(1.0, -1.0, 0.02, 60.0) == pytest.approx(1.2)


def test_a_round_trip_pays_two_fees_two_moves_and_the_holding() -> None:
    quote = quote_of(WIDE, TENTH, 0.02, 60.0)
    trip = round_trip(WIDE, quote, np.array([0.25]), 0.02)
    assert trip.seconds == pytest.approx([8.0])
    assert trip.inventory_bps == pytest.approx([0.08])
    assert trip.edge_bps == pytest.approx(2 * quote.delta_bps - 4.0 - 2.0 - 0.08)


def test_a_book_that_nobody_sweeps_never_turns() -> None:
    trip = round_trip(WIDE, quote_of(WIDE, TENTH, 0.02, 60.0), np.array([0.0]), 0.02)
    assert trip.seconds.tolist() == [math.inf]
