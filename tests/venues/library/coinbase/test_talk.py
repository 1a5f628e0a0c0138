from __future__ import annotations

import json

import pytest

from sextant.errors import WireError
from sextant.venues.library.coinbase import VENUE, talk
from sextant.venues.port import Control
from support.coinbase import BTC, TABLE, book, encoded, frame


def control(message: object) -> Control:
    return talk.parse_control("spot", encoded(message), TABLE)


def test_topics_are_channel_and_symbol_and_a_message_names_one_channel() -> None:
    streams = (*VENUE.capabilities.streams["spot"], "liquidations")
    assert talk.topics(BTC, streams) == (
        "level2:BTC-USD",
        "market_trades:BTC-USD",
        "ticker:BTC-USD",
        "candles:BTC-USD",
    )
    assert json.loads(talk.command("subscribe", ["level2:BTC-USD", "level2:ETH-USD"], "7")) == {
        "type": "subscribe",
        "product_ids": ["BTC-USD", "ETH-USD"],
        "channel": "level2",
    }
    assert json.loads(VENUE.ping.text) == {"type": "subscribe", "channel": "heartbeats"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (frame("subscriptions", 2, {"subscriptions": {"level2": ["BTC-USD"]}}), Control("acknowledged", detail="subscriptions")),
        (frame("heartbeats", 3, {"heartbeat_counter": 1}), Control("pong", detail="heartbeats")),
        (frame("status", 3), Control("unknown_topic", detail="status")),
        (frame("l2_data", 3, book("update", symbol="SOL-USD")), Control("unlisted", detail="l2_data:SOL-USD")),
        (frame("ticker", 3, {"tickers": [{"product_id": "SOL-USD"}]}), Control("unlisted", detail="ticker:SOL-USD")),
        (frame("market_trades", 3, {"trades": []}), Control("quiet", detail="market_trades")),
        ({"type": "error", "message": "Failure to subscribe"}, Control("refused", detail="failure to subscribe")),
    ],
)  # fmt: skip
def test_answers_are_told_apart(message: object, expected: Control) -> None:
    assert control(message) == expected


@pytest.mark.parametrize("message", [{}, {"type": "what"}, [], 5, {"channel": "ticker", "events": 5}])
def test_a_frame_that_is_nothing_known_is_a_wire_error(message: object) -> None:
    with pytest.raises(WireError):
        control(message)
