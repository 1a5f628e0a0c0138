"""One book feeds every depth; differences applied in order give the book, which is never crossed."""

from __future__ import annotations

import pytest

from sextant.sim.books import Book, DepthFeed, Level
from sextant.sim.noise import Dice


def _apply(side: dict[int, int], changes: list[Level]) -> None:
    for price, size in changes:
        if size:
            side[price] = size
        else:
            del side[price]


@pytest.mark.parametrize("depth", [1, 50, 200])
def test_differences_lead_to_the_book_at_every_number(depth: int) -> None:
    book, feed, dice = Book(50, 3), DepthFeed(depth, 10), Dice(5)
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    middle = 10_000
    for number in range(400):
        middle += dice.below(21) - 10
        book.move(middle, middle + 1 + dice.below(3), 200, dice)
        changed = feed.push(book)
        _apply(bids, changed[0])
        _apply(asks, changed[1])
        assert feed.u == 11 + number
        truth = feed.at(feed.u)
        assert truth == (sorted(bids.items(), reverse=True), sorted(asks.items()))
        assert truth == book.view(depth)
        assert max(bids) < min(asks)
        assert max(bids) == middle
        assert len(bids) == len(asks) == depth


def test_depths_of_one_book_agree() -> None:
    book, dice = Book(50, 3), Dice(1)
    book.move(100_000, 100_002, 1_000, dice)
    assert book.view(1_000)[0][:50] == book.view(50)[0]
    assert book.view(1_000)[1][:1] == book.view(1)[1]
    assert len(book.view(1_000)[0]) == 1_000


def test_prices_stay_above_zero_where_the_tick_is_coarse() -> None:
    book = Book(50, 3)
    book.move(20, 21, 1_000, Dice(1))
    bids, asks = book.view(1_000)
    assert 1 <= len(bids) <= 20
    assert min(price for price, _ in bids) >= 1
    assert len(asks) == 1_000


def test_only_the_last_eight_states_are_kept() -> None:
    book, feed, dice = Book(50, 3), DepthFeed(1, 0), Dice(1)
    for _ in range(20):
        book.move(100, 101, 50, dice)
        feed.push(book)
    assert feed.at(12) is None
    assert feed.at(13) is not None


def test_of_two_restarts_the_number_means_the_later_one() -> None:
    book, feed, dice = Book(50, 3), DepthFeed(5, 10), Dice(5)
    states = []
    for middle in (10_000, 10_050):
        book.move(middle, middle + 1, 200, dice)
        feed.push(book)
        feed.restart()
        states.append(feed.told())
    assert states[0] != states[1]
    assert feed.at(1) == states[1]


def test_a_book_that_grew_far_beyond_what_is_wanted_is_cut_at_its_far_end() -> None:
    book, dice = Book(50, 3), Dice(1)
    book.move(100_000, 100_001, 500, dice)
    best = book.view(20)
    book.move(100_000, 100_001, 50, Dice(2))
    bids, asks = book.view(1_000)
    assert len(bids) == len(asks) == 82
    assert bids[0][0] == best[0][0][0]
    assert bids == sorted(bids, reverse=True)
