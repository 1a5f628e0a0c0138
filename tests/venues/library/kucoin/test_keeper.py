from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.events import BarUpdate, BookDelta, BookSnapshot, Event
from sextant.venues.library.kucoin import VENUE
from sextant.venues.library.kucoin.keeper import KucoinKeeper
from sextant.venues.recordings import read_recording
from sextant.venues.replay import replay_events
from support.kucoin import AT, BTC, TABLE, book, candle
from support.recordings import read_session

RECORDING = "cryptofeed/v3/KUCOIN.jsonl.zst"


def told(keeper: KucoinKeeper, frame: object) -> list[Event]:
    data = json.dumps(frame).encode()
    return keeper.take(data, VENUE.parse_frame("spot", data, AT, TABLE), AT)


def test_changes_wait_for_their_beginning_and_bars_close() -> None:
    keeper = KucoinKeeper("spot", TABLE)
    assert told(keeper, book(10, 12, [["100", "1", "10"]], [])) == []
    assert keeper.wants() == [BTC.instrument]
    begun = keeper.begin(BookSnapshot(BTC.instrument, AT, AT, 11, 100, [(99.0, 1.0)], [(101.0, 1.0)]))
    assert [type(event) for event in begun] == [BookSnapshot, BookDelta]
    told(keeper, candle(1619378280))
    closed, forming = told(keeper, candle(1619378340))
    assert isinstance(closed, BarUpdate)
    assert isinstance(forming, BarUpdate)
    assert (closed.final, forming.final) == (True, False)


class Plain:
    """Books of the raw answers and frames, kept by nothing but two dictionaries each."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, dict[float, float]]] = {}
        self.numbers: dict[str, int] = {}
        self._waiting: dict[str, list[dict[str, Any]]] = {}

    def begin(self, symbol: str, data: dict[str, Any]) -> None:
        self.books[symbol] = {
            side: {float(price): float(size) for price, size in data[side]} for side in ("asks", "bids")
        }
        self.numbers[symbol] = int(data["sequence"])
        for held in self._waiting.pop(symbol, []):
            self.change(symbol, held)

    def change(self, symbol: str, data: dict[str, Any]) -> None:
        if symbol not in self.books:
            self._waiting.setdefault(symbol, []).append(data)
        elif data["sequenceEnd"] > self.numbers[symbol]:
            assert data["sequenceStart"] <= self.numbers[symbol] + 1
            for side in ("asks", "bids"):
                for price, size, _ in sorted(data["changes"][side], key=lambda row: int(row[2])):
                    self.books[symbol][side][float(price)] = float(size)
            self.numbers[symbol] = data["sequenceEnd"]

    def best(self, symbol: str, side: str, sign: int) -> list[tuple[float, float]]:
        standing = [(price, size) for price, size in self.books[symbol][side].items() if size and price]
        return sorted(standing, key=lambda level: sign * level[0])[:20]


@pytest.mark.data
def test_recorded_books_equal_those_of_plain_dictionaries(data_dir: Path) -> None:
    plain = Plain()
    for frame in read_recording(data_dir / RECORDING):
        message = json.loads(frame.data) if frame.data else {}
        if frame.kind == "http" and "orderbook" in frame.address:
            plain.begin(frame.address.partition("symbol=")[2], message["data"])
        elif frame.kind == "received" and message.get("subject") == "trade.l2update":
            plain.change(message["data"]["symbol"], message["data"])
    state = MarketState("replay", simulated=False)
    report = ingest(state, replay_events([data_dir / RECORDING]).events)
    assert (report.gaps, report.crossed, len(plain.books)) == (0, 0, 9)
    symbols = read_session(data_dir, VENUE).symbols(VENUE)
    for spec in state.instruments:
        listing = symbols.listing(spec.instrument)
        assert listing is not None
        book = state.book(spec.instrument, 20)
        assert book.valid
        assert book.sequence == plain.numbers[listing.symbol]
        for side, shown, sign in (("bids", book.bids, -1), ("asks", book.asks, 1)):
            expected = plain.best(listing.symbol, side, sign)
            assert [size for _, size in shown] == [size for _, size in expected]
            assert [price for price, _ in shown] == pytest.approx([price for price, _ in expected], rel=1e-12)
