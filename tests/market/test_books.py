from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.errors import MarketError
from sextant.market.books import Book, BookSide
from sextant.model.events import BookDelta, Level
from support.market import delta, snapshot

BIDS = [(100.0, 1.0), (99.5, 2.0), (99.0, 3.0)]
ASKS = [(100.5, 1.5), (101.0, 2.5), (101.5, 3.5)]


def _book(sequence: int = 10) -> Book:
    book = Book(Decimal("0.5"))
    assert book.snapshot(snapshot(sequence, BIDS, ASKS)) is None
    return book


def test_snapshot_is_shown_best_first() -> None:
    now = _book().now()
    assert (now.valid, now.reason, now.sequence) == (True, "", 10)
    assert now.bids == tuple(BIDS)
    assert now.asks == tuple(ASKS)


def test_book_without_a_snapshot_waits_for_one() -> None:
    book = Book(Decimal("0.5"))
    assert book.delta(delta(11, [(100.0, 1.0)])) == "waiting"
    assert (book.valid, book.reason) == (False, "no_snapshot")
    assert book.now().bids == ()


def test_change_sets_adds_and_deletes_levels() -> None:
    book = _book()
    assert book.delta(delta(11, [(100.0, 0.0), (99.5, 7.0), (98.0, 4.0)], [(100.0, 9.0)])) is None
    assert book.now().bids == ((99.5, 7.0), (99.0, 3.0), (98.0, 4.0))
    assert book.now().asks[0] == (100.0, 9.0)
    assert book.now(1).bids == ((99.5, 7.0),)


def test_deleting_a_level_that_is_not_there_changes_nothing() -> None:
    book = _book()
    assert book.delta(delta(11, [(90.0, 0.0)])) is None
    assert book.now().bids == tuple(BIDS)


@pytest.mark.parametrize("sequence", [10, 9, 3])
def test_repeated_or_older_change_is_ignored(sequence: int) -> None:
    book = _book()
    assert book.delta(delta(sequence, [(100.0, 0.0)])) == "duplicate"
    assert book.valid
    assert book.now().bids == tuple(BIDS)


def test_gap_in_sequence_makes_the_book_invalid_at_once() -> None:
    book = _book()
    assert book.delta(delta(12, [(100.0, 5.0)], event_ns=77)) == "gap"
    now = book.now()
    assert (now.valid, now.reason, now.since_ns, now.sequence) == (False, "gap", 77, 10)


def test_changes_after_a_gap_wait_until_a_snapshot_replaces_the_book() -> None:
    book = _book()
    book.delta(delta(12))
    assert book.delta(delta(11)) == "waiting"
    assert book.delta(delta(13)) == "waiting"
    assert book.snapshot(snapshot(20, [(50.0, 1.0)], [(51.0, 1.0)])) is None
    assert book.now().bids == ((50.0, 1.0),)
    assert book.delta(delta(21, [(50.5, 2.0)])) is None
    assert book.now().bids == ((50.5, 2.0), (50.0, 1.0))


def test_later_snapshot_replaces_and_does_not_merge() -> None:
    book = _book()
    assert book.snapshot(snapshot(5, [(90.0, 1.0)], [(90.5, 1.0)])) is None
    assert (book.now().bids, book.now().asks, book.sequence) == (((90.0, 1.0),), ((90.5, 1.0),), 5)


def test_change_numbered_one_is_a_restart_and_replaces_the_book() -> None:
    book = _book()
    book.delta(delta(99))
    assert book.delta(delta(1, [(80.0, 1.0), (79.0, 0.0)], [(81.0, 1.0), (82.0, 0.0)])) is None
    assert (book.now().bids, book.now().asks, book.valid) == (((80.0, 1.0),), ((81.0, 1.0),), True)
    assert book.delta(delta(1, [(70.0, 1.0)])) == "duplicate"


def test_change_numbered_one_with_empty_sides_means_there_is_no_book() -> None:
    book = _book()
    assert book.delta(delta(1)) is None
    assert (book.valid, book.reason, book.now().bids) == (False, "empty", ())


def test_change_numbered_one_after_a_snapshot_numbered_zero_continues_it() -> None:
    book = _book(sequence=0)
    assert book.delta(delta(1, [(100.0, 9.0)])) is None
    assert book.now().bids[0] == (100.0, 9.0)
    assert len(book.now().bids) == 3


@pytest.mark.parametrize(
    ("first", "sequence", "previous", "trouble"),
    [
        (11, 15, None, None),  # a range that starts right after the book
        (8, 15, None, None),  # a range that reaches back: nothing is lost
        (12, 15, None, "gap"),
        (14, 15, 10, None),  # the stated predecessor is the book's
        (14, 15, 12, "gap"),
        (8, 15, 7, None),  # first after a snapshot: the range holds the book's number
    ],
)
def test_first_change_continues_a_snapshot(
    first: int, sequence: int, previous: int | None, trouble: str | None
) -> None:
    assert _book().delta(delta(sequence, first=first, previous=previous)) == trouble


