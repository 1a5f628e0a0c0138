"""Checksums over the text of the venue's own worked example and of the recording; what a broken one does."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from sextant.model.events import BarUpdate, BookCleared, BookDelta, BookSnapshot, Event
from sextant.venues.library.kraken import VENUE
from sextant.venues.library.kraken.keeper import KrakenKeeper, digits
from support.kraken import AT, BTC, ETH, TABLE, book, levels
from support.recordings import read_session


def told(keeper: KrakenKeeper, message: object) -> list[Event]:
    data = json.dumps(message).encode()
    return keeper.take(data, VENUE.parse_frame("spot", data, AT, TABLE), AT)


def checksum(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> int:
    """By the rule of the documentation, written down once more."""
    text = "".join(
        price.replace(".", "").lstrip("0") + size.replace(".", "").lstrip("0")
        for price, size in [*asks[:10], *bids[:10]]
    )
    return zlib.crc32(text.encode())


BIDS = [(f"{100 - at / 10:.1f}", "1.00000000") for at in range(12)]
ASKS = [(f"{100.1 + at / 10:.1f}", "1.00000000") for at in range(12)]


def whole(keeper: KrakenKeeper, symbol: str = "BTC/USD") -> Event:
    good = (
        checksum(BIDS, ASKS)
        if symbol == "BTC/USD"
        else checksum(
            [(f"{price}0", size) for price, size in BIDS], [(f"{price}0", size) for price, size in ASKS]
        )
    )
    (event,) = told(
        keeper, book("snapshot", levels(10, 100.0, -0.1), levels(10, 100.1, 0.1), symbol, checksum=good)
    )
    return event


@pytest.mark.parametrize(
    ("text", "places", "expected"),
    [
        (b"45285.2", 1, b"452852"),
        (b"0.00100000", 8, b"100000"),
        (b"1.54582015", 8, b"154582015"),
        (b"4.0", 8, b"400000000"),
        (b"29430", 1, b"294300"),
        (b"5e-8", 8, b"5"),
        (b"1E+3", 0, b"1000"),
        (b"100.0", 0, b"100"),
    ],
)
def test_digits_are_padded_to_their_places_without_point_and_leading_noughts(
    text: bytes, places: int, expected: bytes
) -> None:
    assert digits(text, places) == expected


def test_books_are_numbered_and_agree_with_their_checksums() -> None:
    keeper = KrakenKeeper("spot", TABLE)
    first = whole(keeper)
    assert isinstance(first, BookSnapshot)
    assert first.sequence == 1
    bids = [("100.0", "2.50000000"), *BIDS[1:]]
    (second,) = told(
        keeper, book("update", [{"price": 100.0, "qty": 2.5}], [], checksum=checksum(bids, ASKS))
    )
    assert isinstance(second, BookDelta)
    assert (second.sequence, second.first_sequence, second.previous_sequence) == (2, 2, None)
    assert keeper.wants() == []


def test_the_book_is_cut_back_to_its_depth() -> None:
    keeper = KrakenKeeper("spot", TABLE)
    whole(keeper)
    better = [("100.2", "1.00000000"), *ASKS[1:]]  # 100.1 goes away and 101.1 was never within the ten
    asks = [{"price": 100.1, "qty": 0}, {"price": 101.1, "qty": 1.0}]
    now = [*ASKS[1:10], ("101.1", "1.00000000")]
    assert better[0] == now[0]
    (event,) = told(keeper, book("update", [], asks, checksum=checksum(BIDS, now)))
    assert isinstance(event, BookDelta)
    bids = [
        {"price": 100.05, "qty": 1.0}
    ]  # the eleventh bid falls out, so that deleting a better one shows nine
    with_it = [("100.05", "1.00000000"), *BIDS[:9]]
    assert isinstance(told(keeper, book("update", bids, [], checksum=checksum(with_it, now)))[0], BookDelta)
    gone = [{"price": 100.05, "qty": 0}]
    assert isinstance(told(keeper, book("update", gone, [], checksum=checksum(BIDS[:9], now)))[0], BookDelta)


def test_a_wrong_checksum_clears_that_book_alone_until_it_comes_whole() -> None:
    keeper = KrakenKeeper("spot", TABLE)
    whole(keeper)
    whole(keeper, "ETH/USD")
    (lost,) = told(keeper, book("update", [{"price": 100.0, "qty": 2.0}], [], checksum=7))
    assert lost == BookCleared(BTC.instrument, AT, AT, "checksum")
    assert keeper.wants() == [BTC.instrument]
    assert keeper.wants() == []
    assert told(keeper, book("update", [{"price": 100.0, "qty": 3.0}], [], checksum=7)) == []
    good = checksum([("100.00", "4.00000000"), *((f"{price}0", size) for price, size in BIDS[1:])],
                    [(f"{price}0", size) for price, size in ASKS])  # fmt: skip
    (other,) = told(keeper, book("update", [{"price": 100.0, "qty": 4.0}], [], "ETH/USD", checksum=good))
    assert isinstance(other, BookDelta)
    assert other.instrument is ETH.instrument
    again = whole(keeper)
    assert isinstance(again, BookSnapshot)
    assert again.sequence == 2  # the change that broke the book took no number


def test_a_change_before_the_whole_book_is_dropped_and_an_empty_book_ends_it() -> None:
    keeper = KrakenKeeper("spot", TABLE)
    change = book("update", [{"price": 100.0, "qty": 2.0}], [], checksum=7)
    assert told(keeper, change) == []
    whole(keeper)
    assert [type(event) for event in told(keeper, book("snapshot", [], []))] == [BookCleared]
    assert told(keeper, change) == []
    whole(keeper)
    keeper.forget(BTC.instrument)
    assert told(keeper, change) == []


def test_one_symbol_twice_in_a_frame_is_two_messages() -> None:
    keeper = KrakenKeeper("spot", TABLE)
    message = book("snapshot", levels(10, 100.0, -0.1), levels(10, 100.1, 0.1), checksum=checksum(BIDS, ASKS))
    rows = message["data"]
    assert isinstance(rows, list)
    rows += [{**rows[0], "symbol": "SOL/USD"}, {**rows[0], "bids": [], "checksum": 1}]
    assert [type(event) for event in told(keeper, message)] == [BookSnapshot, BookCleared]


def test_a_bar_is_final_when_the_next_begins() -> None:
    keeper = KrakenKeeper("spot", TABLE)

    def minute(begin: str, close: float) -> dict[str, object]:
        bar = {
            "symbol": "BTC/USD", "open": 2.0, "high": 4.0, "low": 1.0, "close": close, "trades": 1, "volume": 1.0,
            "vwap": 2.0, "interval_begin": begin, "interval": 1, "timestamp": begin,
        }  # fmt: skip
        return {"channel": "ohlc", "type": "update", "timestamp": "2023-07-30T15:31:00.1Z", "data": [bar]}

    told(keeper, minute("2023-07-30T15:30:00Z", 2.0))
    told(keeper, minute("2023-07-30T15:30:00Z", 3.0))
    closed, forming = told(keeper, minute("2023-07-30T15:31:00Z", 4.0))
    assert isinstance(closed, BarUpdate)
    assert isinstance(forming, BarUpdate)
    assert (closed.final, closed.bar.close, forming.final, forming.bar.close) == (True, 3.0, False, 4.0)


@pytest.mark.data
def test_every_recorded_checksum_matches(data_dir: Path) -> None:
    recording = read_session(data_dir, VENUE)
    symbols = recording.symbols(VENUE)
    keeper = KrakenKeeper("spot", symbols)
    found = [
        event
        for category, frame, at in recording.frames
        for event in keeper.take(frame, VENUE.parse_frame(category, frame, at, symbols), at)
    ]
    assert [type(event) for event in found] == [BookSnapshot, *[BookDelta] * 509]
    assert keeper.wants() == []


@pytest.mark.data
@pytest.mark.parametrize("lost", [1, 100, 508])
def test_a_lost_message_is_noticed_by_the_checksum_of_the_next(data_dir: Path, lost: int) -> None:
    recording = read_session(data_dir, VENUE)
    symbols = recording.symbols(VENUE)
    keeper = KrakenKeeper("spot", symbols)
    found: list[Event] = []
    for at, (category, frame, receive_ns) in enumerate(recording.frames):
        if at != lost:
            found += keeper.take(frame, VENUE.parse_frame(category, frame, receive_ns, symbols), receive_ns)
    assert [type(event) for event in found[lost:]] == [BookCleared]
    assert keeper.wants() == [found[0].instrument]  # type: ignore[union-attr]  # a book
