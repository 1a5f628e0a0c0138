from __future__ import annotations

import json

import pytest

from sextant.errors import WireError
from sextant.venues.library.kraken import VENUE, talk
from sextant.venues.port import Control
from support.kraken import AT, BTC, TABLE, book


def control(message: object) -> Control:
    return talk.parse_control("spot", json.dumps(message).encode(), TABLE)


def test_topics_are_channel_and_symbol_without_duplicates() -> None:
    streams = VENUE.capabilities.streams["spot"]
    assert talk.topics(BTC, (*streams, "liquidations")) == (
        "book:BTC/USD",
        "trade:BTC/USD",
        "ticker:BTC/USD",
        "ohlc:BTC/USD",
    )


@pytest.mark.parametrize(
    ("topics", "params"),
    [
        (
            ["book:BTC/USD", "book:ETH/USD"],
            {"channel": "book", "symbol": ["BTC/USD", "ETH/USD"], "depth": 25},
        ),
        (["ticker:BTC/USD"], {"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "bbo"}),
        (["ohlc:BTC/USD"], {"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 1}),
        (["trade:BTC/USD"], {"channel": "trade", "symbol": ["BTC/USD"], "snapshot": True}),
    ],
)
def test_a_subscription_names_one_channel_and_its_parameters(topics: list[str], params: object) -> None:
    assert json.loads(talk.command("subscribe", topics, "7")) == {
        "method": "subscribe",
        "params": params,
        "req_id": 7,
    }


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"method": "subscribe", "result": {"channel": "book"}, "success": True, "req_id": 7}, Control("acknowledged", "7")),
        (
            {"method": "subscribe", "success": False, "error": "Currency pair not supported X/Y", "req_id": 7},
            Control("refused", "7", "currency pair not supported x/y"),
        ),
        ({"method": "subscribe", "success": False, "error": "Already subscribed"}, Control("refused", "", "already subscribed")),
        ({"method": "pong", "req_id": 42}, Control("pong", "42")),
        ({"channel": "heartbeat"}, Control("pong", detail="heartbeat")),
        ({"channel": "status", "type": "update", "data": [{"system": "online"}]}, Control("quiet", detail="status")),
        ({"channel": "level3", "data": []}, Control("unknown_topic", detail="level3")),
        ({"channel": "trade", "data": [{"symbol": "SOL/USD"}]}, Control("unlisted", detail="trade:SOL/USD")),
        ({"channel": "trade", "data": []}, Control("quiet", detail="trade")),
        ({"channel": "instrument", "data": {"assets": [], "pairs": []}}, Control("quiet", detail="instrument")),
    ],
)  # fmt: skip
def test_answers_are_told_apart(message: object, expected: Control) -> None:
    assert control(message) == expected


@pytest.mark.parametrize("message", [{}, {"method": "add_order"}, {"method": "subscribe"}, [], 5])
def test_a_frame_that_is_nothing_known_is_a_wire_error(message: object) -> None:
    with pytest.raises(WireError):
        control(message)


def test_a_listing_is_assumed_from_the_finest_digits_of_a_whole_book() -> None:
    levels = [{"price": 29430.2, "qty": 0.2997598}, {"price": 29430.0, "qty": 4.0}]
    data = json.dumps(book("snapshot", levels, [])).encode()
    listing = talk.assume("spot", data, AT)
    assert listing is not None
    assert (listing.symbol, str(listing.instrument)) == ("BTC/USD", "kraken:BTC-USD:spot")
    assert (str(listing.spec.tick), str(listing.spec.lot)) == ("0.1", "1E-7")
    for other in (
        book("snapshot", [], []),
        book("update", levels, [], "BTCUSD"),
        {"channel": "trade", "data": []},
    ):
        assert talk.assume("spot", json.dumps(other).encode(), AT) is None