def test_stated_predecessor_decides_alone_after_the_first_change() -> None:
    book = _book()
    assert book.delta(delta(15, first=8, previous=7)) is None
    assert book.delta(delta(20, first=14, previous=13)) == "gap"


def test_book_is_cut_back_to_its_levels() -> None:
    book = Book(Decimal("0.5"))
    book.snapshot(snapshot(1, [*BIDS, (98.5, 1.0)], ASKS, levels=3))
    assert book.now().bids == tuple(BIDS)
    book.delta(delta(2, [(99.25 + 0.25, 8.0), (98.0, 1.0)], [(100.5, 0.0), (102.0, 4.0), (103.0, 1.0)]))
    assert book.now().bids == ((100.0, 1.0), (99.5, 8.0), (99.0, 3.0))
    assert book.now().asks == ((101.0, 2.5), (101.5, 3.5), (102.0, 4.0))


@pytest.mark.parametrize("price", [100.5, 101.0])
def test_crossed_or_locked_book_is_held_back_until_a_message_repairs_it(price: float) -> None:
    book = _book()
    assert book.delta(delta(11, [(price, 1.0)])) == "crossed"
    assert (book.valid, book.reason, book.since_ns) == (False, "crossed", 11)
    assert book.delta(delta(12, [(price, 0.0)])) is None
    assert (book.valid, book.since_ns) == (True, 12)


def test_a_level_that_crosses_for_one_message_pushes_none_out_for_good() -> None:
    book = Book(Decimal("0.5"))
    assert book.snapshot(snapshot(10, BIDS, ASKS, levels=3)) is None
    assert book.delta(delta(11, [(100.5, 1.0)])) == "crossed"
    assert book.delta(delta(12, [(100.5, 0.0)])) is None
    assert book.now().bids == tuple(BIDS)
    assert book.delta(delta(13, [(98.0, 1.0), (98.5, 1.0)])) is None
    assert book.now().bids == tuple(BIDS)


def test_book_crossed_for_more_than_one_message_waits_for_a_snapshot() -> None:
    book = _book()
    book.delta(delta(11, [(101.0, 1.0)]))
    assert book.delta(delta(12, [(90.0, 1.0)])) == "crossed_again"
    assert book.delta(delta(13, [(101.0, 0.0)])) == "waiting"
    assert (book.valid, book.since_ns) == (False, 11)


def test_crossed_snapshot_is_held_back_too() -> None:
    book = Book(Decimal("0.5"))
    assert book.snapshot(snapshot(1, [(101.0, 1.0)], [(100.0, 1.0)])) == "crossed"
    assert book.snapshot(snapshot(2, [(101.0, 1.0)], [(100.0, 1.0)])) == "crossed"
    assert book.snapshot(snapshot(3, BIDS, ASKS)) is None
    assert book.valid


def test_one_sided_book_is_not_valid_until_the_other_side_returns() -> None:
    book = Book(Decimal("0.5"))
    assert book.snapshot(snapshot(1, BIDS, [])) is None
    assert (book.valid, book.reason) == (False, "one_sided")
    assert book.delta(delta(2, [], ASKS)) is None
    assert book.valid


@pytest.mark.parametrize(
    ("level", "reason"),
    [
        ((99.7, 1.0), "off_tick"),
        ((0.0, 1.0), "bad_level"),
        ((-1.0, 1.0), "bad_level"),
        ((math.nan, 1.0), "bad_level"),
        ((math.inf, 1.0), "bad_level"),
        ((99.5, -1.0), "bad_level"),
        ((99.5, math.nan), "bad_level"),
        ((99.5, math.inf), "bad_level"),
    ],
)
def test_level_that_no_book_can_have_makes_the_book_invalid(level: Level, reason: str) -> None:
    book = _book()
    assert book.delta(delta(11, [level])) == "refused"
    assert (book.valid, book.reason, book.now().bids) == (False, reason, ())
    fresh = Book(Decimal("0.5"))
    assert fresh.snapshot(snapshot(1, BIDS, [level])) == "refused"
    assert fresh.reason == reason


def test_size_zero_in_a_snapshot_is_refused() -> None:
    assert Book(Decimal("0.5")).snapshot(snapshot(1, [(100.0, 0.0)], ASKS)) == "refused"


@pytest.mark.parametrize("tick", ["0.000001", "0.00000001", "0.1", "0.05", "2.5", "10"])
@pytest.mark.parametrize("ticks", [1, 7, 123_457, 60_000_000_001])
def test_every_multiple_of_the_tick_is_taken_and_given_back_exactly(tick: str, ticks: int) -> None:
    price = float(Decimal(tick) * ticks)
    side = BookSide(Decimal(tick), -1)
    assert side.key(price) == -ticks
    assert side.price(-ticks) == price


