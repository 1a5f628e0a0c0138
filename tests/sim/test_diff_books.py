"""A numbered book: changes fold, follow each other, and lead to the truth."""

from __future__ import annotations

import pytest

from sextant.sim.diff_books import Change, Counting, DiffBook
from sextant.sim.market_model import MarketModel
from sextant.sim.tape import Tape

NOW_MS = 1_790_000_010_000


@pytest.fixture
def tape() -> Tape:
    model = MarketModel(7, 12)
    return Tape(model, model.listings[0], 1.0)


def applied(sides: tuple[dict[int, int], dict[int, int]], change: Change) -> None:
    for held, rows in zip(sides, (change.bids, change.asks), strict=True):
        for ticks, lots, _ in rows:
            if lots:
                held[ticks] = lots
            else:
                held.pop(ticks, None)


@pytest.mark.parametrize("counting", [Counting(1_000), Counting(1_000, step=3, between=17)])
def test_changes_applied_to_an_earlier_book_give_the_later_one(tape: Tape, counting: Counting) -> None:
    book = DiffBook(tape, counting)
    book.listen("fast", NOW_MS)
    bids, asks = book.top(1_000)
    held = dict(bids), dict(asks)
    last = book.number
    assert (last, len(bids), len(asks)) == (1_000, 500, 500)
    for step in range(1, 60):
        book.advance(NOW_MS + step * 250)
        change = book.take("fast")
        if change is None:
            continue
        assert (change.before, change.first) == (last, last + counting.between + 1)
        changed = len(change.bids) + len(change.asks)
        assert change.last == last + counting.between + counting.step * changed
        numbers = sorted(number for _, __, number in (*change.bids, *change.asks))
        assert numbers[-1] == change.last
        assert len(set(numbers)) == changed
        last = change.last
        applied(held, change)
        assert (held[0], held[1]) == tuple(dict(side) for side in book.top(1_000))
        assert max(held[0]) < min(held[1])
    assert last > 1_100


def test_a_book_asked_for_between_two_pushes_lies_within_the_next_one(tape: Tape) -> None:
    book = DiffBook(tape, Counting(0))
    book.listen("slow", NOW_MS)
    for step in range(1, 5):
        book.advance(NOW_MS + step * 500)
        if step == 2:
            bids, asks = book.top(1_000)
            held, number = (dict(bids), dict(asks)), book.number
    change = book.take("slow")
    assert change is not None
    assert change.first <= number + 1 <= change.last
    applied(held, change)
    assert (held[0], held[1]) == tuple(dict(side) for side in book.top(1_000))
    assert book.take("slow") is None


def test_each_kind_of_listener_is_told_everything_once(tape: Tape) -> None:
    book = DiffBook(tape, Counting(0))
    book.listen("fast", NOW_MS)
    book.listen("slow", NOW_MS)
    every: list[Change] = []
    for step in range(1, 9):
        book.advance(NOW_MS + step * 500)
        every += [change for change in (book.take("fast"),) if change is not None]
    slow = book.take("slow")
    assert slow is not None
    assert (slow.before, slow.first, slow.last) == (0, every[0].first, every[-1].last)
    assert {ticks for ticks, _, __ in slow.bids} == {ticks for each in every for ticks, _, __ in each.bids}
    book.listen("slow", NOW_MS + 60_000)
    assert book.take("slow") is None  # whoever comes anew is told nothing of before


def test_a_book_knows_what_it_was_and_may_begin_to_count_anew(tape: Tape) -> None:
    book = DiffBook(tape, Counting(50))
    book.listen("fast", NOW_MS)
    before = book.top(1_000)
    book.advance(NOW_MS + 30_000, 900)
    assert book.at(50) == before
    assert [len(side) for side in book.top(1_000)] == [900, 900]
    assert book.at(51) is None
    book.restart(1)
    assert (book.number, book.at(1)) == (1, book.top(1_000))
    book.advance(NOW_MS + 60_000)
    change = book.take("fast")
    assert change is not None
    assert (change.before, change.first) == (1, 2)
