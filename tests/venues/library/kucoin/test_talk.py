from __future__ import annotations

import json

import pytest

from sextant.errors import Throttled, WireError
from sextant.venues.feed import at
from sextant.venues.library.kucoin import VENUE, talk
from sextant.venues.port import Control
from support.kucoin import BTC, TABLE, answer


def test_topics_and_commands_of_one_channel() -> None:
    streams = (*VENUE.capabilities.streams["spot"], "liquidations")
    found = talk.topics(BTC, streams)
    assert found == (
        "/market/level2:BTC-USDT",
        "/market/match:BTC-USDT",
        "/market/ticker:BTC-USDT",
        "/market/candles:BTC-USDT_1min",
        "/market/snapshot:BTC-USDT",
    )
    assert VENUE.limits.topic_characters / (min(map(len, found)) + 3) <= 300
    assert json.loads(
        talk.command("subscribe", ["/market/candles:A-B_1min", "/market/candles:C-D_1min"], "7")
    ) == {
        "id": "7",
        "type": "subscribe",
        "topic": "/market/candles:A-B_1min,C-D_1min",
        "privateChannel": False,
        "response": True,
    }


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"id": "7", "type": "ack"}, Control("acknowledged", "7")),
        ({"id": "0", "type": "pong"}, Control("pong", "0")),
        ({"id": "hQvf8jkno", "type": "welcome"}, Control("quiet", detail="welcome")),
        ({"id": "7", "type": "error", "code": 404, "data": "topic /x is not found"}, Control("refused", "7", '404 "topic /x is not found"')),
        ({"topic": "/market/level3:BTC-USDT"}, Control("unknown_topic", detail="/market/level3:BTC-USDT")),
        ({"topic": "/market/match:SOL-USDT"}, Control("unlisted", detail="/market/match:SOL-USDT")),
        ({"topic": "/market/match:BTC-USDT"}, Control("quiet", detail="/market/match:BTC-USDT")),
    ],
)  # fmt: skip
def test_answers_are_told_apart(message: object, expected: Control) -> None:
    assert talk.parse_control("spot", json.dumps(message).encode(), TABLE) == expected


@pytest.mark.parametrize("message", [{}, {"type": "what"}, [], 5])
def test_a_frame_that_is_nothing_known_is_a_wire_error(message: object) -> None:
    with pytest.raises(WireError):
        talk.parse_control("spot", json.dumps(message).encode(), TABLE)


def servers(*endpoints: str) -> bytes:
    rows = [{"endpoint": endpoint, "encrypt": True, "protocol": "websocket", "pingInterval": 18000, "pingTimeout": 10000} for endpoint in endpoints]  # fmt: skip
    return answer({"token": "2neA", "instanceServers": rows})


def test_the_address_of_a_socket_is_asked_for_and_must_be_the_venues() -> None:
    door = VENUE.variations.door
    assert door is not None
    assert (door.request.path, door.request.post) == ("/api/v1/bullet-public", True)
    found = door.parse(servers("wss://evil.example/", "wss://ws-api-spot.kucoin.com/"))
    assert found == "wss://ws-api-spot.kucoin.com/?token=2neA"
    for bad in (
        servers("ws://ws-api-spot.kucoin.com/"),
        servers("wss://kucoin.com.evil.example/"),
        servers(),
        answer({}),
    ):
        with pytest.raises(WireError):
            door.parse(bad)
    with pytest.raises(Throttled):
        door.parse(answer(None, "429000", "Too many requests"))


def test_a_venue_that_is_elsewhere_takes_only_servers_of_that_place() -> None:
    door = at(VENUE, "http://127.0.0.1:7/kucoin", "ws://127.0.0.1:7/kucoin").variations.door
    assert door is not None
    found = door.parse(servers("wss://ws-api-spot.kucoin.com/", "ws://127.0.0.1:7/kucoin/endpoint"))
    assert found == "ws://127.0.0.1:7/kucoin/endpoint?token=2neA"
    for bad in ("wss://ws-api-spot.kucoin.com/", "wss://127.0.0.1:7/", "ws://127.0.0.1.evil.example/"):
        with pytest.raises(WireError):
            door.parse(servers(bad))
