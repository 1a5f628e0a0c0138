"""One count for all frames of a connection: what is missing, what is repeated, and whose books it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.events import BarUpdate, BookCleared, BookDelta, BookSnapshot, Event, Listed
from sextant.venues.library.coinbase import VENUE
from sextant.venues.library.coinbase.keeper import CoinbaseKeeper
from support.coinbase import AT, BTC, ETH, STAMP_NS, TABLE, book, encoded, frame, level
from support.recordings import read_session

BID, ASK = level("bid", "100", "1"), level("offer", "101", "1")


def told(keeper: CoinbaseKeeper, message: object) -> list[Event]:
    data = encoded(message)
    return keeper.take(data, VENUE.parse_frame("spot", data, AT, TABLE), AT)


def begun() -> CoinbaseKeeper:
    keeper = CoinbaseKeeper("spot", TABLE)
    told(keeper, frame("l2_data", 0, book("snapshot", BID, ASK)))
    told(keeper, frame("l2_data", 1, book("snapshot", BID, ASK, symbol="ETH-USD")))
    return keeper


def test_books_are_numbered_each_by_itself() -> None:
    keeper = begun()
    assert told(keeper, frame("heartbeats", 2, {"heartbeat_counter": 1})) == []
    found = told(keeper, frame("l2_data", 3, book("update", BID), book("update", ASK, symbol="ETH-USD")))
    assert [(type(each), each.sequence) for each in found] == [(BookDelta, 2), (BookDelta, 2)]  # type: ignore[union-attr]
    assert keeper.wants() == []


@pytest.mark.parametrize("channel", ["heartbeats", "l2_data", "subscriptions"])
def test_a_missing_number_ends_every_book_whatever_frame_shows_it(channel: str) -> None:
    keeper = begun()
    events = [book("update", BID)] if channel == "l2_data" else []
    assert told(keeper, frame(channel, 3, *events)) == [
        BookCleared(BTC.instrument, STAMP_NS, AT, "gap"),
        BookCleared(ETH.instrument, STAMP_NS, AT, "gap"),
    ]
    assert keeper.wants() == [BTC.instrument, ETH.instrument]
    assert told(keeper, frame("l2_data", 4, book("update", BID))) == []
    (again,) = told(keeper, frame("l2_data", 5, book("snapshot", BID, ASK)))
    assert isinstance(again, BookSnapshot)
    assert again.sequence == 2


def test_of_a_repeated_or_older_frame_nothing_is_taken() -> None:
    keeper = begun()
    assert told(keeper, frame("l2_data", 1, book("update", BID))) == []
    assert told(keeper, frame("l2_data", 0, book("snapshot", BID, ASK))) == []
    assert [type(each) for each in told(keeper, frame("l2_data", 2, book("update", BID)))] == [BookDelta]
    assert keeper.wants() == []


def test_a_frame_without_number_is_no_gap() -> None:
    keeper = begun()
    assert told(keeper, {"type": "error", "message": "x"}) == []
    assert [type(each) for each in told(keeper, frame("l2_data", 2, book("update", BID)))] == [BookDelta]


def test_an_empty_book_and_a_forgotten_one_drop_their_changes() -> None:
    keeper = begun()
    assert [type(each) for each in told(keeper, frame("l2_data", 2, book("snapshot")))] == [BookCleared]
    assert told(keeper, frame("l2_data", 3, book("update", BID))) == []
    keeper.forget(ETH.instrument)
    assert told(keeper, frame("l2_data", 4, book("update", BID, symbol="ETH-USD"))) == []
    assert keeper.begin(BookSnapshot(BTC.instrument, 1, 1, 1, 1, [], [])) == []


def test_a_bar_is_final_when_the_next_begins() -> None:
    keeper = CoinbaseKeeper("spot", TABLE)

    def candles(number: int, start: int) -> dict[str, object]:
        row = {"start": str(start), "high": "4", "low": "1", "open": "2", "close": "3", "volume": "10", "product_id": "BTC-USD"}  # fmt: skip
        return frame("candles", number, {"type": "update", "candles": [row]})

    told(keeper, candles(0, 1786279500))
    closed, forming = told(keeper, candles(1, 1786279800))
    assert isinstance(closed, BarUpdate)
    assert isinstance(forming, BarUpdate)
    assert (closed.final, forming.final) == (True, False)


@pytest.mark.data
@pytest.mark.parametrize("lost", [None, 500])
def test_a_lost_frame_of_the_recording_makes_no_book_believed_until_it_comes_whole(
    data_dir: Path, lost: int | None
) -> None:
    recording = read_session(data_dir, VENUE)
    symbols = recording.symbols(VENUE)
    keeper = CoinbaseKeeper("spot", symbols)
    events: list[Event] = [
        Listed(listing.spec, 1, 1) for listing in symbols if listing.symbol in ("BTC-USD", "ETH-USD")
    ]
    for at, (category, data, receive_ns) in enumerate(recording.frames):
        if at != lost:
            events += keeper.take(data, VENUE.parse_frame(category, data, receive_ns, symbols), receive_ns)
    state = MarketState("replay", simulated=False)
    report = ingest(state, events)
    assert (report.gaps, report.crossed) == (0, 0)
    assert {state.book(spec.instrument).reason for spec in state.instruments} == (
        {""} if lost is None else {"gap"}
    )
    assert len(keeper.wants()) == (0 if lost is None else 2)
