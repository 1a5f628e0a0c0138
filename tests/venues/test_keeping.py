from __future__ import annotations

import pytest

from sextant.model.bar import Bar
from sextant.model.events import BarUpdate, BookDelta, BookSnapshot, Event, Trade
from sextant.model.times import MINUTE_NS
from sextant.venues.keeping import MOST_HELD, MOST_OLDER, HeldBooks, Ladder, LostBooks, OpenBars
from sextant.venues.port import SymbolTable
from support.listings import BTC, ETH

TABLE = SymbolTable([BTC, ETH])


def change(
    first: int, last: int, previous: int | None = None, instrument: object = BTC.instrument
) -> BookDelta:
    return BookDelta(instrument, last, last, last, first, previous, [(10.0, 1.0)], [])  # type: ignore[arg-type]  # an instrument


def whole(sequence: int) -> BookSnapshot:
    return BookSnapshot(BTC.instrument, 1, 1, sequence, 100, [(10.0, 1.0)], [(11.0, 1.0)])


def fed(books: HeldBooks, *changes: BookDelta) -> list[Event]:
    return [event for each in changes for event in books.take(b"", [each], 0)]


def numbers(events: list[Event]) -> list[int]:
    return [event.sequence for event in events]  # type: ignore[union-attr]  # all are of books


def test_changes_wait_for_the_beginning_and_those_within_it_are_dropped() -> None:
    books = HeldBooks(TABLE)
    assert fed(books, change(1, 3), change(4, 6), change(7, 9)) == []
    assert books.wants() == [BTC.instrument]
    assert books.wants() == []
    assert numbers(books.begin(whole(5))) == [5, 6, 9]
    assert numbers(fed(books, change(10, 12))) == [12]
    assert books.wants() == []


def test_a_beginning_before_any_change_is_told_at_once_and_the_first_change_may_reach_back() -> None:
    books = HeldBooks(TABLE)
    assert numbers(books.begin(whole(5))) == [5]
    assert numbers(fed(books, change(3, 8, previous=2), change(9, 9, previous=8))) == [8, 9]


def test_a_beginning_that_is_too_old_is_asked_for_again() -> None:
    books = HeldBooks(TABLE)
    fed(books, change(7, 9))
    books.wants()
    assert books.begin(whole(5)) == []
    assert books.wants() == [BTC.instrument]
    assert numbers(books.begin(whole(6))) == [6, 9]


def test_a_beginning_that_the_first_change_names_is_in_time_though_numbers_lie_between() -> None:
    books = HeldBooks(TABLE)
    fed(books, change(25, 40, previous=7), change(48, 50, previous=40))
    assert numbers(books.begin(whole(7))) == [7, 40, 50]


def test_a_venue_that_counts_anew_is_found_out_by_many_older_changes_in_a_row() -> None:
    books = HeldBooks(TABLE)
    books.begin(whole(1_000))
    older = [change(number, number) for number in range(10, 10 + MOST_OLDER)]
    assert numbers(fed(books, *older[:-1])) == list(
        range(10, 9 + MOST_OLDER)
    )  # the market drops what is repeated
    assert books.wants() == []
    assert fed(books, older[-1]) == []
    assert books.wants() == [BTC.instrument]
    assert numbers(books.begin(whole(8 + MOST_OLDER))) == [8 + MOST_OLDER, 9 + MOST_OLDER]
    assert numbers(fed(books, change(10 + MOST_OLDER, 10 + MOST_OLDER))) == [10 + MOST_OLDER]


def test_a_venue_that_counts_anew_while_changes_are_held_leaves_none_of_the_former() -> None:
    books = HeldBooks(TABLE)
    fed(books, change(900, 905), change(906, 910), change(3, 4), change(5, 8))
    assert numbers(books.begin(whole(4))) == [4, 8]


def test_older_changes_among_newer_ones_are_only_repeated() -> None:
    books = HeldBooks(TABLE)
    books.begin(whole(5))
    for number in range(6, 6 + 2 * MOST_OLDER):
        assert numbers(fed(books, change(number, number), change(number, number))) == [number, number]
    assert books.wants() == []


def test_an_old_beginning_of_a_known_book_is_no_news_and_a_later_one_is() -> None:
    books = HeldBooks(TABLE)
    books.begin(whole(5))
    assert books.begin(whole(5)) == []
    assert numbers(books.begin(whole(7))) == [7]
    assert numbers(fed(books, change(6, 6), change(8, 8))) == [6, 8]  # the market drops what is repeated


@pytest.mark.parametrize("late", [change(8, 8), change(8, 8, previous=7)])
def test_a_gap_is_passed_on_once_and_holds_what_follows(late: BookDelta) -> None:
    books = HeldBooks(TABLE)
    books.begin(whole(5))
    assert numbers(fed(books, change(6, 6, previous=5), late, change(9, 9, previous=8))) == [6, 8]
    assert books.wants() == [BTC.instrument]
    assert numbers(books.begin(whole(7))) == [7, 8, 9]