def test_price_off_by_more_than_a_millionth_of_a_tick_is_refused() -> None:
    side = BookSide(Decimal("0.1"), 1)
    assert side.key(100.00000005) == 1000
    with pytest.raises(MarketError, match=r"1000\.0000[0-9]+ ticks"):
        side.key(100.000001)


def test_cleared_and_invalidated_books_say_why() -> None:
    book = _book()
    book.invalidate("stream_down", 5)
    assert (book.reason, book.now().bids) == ("stream_down", tuple(BIDS))
    book.clear("delisted", 6)
    assert (book.reason, book.since_ns, book.now().bids) == ("delisted", 6, ())


def test_other_tick_size_forgets_the_book() -> None:
    book = _book()
    assert not book.change_tick(Decimal("0.50"), 20)
    assert book.valid
    assert book.change_tick(Decimal("0.1"), 20)
    assert (book.reason, book.now().bids) == ("tick_changed", ())
    assert book.snapshot(snapshot(30, [(99.9, 1.0)], [(100.1, 1.0)])) is None
    assert not Book(Decimal(1)).change_tick(Decimal(2), 20)


class NaiveBook:
    """The plainest book that can be right: two dictionaries by price, sorted whenever it is asked."""

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.sides: tuple[dict[float, float], dict[float, float]] = ({}, {})

    def change(self, event: BookDelta) -> None:
        for side, changes, best_first in zip(
            self.sides, (event.bids, event.asks), (True, False), strict=True
        ):
            for price, size in changes:
                side[price] = size
            for price in [price for price, size in side.items() if not size]:
                del side[price]
            for price in sorted(side, reverse=best_first)[self.levels :]:
                del side[price]

    def shown(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        bids, asks = self.sides
        return (tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items())))


_SIZES = st.sampled_from([0.0, 0.0, 1.0, 2.5, 4.0])
_BIDS = st.lists(
    st.tuples(st.integers(1, 30).map(float), _SIZES), max_size=6, unique_by=lambda level: level[0]
)
_ASKS = st.lists(
    st.tuples(st.integers(31, 60).map(float), _SIZES), max_size=6, unique_by=lambda level: level[0]
)
_CHANGES = st.lists(st.tuples(_BIDS, _ASKS), max_size=40)


@given(_CHANGES, st.integers(1, 8))
def test_any_stream_of_changes_gives_the_book_of_a_naive_dictionary(
    changes: list[tuple[list[Level], list[Level]]], levels: int
) -> None:
    book, naive = Book(Decimal(1)), NaiveBook(levels)
    start = snapshot(1, [(30.0, 1.0)], [(31.0, 1.0)], levels=levels)
    book.snapshot(start)
    naive.change(delta(1, start.bids, start.asks))
    for sequence, (bids, asks) in enumerate(changes, 2):
        event = delta(sequence, bids, asks)
        book.delta(event)
        naive.change(event)
        assert (book.now().bids, book.now().asks) == naive.shown()
        assert book.valid == all(naive.shown())


@given(
    _CHANGES.filter(bool),
    st.lists(st.tuples(st.sampled_from(["duplicate", "swap", "drop", "snapshot"]), st.integers(0, 39))),
)
def test_no_fault_of_the_stream_ever_shows_a_wrong_book_as_valid(
    changes: list[tuple[list[Level], list[Level]]], faults: list[tuple[str, int]]
) -> None:
    """Duplicates, swaps, losses and second snapshots: what is valid equals the truth of that sequence."""
    naive = NaiveBook(100)
    naive.change(delta(10, [(30.0, 1.0)], [(31.0, 1.0)]))
    truth = {10: naive.shown()}
    stream: list[BookDelta] = []
    for sequence, (bids, asks) in enumerate(changes, 11):
        stream.append(delta(sequence, bids, asks))
        naive.change(stream[-1])
        truth[sequence] = naive.shown()
    book = Book(Decimal(1))
    book.snapshot(snapshot(10, *truth[10]))
    sent = list(stream)
    fresh: set[int] = set()
    for fault, place in faults:
        at = place % len(sent)
        if fault == "duplicate":
            sent.insert(at, sent[at])
        elif fault == "swap":
            sent[at - 1], sent[at] = sent[at], sent[at - 1]
        elif fault == "drop" and len(sent) > 1:
            del sent[at]
        elif fault == "snapshot":
            fresh.add(at)
    for at, event in enumerate(sent):
        if at in fresh and all(truth[event.sequence]):
            book.snapshot(snapshot(event.sequence, *truth[event.sequence]))
        known = book.sequence
        trouble = book.delta(event)
        assert (trouble == "gap") <= (event.sequence > known + 1)
        assert (trouble == "duplicate") <= (event.sequence <= known)
        if book.valid:
            assert (book.now().bids, book.now().asks) == truth[book.sequence]
