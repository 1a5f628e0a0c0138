"""Hand-worked frames; the shapes are those of the venue's documentation and of its recorded messages."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from msgspec import UNSET

from sextant.errors import WireError
from sextant.model.bar import Bar
from sextant.model.events import (
    BarUpdate,
    BookCleared,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    QuoteUpdate,
    Trade,
)
from sextant.venues.library.coinbase import VENUE
from sextant.venues.library.coinbase.frames import WHOLE_BOOK, parse_frame
from support.coinbase import AT, BTC, ETH, STAMP, STAMP_NS, TABLE, book, encoded, frame, level
from support.recordings import read_session


def read(message: object) -> list[Event]:
    return parse_frame("spot", encoded(message), AT, TABLE)


def test_a_whole_book_is_of_all_levels_and_a_change_keeps_its_deletions() -> None:
    bid, ask = level("bid", "65083.66", "0.2"), level("offer", "65083.67", "0.3")
    gone = level("offer", "65083.68", "0")
    other = book("snapshot", bid, symbol="SOL-USD")
    assert read(frame("l2_data", 13, book("snapshot", bid, ask, gone), other)) == [
        BookSnapshot(BTC.instrument, STAMP_NS, AT, 13, WHOLE_BOOK, [(65083.66, 0.2)], [(65083.67, 0.3)])
    ]
    assert read(frame("l2_data", 14, book("update", gone, bid), book("update", ask, symbol="ETH-USD"))) == [
        BookDelta(BTC.instrument, STAMP_NS, AT, 14, 14, None, [(65083.66, 0.2)], [(65083.68, 0.0)]),
        BookDelta(ETH.instrument, STAMP_NS, AT, 14, 14, None, [], [(65083.67, 0.3)]),
    ]


def test_an_empty_book_is_no_book() -> None:
    assert read(frame("l2_data", 1, book("snapshot"))) == [
        BookCleared(BTC.instrument, STAMP_NS, AT, "empty_book")
    ]


def trade(number: int, side: str = "SELL", **more: object) -> dict[str, object]:
    return {
        "product_id": "BTC-USD",
        "trade_id": str(number),
        "price": "65083.67",
        "size": "0.002186",
        "time": STAMP,
        "side": side,
        **more,
    }


def test_trades_are_told_oldest_first_with_the_side_of_the_taker() -> None:
    rows = [trade(9, "BUY"), trade(8), trade(7, "UNKNOWN_ORDER_SIDE"), trade(6, product_id="SOL-USD")]
    assert read(frame("market_trades", 0, {"type": "snapshot", "trades": rows})) == [
        Trade(BTC.instrument, STAMP_NS, AT, "7", 65083.67, 0.002186, 0),
        Trade(BTC.instrument, STAMP_NS, AT, "8", 65083.67, 0.002186, 1),
        Trade(BTC.instrument, STAMP_NS, AT, "9", 65083.67, 0.002186, -1),
    ]


def ticker(**more: object) -> dict[str, object]:
    return {"type": "ticker", "product_id": "BTC-USD", "price": "65086.18", "volume_24_h": "2867.5", "low_24_h": "1", "high_24_h": "2", "low_52_w": "1", "high_52_w": "2", "price_percent_chg_24_h": "-2.5", **more}  # fmt: skip


def test_facts_hold_a_quote_where_it_is_stated() -> None:
    facts = DerivativesUpdate(
        BTC.instrument, STAMP_NS, AT, last=65086.18, volume_24h=2867.5, change_24h_frac=-0.025
    )
    best = {
        "best_bid": "65083.66",
        "best_ask": "65083.67",
        "best_bid_quantity": "0.5",
        "best_ask_quantity": "0.25",
    }
    assert read(frame("ticker", 6, {"type": "update", "tickers": [ticker(**best)]})) == [
        QuoteUpdate(BTC.instrument, STAMP_NS, AT, 65083.66, 0.5, 65083.67, 0.25),
        facts,
    ]
    assert read(frame("ticker_batch", 6, {"type": "update", "tickers": [ticker()]})) == [facts]
    (quoted, _) = read(frame("ticker", 6, {"tickers": [ticker(best_bid="0", best_bid_quantity="0")]}))
    assert quoted == QuoteUpdate(BTC.instrument, STAMP_NS, AT, None, None, UNSET, UNSET)


def candle(start: int, **more: object) -> dict[str, object]:
    return {"start": str(start), "high": "4", "low": "1", "open": "2", "close": "3", "volume": "10", "product_id": "BTC-USD", **more}  # fmt: skip


def test_bars_are_of_five_minutes_oldest_first_and_never_final() -> None:
    rows = [candle(1786279800), candle(1786279500)]
    older, newer = read(frame("candles", 3, {"type": "snapshot", "candles": rows}))
    bar = Bar(1_786_279_500 * 10**9, 2.0, 4.0, 1.0, 3.0, 10.0)
    assert older == BarUpdate(BTC.instrument, STAMP_NS, AT, "5m", bar, final=False)
    assert isinstance(newer, BarUpdate)
    assert newer.bar.open_ns == 1_786_279_800 * 10**9


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (frame("l2_data", 1, book("update", level("ask", "1", "1"))), "events[0].updates[0].side"),
        (frame("l2_data", 1, book("update", level("bid", "0", "1"))), "events[0].updates[0].price_level"),
        (frame("l2_data", 1, book("update", level("bid", "1", "-1"))), "events[0].updates[0].new_quantity"),
        (frame("l2_data", -1), "sequence_num"),
        (frame("market_trades", 1, {"trades": [trade(1, "HOLD")]}), "events[0].trades[0].side"),
        (frame("market_trades", 1, {"trades": [trade(1, time="now")]}), "events[0].trades[0].time"),
        (frame("ticker", 1, {"tickers": [ticker(price="x")]}), "events[0].tickers[0].price"),
        (frame("candles", 1, {"candles": [candle(1786279501)]}), "start"),
        (frame("candles", 1, {"candles": [candle(1786279500, high="1")]}), "candles"),
        ({"channel": "ticker"}, "timestamp"),
        ([], ""),
    ],
)
def test_what_is_not_as_documented_names_its_field(message: object, field: str) -> None:
    with pytest.raises(WireError) as raised:
        read(message)
    assert raised.value.facts["field"] == field


@pytest.mark.data
def test_the_stated_side_is_the_makers(data_dir: Path) -> None:
    """Of the recorded trades stated SELL nearly all were above the middle of the book of two dictionaries."""
    books: dict[str, dict[str, dict[float, float]]] = {}
    seen: Counter[tuple[int, bool]] = Counter()
    recording = read_session(data_dir, VENUE)
    symbols = recording.symbols(VENUE)
    for category, data, receive_ns in recording.frames:
        message = json.loads(data)
        for event in message["events"] if message["channel"] == "l2_data" else ():
            sides = books.setdefault(event["product_id"], {"bid": {}, "offer": {}})
            for update in event["updates"]:
                sides[update["side"]][float(update["price_level"])] = float(update["new_quantity"])
        if message["channel"] != "market_trades":
            continue
        for trade in VENUE.parse_frame(category, data, receive_ns, symbols):
            assert isinstance(trade, Trade)
            held = books.get(f"{trade.instrument.base}-USD")
            if held is not None:
                bid = max(price for price, size in held["bid"].items() if size)
                ask = min(price for price, size in held["offer"].items() if size)
                seen[trade.aggressor, trade.price > (bid + ask) / 2] += 1
    assert sum(seen.values()) == 78
    assert seen[1, True] + seen[-1, False] == 73
