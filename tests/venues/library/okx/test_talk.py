from __future__ import annotations

import json

import pytest

from sextant.errors import WireError
from sextant.venues.library.okx import VENUE, talk
from sextant.venues.port import Control
from support.okx import DATED, SPOT, SWAP, TABLE


def test_topics_are_those_of_the_kind_of_instrument() -> None:
    streams = VENUE.capabilities.streams["public"]
    common = ["books", "trades", "tickers", "candle1m"]
    more = {
        SWAP: ["funding-rate", "mark-price", "open-interest"],
        DATED: ["mark-price", "open-interest"],
        SPOT: [],
    }
    for listing, others in more.items():
        assert list(talk.topics(listing, streams)) == [
            f"{channel}:{listing.symbol}" for channel in common + others
        ]


def test_commands_are_numbered() -> None:
    assert json.loads(talk.command("subscribe", ["books:BTC-USDT", "trades:BTC-USDT-SWAP"], "7")) == {
        "id": "7",
        "op": "subscribe",
        "args": [
            {"channel": "books", "instId": "BTC-USDT"},
            {"channel": "trades", "instId": "BTC-USDT-SWAP"},
        ],
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"pong", Control("pong")),
        (b'{"id":"7","event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"a"}', Control("acknowledged", "7")),
        (b'{"id":"7","event":"unsubscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}', Control("acknowledged", "7")),
        (b'{"id":"7","event":"error","code":"60018","msg":"Wrong URL","connId":"a"}', Control("refused", "7", "60018 wrong url")),
        (b'{"event":"notice","code":"64008","msg":"upgrade"}', Control("quiet", detail="notice")),
        (b'{"arg":{"channel":"status"},"data":[]}', Control("unknown_topic", detail="status:")),
        (b'{"arg":{"channel":"trades","instId":"SOL-USDT"},"data":[]}', Control("unlisted", detail="trades:SOL-USDT")),
        (b'{"arg":{"channel":"books","instId":"BTC-USDT"},"data":[]}', Control("quiet", detail="books:BTC-USDT")),
    ],
)  # fmt: skip
def test_answers_are_told_apart(data: bytes, expected: Control) -> None:
    assert talk.parse_control("public", data, TABLE) == expected


@pytest.mark.parametrize("data", [b"{}", b"[]", b"ping", b"5", b'{"event":5}'])
def test_a_frame_that_is_nothing_known_is_a_wire_error(data: bytes) -> None:
    with pytest.raises(WireError):
        talk.parse_control("public", data, TABLE)


def test_both_sockets_are_of_one_category() -> None:
    for path in ("public", "business"):
        assert VENUE.category_of(f"wss://ws.okx.com:8443/ws/v5/{path}") == "public"
    assert VENUE.category_of("wss://ws.okx.com:8443/ws/v5/private") is None
