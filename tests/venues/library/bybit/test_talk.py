from __future__ import annotations

import json

import pytest

from sextant.errors import WireError
from sextant.model.events import Stream
from sextant.venues.library.bybit.frames import parse_frame
from sextant.venues.library.bybit.talk import command, parse_control, topics
from sextant.venues.port import Control, SymbolTable
from support.listings import BTC, BTC_SPOT, ETH

AT = 1_786_310_819_700_000_000
TABLE = SymbolTable([BTC, BTC_SPOT, ETH])


def test_answers_unknown_topics_and_unlisted_symbols_give_no_events() -> None:
    said = {
        '{"success":true,"ret_msg":"","conn_id":"d8","req_id":"3","op":"subscribe"}': Control(
            "acknowledged", "3"
        ),
        '{"success":true,"ret_msg":"pong","conn_id":"0970","req_id":"","op":"ping"}': Control("pong"),
        '{"req_id":"1","op":"pong","args":["1675418560633"],"conn_id":"c"}': Control("pong", "1"),
        '{"success":false,"ret_msg":"error:handler not found,topic:x","conn_id":"d","req_id":"4","op":"subscribe"}': Control(
            "refused", "4", "error:handler not found,topic:x"
        ),
        '{"topic":"priceLimit.BTCUSDT","data":{},"ts":1}': Control(
            "unknown_topic", detail="priceLimit.BTCUSDT"
        ),
        '{"topic":"kline.15.BTCUSDT","data":{},"ts":1}': Control("unknown_topic", detail="kline.15.BTCUSDT"),
        '{"topic":"tickers.SOLUSDT","data":{},"ts":1}': Control("unlisted", detail="tickers.SOLUSDT"),
    }
    for text, control in said.items():
        assert parse_frame("linear", text.encode(), AT, TABLE) == []
        assert parse_control("linear", text.encode(), TABLE) == control
    with pytest.raises(WireError):
        parse_control("linear", b'{"op":"order.create"}', TABLE)


def test_topics_follow_what_each_category_offers() -> None:
    every: tuple[Stream, ...] = ("book", "trades", "quote", "bars", "derivatives", "liquidations")
    assert topics(BTC, every) == (
        "orderbook.50.BTCUSDT",
        "publicTrade.BTCUSDT",
        "tickers.BTCUSDT",
        "kline.1.BTCUSDT",
        "allLiquidation.BTCUSDT",
    )
    assert topics(BTC_SPOT, every) == (
        "orderbook.50.BTCUSDT",
        "publicTrade.BTCUSDT",
        "orderbook.1.BTCUSDT",
        "kline.1.BTCUSDT",
        "tickers.BTCUSDT",
    )


def test_the_subscribe_message_is_the_documented_one() -> None:
    assert json.loads(command("subscribe", ("orderbook.50.BTCUSDT",), "1")) == {
        "req_id": "1",
        "op": "subscribe",
        "args": ["orderbook.50.BTCUSDT"],
    }
