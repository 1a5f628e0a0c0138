"""Hand-worked frames; the shapes are those of the venue's documentation and of its recorded messages."""

from __future__ import annotations

import json

import pytest

from sextant.errors import WireError
from sextant.model.bar import Bar
from sextant.model.events import BarUpdate, BookDelta, DerivativesUpdate, Event, QuoteUpdate, Trade
from sextant.venues.library.kucoin.frames import parse_frame
from support.kucoin import AT, BTC, MS, TABLE, book, candle, message


def read(frame: object) -> list[Event]:
    return parse_frame("spot", json.dumps(frame).encode(), AT, TABLE)


def test_a_change_folds_numbers_and_a_price_of_nought_moves_only_them() -> None:
    asks = [["0", "0", "11"], ["101", "0", "12"]]
    assert read(book(10, 12, [["100", "2.5", "10"]], asks)) == [
        BookDelta(BTC.instrument, AT, AT, 12, 10, None, [(100.0, 2.5)], [(101.0, 0.0)])
    ]
    (dated,) = read(book(13, 13, [], [["0", "0", "13"]], time=1663747970273))
    assert dated == BookDelta(BTC.instrument, 1663747970273 * MS, AT, 13, 13, None, [], [])


def test_of_a_price_named_twice_the_later_number_comes_last() -> None:
    (event,) = read(book(10, 12, [["100", "2", "12"], ["100", "1", "10"]], []))
    assert isinstance(event, BookDelta)
    assert event.bids == [(100.0, 1.0), (100.0, 2.0)]


def test_best_prices_and_the_last_one() -> None:
    data = {"sequence": "1", "price": "100.5", "size": "1", "bestAsk": "101", "bestAskSize": "2", "bestBid": "0", "bestBidSize": "0", "time": 1619378326323}  # fmt: skip
    at = 1619378326323 * MS
    assert read(message("/market/ticker:BTC-USDT", data)) == [
        QuoteUpdate(BTC.instrument, at, AT, None, None, 101.0, 2.0),
        DerivativesUpdate(BTC.instrument, at, AT, last=100.5),
    ]


def test_a_trade_has_the_takers_side_and_nanoseconds() -> None:
    data = {"symbol": "BTC-USDT", "sequence": "5", "side": "sell", "size": "81.8", "price": "0.0000001117", "time": "1619378327739050725", "type": "match", "tradeId": "6085c097"}  # fmt: skip
    assert read(message("/market/match:BTC-USDT", data)) == [
        Trade(BTC.instrument, 1619378327739050725, AT, "6085c097", 0.0000001117, 81.8, -1)
    ]


def test_a_bar_states_its_close_before_high_and_low_and_is_never_final() -> None:
    bar = Bar(1_619_378_280 * 10**9, 10.0, 12.0, 9.0, 11.0, 2.0, 21.0)
    assert read(candle(1619378280)) == [
        BarUpdate(BTC.instrument, 1619378328806000034, AT, "1m", bar, final=False)
    ]
    assert read(message("/market/candles:BTC-USDT_3min", {})) == []


def test_facts_of_a_day_may_be_unknown() -> None:
    inner = {"symbol": "BTC-USDT", "lastTradedPrice": 100.5, "vol": 3.5, "volValue": 350.0, "changeRate": -0.01, "datetime": 1714767640000}  # fmt: skip
    at = 1714767640000 * MS
    assert read(message("/market/snapshot:BTC-USDT", {"sequence": "1", "data": inner})) == [
        DerivativesUpdate(
            BTC.instrument, at, AT, last=100.5, volume_24h=3.5, turnover_24h=350.0, change_24h_frac=-0.01
        )
    ]
    unknown = {**inner, "lastTradedPrice": None, "changeRate": None}
    assert read(message("/market/snapshot:BTC-USDT", {"data": unknown})) == [
        DerivativesUpdate(
            BTC.instrument, at, AT, last=None, volume_24h=3.5, turnover_24h=350.0, change_24h_frac=None
        )
    ]


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        (book(12, 10, [], []), "sequenceStart"),
        (book(1, 1, [["-1", "1", "1"]], []), "data.changes.bids[0][0]"),
        (book(1, 1, [], [["1", "x", "1"]]), "data.changes.asks[0][1]"),
        (message("/market/level2:BTC-USDT", {}), "data.changes"),
        (message("/market/ticker:BTC-USDT", {"price": "x"}), "data.price"),
        (message("/market/match:BTC-USDT", {"side": "hold"}), "data.side"),
        (candle(1619378281), "candles"),
        (candle(1619378280, close="13"), "candles"),
        ({"topic": 5}, "topic"),
        ([], ""),
    ],
)
def test_what_is_not_as_documented_names_its_field(frame: object, field: str) -> None:
    with pytest.raises(WireError) as raised:
        read(frame)
    assert raised.value.facts["field"] == field
