"""Books that are begun anew before the price leaves what is known of them."""

from __future__ import annotations

from sextant.model.events import BookCleared, BookDelta, BookSnapshot, Event, Level
from sextant.venues.keeping import MOST_HELD
from sextant.venues.port import SymbolTable
from sextant.venues.renewing import RenewedBooks
from support.listings import BTC, ETH

S = 1_000_000_000
NOW = 1_790_000_000 * S
LATER = NOW + 31 * S


def whole(sequence: int, middle: float = 100.0, at_ns: int = NOW) -> BookSnapshot:
    """A hundred levels a side, a tenth apart: ten on each side, of which a quarter may be used up."""
    bids: list[Level] = [(middle - 0.1 * row, 1.0) for row in range(1, 101)]
    asks: list[Level] = [(middle + 0.1 * row, 1.0) for row in range(1, 101)]
    return BookSnapshot(BTC.instrument, at_ns, at_ns, sequence, 100, bids, asks)


def change(
    number: int, price: float, size: float = 1.0, *, bid: bool = True, at_ns: int = LATER
) -> BookDelta:
    bids, asks = ([(price, size)], []) if bid else ([], [(price, size)])
    return BookDelta(BTC.instrument, at_ns, at_ns, number, number, number - 1, bids, asks)


def fed(books: RenewedBooks, *changes: BookDelta) -> list[Event]:
    return [event for each in changes for event in books.take(b"", [each], each.receive_ns)]


def numbers(events: list[Event]) -> list[int]:
    return [event.sequence for event in events]  # type: ignore[union-attr]  # all are of books


def begun(*, ends: bool = False) -> RenewedBooks:
    books = RenewedBooks(SymbolTable([BTC, ETH]), ends=ends)
    books.begin(whole(5))
    return books


def test_a_price_that_went_a_quarter_of_what_is_known_asks_for_the_book_while_changes_pass() -> None:
    books = begun()
    assert numbers(fed(books, change(6, 102.4))) == [6]
    assert books.wants() == []
    assert numbers(fed(books, change(7, 102.6))) == [7]
    assert books.wants() == [BTC.instrument]
    assert numbers(fed(books, change(8, 102.7), change(9, 102.8))) == [8, 9]
    assert books.wants() == []  # it is asked for once
    assert numbers(books.begin(whole(8, 102.7, LATER))) == [8, 9]
    assert numbers(fed(books, change(10, 102.9, at_ns=LATER + 40 * S))) == [10]
    assert books.wants() == []  # it is measured from the new middle


def test_a_price_that_falls_is_seen_by_its_offers() -> None:
    books = begun()
    fed(books, change(6, 97.4, bid=False))
    assert books.wants() == [BTC.instrument]


def test_levels_that_go_and_prices_that_stay_ask_for_nothing() -> None:
    books = begun()
    fed(books, change(6, 105.0, 0.0), change(7, 90.0), change(8, 110.0, bid=False))
    assert books.wants() == []


def test_a_book_is_not_asked_for_twice_within_half_a_minute() -> None:
    books = begun()
    fed(books, change(6, 105.0, at_ns=NOW + 29 * S))
    assert books.wants() == []
    fed(books, change(7, 105.0, at_ns=NOW + 31 * S))
    assert books.wants() == [BTC.instrument]


def test_a_book_that_is_newer_than_all_changes_stands_alone() -> None:
    books = begun()
    fed(books, change(6, 103.0))
    assert numbers(books.begin(whole(9, 103.0, LATER))) == [9]
    assert numbers(fed(books, change(8, 103.0), change(10, 103.1))) == [
        8,
        10,
    ]  # the market drops what is repeated


def test_a_book_from_before_all_that_is_remembered_is_no_news() -> None:
    books = begun()
    fed(books, change(6, 100.0), change(7, 100.0), change(8, 103.0), change(9, 103.0))
    assert books.begin(whole(6, 100.0, LATER)) == []
    assert numbers(books.begin(whole(8, 103.0, LATER))) == [8, 9]


def test_a_gap_while_it_is_asked_for_holds_the_book_back_as_ever() -> None:
    books = begun()
    fed(books, change(6, 103.0))
    books.wants()
    assert numbers(fed(books, change(9, 103.0), change(10, 103.0))) == [9]
    assert books.wants() == [BTC.instrument]
    assert numbers(books.begin(whole(9, 103.0, LATER))) == [9, 10]


def test_an_answer_that_never_comes_is_not_waited_for_without_bound() -> None:
    books = begun()
    fed(books, *(change(number, 103.0) for number in range(6, 6 + MOST_HELD)))
    assert books.wants() == [BTC.instrument]
    assert numbers(books.begin(whole(MOST_HELD + 10, 103.0, LATER))) == [MOST_HELD + 10]


def test_a_book_without_a_side_is_followed_and_never_asked_for() -> None:
    books = RenewedBooks(SymbolTable([BTC]))
    empty = BookSnapshot(BTC.instrument, NOW, NOW, 5, 100, [(100.0, 1.0)], [])
    assert numbers(books.begin(empty)) == [5]
    fed(books, change(6, 500.0))
    assert books.wants() == []


def test_a_book_whose_price_has_left_all_that_is_known_is_not_believed_however_young_it_is() -> None:
    books = begun(ends=True)  # from 90 to 110
    young = NOW + S
    assert numbers(fed(books, change(6, 109.9, at_ns=young))) == [6]
    assert books.wants() == []
    ended = fed(books, change(7, 110.0, at_ns=young), change(8, 111.0, at_ns=young))
    assert ended == [BookCleared(BTC.instrument, young, young, "outrun")]
    assert books.wants() == [BTC.instrument]
    assert numbers(books.begin(whole(7, 111.0, young))) == [7, 8]
    assert numbers(fed(books, change(9, 111.5, at_ns=young))) == [9]


def test_an_offer_at_the_last_bid_that_is_known_ends_the_belief_in_a_book_too() -> None:
    books = begun(ends=True)
    assert [type(event) for event in fed(books, change(6, 90.0, bid=False, at_ns=NOW + S))] == [BookCleared]
    assert books.wants() == [BTC.instrument]


def test_a_beginning_that_the_price_has_left_meanwhile_is_not_believed() -> None:
    books = RenewedBooks(SymbolTable([BTC, ETH]), ends=True)
    fed(books, change(6, 100.0), change(7, 111.0), change(8, 111.1))
    books.wants()
    begun_with = books.begin(whole(5))
    assert [type(event) for event in begun_with] == [BookSnapshot, BookDelta, BookCleared]
    assert books.wants() == [BTC.instrument]
    assert numbers(books.begin(whole(7, 111.0, LATER))) == [7, 8]


def test_changes_of_before_a_beginning_do_not_end_it() -> None:
    books = begun(ends=True)
    assert numbers(fed(books, change(4, 120.0, at_ns=NOW + S))) == [4]
    assert books.wants() == []


def test_a_book_of_many_levels_goes_on_beyond_what_is_known() -> None:
    books = begun()
    assert numbers(fed(books, change(6, 111.0, at_ns=NOW + S))) == [6]
    assert books.wants() == []
