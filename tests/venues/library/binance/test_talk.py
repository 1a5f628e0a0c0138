from __future__ import annotations

import json

import pytest

from sextant.errors import WireError
from sextant.venues.library.binance import VENUE, talk
from sextant.venues.port import Control
from support.binance import AT, DATED, PERP, SPOT, TABLE


def control(message: object) -> Control:
    return talk.parse_control("usdm", json.dumps(message).encode(), TABLE)


def test_topics_are_streams_in_lower_case_without_duplicates() -> None:
    every = VENUE.capabilities.streams["usdm"]
    assert talk.topics(SPOT, every) == (
        "btcusdt@depth@100ms",
        "btcusdt@aggTrade",
        "btcusdt@bookTicker",
        "btcusdt@kline_1m",
        "btcusdt@ticker",
    )
    assert talk.topics(DATED, ("derivatives", "liquidations")) == (
        "btcusdt_240927@markPrice@1s",
        "btcusdt_240927@ticker",
        "btcusdt_240927@forceOrder",
    )
    shortest = min(len(topic) for listing in TABLE for topic in talk.topics(listing, every))
    assert shortest >= 13
    assert VENUE.limits.topic_characters / (13 + 3) <= 1024


def test_commands_are_numbered() -> None:
    assert json.loads(talk.command("subscribe", ["btcusdt@trade"], "7")) == {
        "method": "SUBSCRIBE",
        "params": ["btcusdt@trade"],
        "id": 7,
    }
    assert json.loads(talk.command("unsubscribe", ["a"], "8"))["method"] == "UNSUBSCRIBE"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"result": None, "id": 7}, Control("acknowledged", "7")),
        ({"result": True, "id": 0}, Control("pong", "0")),
        (
            {"error": {"code": 2, "msg": "Invalid request"}, "id": 7},
            Control("refused", "7", "invalid request"),
        ),
        ({"error": {"code": 3, "msg": "Invalid JSON"}, "id": None}, Control("refused", "", "invalid json")),
        ({"e": "serverShutdown", "E": 1}, Control("unknown_topic", detail="serverShutdown")),
        ({"stream": "btcusdt@miniTicker", "data": {}}, Control("unknown_topic", detail="btcusdt@miniTicker")),
        ({"stream": "solusdt@trade", "data": {}}, Control("unlisted", detail="solusdt@trade")),
        ({"stream": "btcusdt@trade", "data": {}}, Control("quiet", detail="btcusdt@trade")),
    ],
)
def test_answers_are_told_apart(message: object, expected: Control) -> None:
    assert control(message) == expected


@pytest.mark.parametrize("message", [{}, {"id": None}, [], 5, {"result": None}])
def test_a_frame_that_is_nothing_known_is_a_wire_error(message: object) -> None:
    with pytest.raises(WireError):
        control(message)


@pytest.mark.parametrize(
    ("stream", "data", "expected"),
    [
        ("btcusdt@depth@0ms", {"b": [["1.50", "0.014"]], "a": [["2.00", "1"]]}, ("binance:BTC-USDT:perpetual", "0.01", "0.001")),
        ("ethfdusd@bookTicker", {"b": "1.5", "B": "2", "a": "3", "A": "1"}, ("binance:ETH-FDUSD:perpetual", "0.1", "1")),
        ("ethbtc@bookTicker", {"b": "0.05", "B": "0.01", "a": "3", "A": "1"}, ("binance:ETH-BTC:perpetual", "0.01", "0.01")),
        ("btcusdt@trade", {"p": "1"}, None),
        ("btcusd_perp@depth", {"b": [["1.5", "1"]], "a": []}, None),
        ("btcusdt@depth", {"b": [], "a": []}, None),
    ],
)  # fmt: skip
def test_a_listing_is_assumed_from_symbol_and_digits(
    stream: str, data: object, expected: tuple[str, ...] | None
) -> None:
    found = talk.assume("usdm", json.dumps({"stream": stream, "data": data}).encode(), AT)
    told = None if found is None else (str(found.instrument), str(found.spec.tick), str(found.spec.lot))
    assert told == expected


def test_the_market_of_a_connection_is_known_by_its_address() -> None:
    assert VENUE.category_of("wss://stream.binance.com:9443/stream?streams=btcusdt@trade") == "spot"
    for path in ("/public/stream", "/market/stream", "/stream?streams=x"):
        assert VENUE.category_of(f"wss://fstream.binance.com{path}") == "usdm"
    assert VENUE.category_of("wss://fstream.binance.com/ws") is None
    assert not VENUE.owns("wss://dstream.binance.com/stream")
    assert VENUE.rest_of("/fapi/v1/depth") == "https://fapi.binance.com"
    assert VENUE.rest_of("/api/v3/depth") == "https://api.binance.com"
    assert PERP.category in VENUE.variations.side_sockets