def test_a_stated_previous_number_is_believed_only_after_the_first_change() -> None:
    books = HeldBooks(TABLE)
    books.begin(whole(5))
    assert numbers(fed(books, change(4, 7, previous=3))) == [7]
    assert numbers(fed(books, change(7, 9, previous=6))) == [9]  # overlaps, but does not follow
    assert books.wants() == [BTC.instrument]


def test_a_repeated_change_changes_nothing() -> None:
    books = HeldBooks(TABLE)
    books.begin(whole(5))
    assert numbers(fed(books, change(6, 6), change(6, 6), change(7, 7))) == [6, 6, 7]
    assert books.wants() == []


def test_orders_between_ticks_are_left_out_where_a_beginning_shows_one() -> None:
    between = BTC.spec.tick / 4
    levels = [(10.0, 1.0), (10.0 - float(between), 2.0)]
    moved = BookDelta(BTC.instrument, 6, 6, 6, 6, None, levels, levels)
    books = HeldBooks(TABLE)
    assert books.begin(whole(5)) == [whole(5)]
    assert books.take(b"", [moved], 0) == [
        moved
    ]  # the market sees what it cannot hold, and gives the book up
    books.forget(BTC.instrument)
    books.begin(whole(5))
    (kept,) = fed(books, moved)
    assert isinstance(kept, BookDelta)
    assert (kept.bids, kept.asks, kept.sequence) == ([(10.0, 1.0)], [(10.0, 1.0)], 6)
    other = HeldBooks(TABLE)
    (begun,) = other.begin(BookSnapshot(BTC.instrument, 1, 1, 5, 100, levels, [(11.0, 1.0)]))
    assert isinstance(begun, BookSnapshot)
    assert begun.bids == [(10.0, 1.0)]
    (kept,) = fed(other, moved)
    assert isinstance(kept, BookDelta)
    assert kept.bids == [(10.0, 1.0)]


def test_books_do_not_touch_each_other_and_other_events_pass() -> None:
    books = HeldBooks(TABLE)
    books.begin(whole(5))
    trade = Trade(ETH.instrument, 1, 1, "1", 1.0, 1.0, 1)
    other = change(1, 1, instrument=ETH.instrument)
    assert books.take(b"", [trade, other, change(6, 6)], 0) == [trade, change(6, 6)]
    assert books.wants() == [ETH.instrument]
    books.forget(BTC.instrument)
    assert books.take(b"", [change(7, 7)], 0) == []


def test_what_is_held_is_bounded_and_then_needs_a_later_beginning() -> None:
    books = HeldBooks(TABLE)
    fed(books, *(change(number, number) for number in range(1, MOST_HELD + 11)))
    assert books.begin(whole(5)) == []
    assert len(books.begin(whole(10))) == 1 + MOST_HELD


def test_lost_books_count_and_come_back_only_whole() -> None:
    books = LostBooks()
    assert books.change(change(1, 1)) is None
    assert books.whole(whole(99)).sequence == 1
    first = books.change(change(50, 50))
    assert first is not None
    assert (first.sequence, first.first_sequence, first.previous_sequence) == (2, 2, None)
    assert books.lose(change(51, 51), "checksum").reason == "checksum"
    assert (books.stands(BTC.instrument), books.standing(), books.wants()) == (False, (), [BTC.instrument])
    assert books.change(change(52, 52)) is None
    assert books.whole(whole(100)).sequence == 3
    assert books.standing() == (BTC.instrument,)


@pytest.mark.parametrize(("sign", "best"), [(1, [b"c", b"b"]), (-1, [b"a", b"b"])])
def test_a_ladder_keeps_texts_in_order_of_price(sign: int, best: list[bytes]) -> None:
    ladder = Ladder(sign)  # type: ignore[arg-type]  # one of two
    for price, text in ((2.0, b"x"), (1.0, b"a"), (3.0, b"c"), (2.0, b"b"), (9.0, None)):
        ladder.put(price, text)
    assert (ladder.best(2), len(ladder)) == (best, 3)
    ladder.cut(2)
    assert (ladder.best(5), len(ladder)) == (best, 2)
    ladder.put(2.0, None)
    assert ladder.best(5) == best[:1]
    ladder.clear()
    assert ladder.best(5) == []


def bar(minute: int, close: float = 1.5) -> BarUpdate:
    stated = Bar(minute * MINUTE_NS, 1.0, 2.0, 1.0, close, 1.0)
    return BarUpdate(BTC.instrument, minute, minute, "1m", stated, final=False)


def test_a_bar_is_closed_by_the_first_of_a_later_interval_with_its_last_statement() -> None:
    bars = OpenBars()
    assert bars.close([bar(1)]) == [bar(1)]
    closed, forming = bars.close([bar(1, 1.75), bar(3)])[1:]
    assert isinstance(closed, BarUpdate)
    assert (closed.final, closed.bar.close, closed.event_ns) == (True, 1.75, 3)
    assert forming == bar(3)
    (late,) = bars.close([bar(2)])  # older than the forming one, so it will not change any more
    assert isinstance(late, BarUpdate)
    assert late.final
    final = BarUpdate(BTC.instrument, 4, 4, "1m", bar(4).bar, final=True)
    assert bars.close([final]) == [final]
