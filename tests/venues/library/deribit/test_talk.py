from __future__ import annotations

import json

import pytest

from sextant.errors import WireError
from sextant.venues.library.deribit import VENUE, talk
from sextant.venues.port import Control
from support.deribit_listings import BY_NAME, TABLE


def control(text: str) -> Control:
    return talk.parse_control("btc", text.encode(), TABLE)


def test_of_an_option_only_quote_and_facts_are_asked_for() -> None:
    streams = VENUE.capabilities.streams["btc"]
    assert talk.topics(BY_NAME["BTC-28JUN26-60000-C"], streams) == ("ticker.BTC-28JUN26-60000-C.agg2",)
    assert talk.topics(BY_NAME["BTC-28JUN26-60000-C"], ("book", "trades")) == ()


def test_a_perpetual_has_book_trades_and_facts() -> None:
    assert talk.topics(BY_NAME["BTC-PERPETUAL"], VENUE.capabilities.streams["btc"]) == (
        "book.BTC-PERPETUAL.100ms",
        "trades.BTC-PERPETUAL.100ms",
        "ticker.BTC-PERPETUAL.100ms",
    )


def test_a_command_is_a_numbered_call() -> None:
    assert json.loads(talk.command("unsubscribe", ["book.X.100ms"], "7")) == {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "public/unsubscribe",
        "params": {"channels": ["book.X.100ms"]},
    }
    assert json.loads(talk.PING)["method"] == "public/test"


@pytest.mark.parametrize(
    ("text", "kind", "request_id"),
    [
        ('{"jsonrpc":"2.0","id":3,"result":["book.X.100ms"]}', "acknowledged", "3"),
        ('{"jsonrpc":"2.0","id":3,"result":[]}', "refused", "3"),
        ('{"jsonrpc":"2.0","id":3,"error":{"code":10028,"message":"too_many_requests"}}', "refused", "3"),
        ('{"jsonrpc":"2.0","id":0,"result":{"version":"1.2.26"}}', "pong", "0"),
        ('{"method":"subscription","params":{"channel":"x.y","data":{}}}', "unknown_topic", ""),
        ('{"method":"subscription","params":{"channel":"ticker.X.raw","data":{}}}', "unlisted", ""),
        ('{"method":"subscription","params":{"channel":"trades.BTC-PERPETUAL.raw","data":[]}}', "quiet", ""),
    ],
)
def test_what_a_frame_without_events_was(text: str, kind: str, request_id: str) -> None:
    found = control(text)
    assert (found.kind, found.request_id) == (kind, request_id)


@pytest.mark.parametrize("text", ["{}", '{"id":1,"result":"ok"}', "[]", '"x"'])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        control(text)
