from __future__ import annotations

from decimal import Decimal

import pytest

from sextant.market import levels
from sextant.market.books import BookSide
from sextant.market.levels import FULL, ROOM
from sextant.model.cells import Cells


def _side(*held: tuple[int, float]) -> BookSide:
    side = BookSide(Decimal("0.5"), 1)
    side.restore(sorted(held))
    return side


def test_a_key_is_found_where_it_stands() -> None:
    side = _side((3, 1.0), (5, 2.0), (9, 4.0))
    assert [levels.place_of(side.cells.at, key) for key in (1, 3, 4, 9, 10)] == [0, 0, 1, 2, 3]
    assert [levels.size_of(side.cells.at, key) for key in (3, 4, 9, 10)] == [1.0, 0.0, 4.0, 0.0]


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf"), 0.2, 100.26, 1e300])
def test_no_key_is_made_of_what_is_no_price(price: float) -> None:
    assert levels.key_of(_side().cells.at, price) == 0


def test_a_side_without_room_says_so_and_keeps_what_it_holds() -> None:
    held = [(key, 1.0) for key in range(1, 17)]
    side = _side(*held)
    assert side.cells.ints[ROOM] == 16
    assert levels.put(side.cells.at, 40, 1.0) == FULL
    assert levels.put(side.cells.at, 16, 0.0) == levels.put(side.cells.at, 40, 2.0) == 0
    assert side.content() == [*held[:-1], (40, 2.0)]


def test_merging_stops_at_the_first_level_that_is_refused() -> None:
    side, told = _side(), Cells(6)
    told.put_reals(0, [50.0, 1.0, 50.1, 1.0, 51.0, 1.0])
    assert levels.merge(side.cells.at, told.at, 3) == 2
    assert side.content() == [(100, 1.0)]


def test_cutting_keeps_the_best() -> None:
    side = _side((1, 1.0), (2, 2.0), (3, 3.0))
    levels.cut(side.cells.at, 2)
    assert side.content() == [(2, 2.0), (3, 3.0)]
    levels.cut(side.cells.at, 0)
    assert side.content() == []
