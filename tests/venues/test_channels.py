from __future__ import annotations

import pytest

from sextant.venues.channels import LONGEST, channel_of


@pytest.mark.parametrize(
    ("data", "channel"),
    [
        (b'{"topic":"/market/level2:BTC-USDT","type":"message","data":{}}', "/market/level2 message"),
        (b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update"}', "books update"),
        (b'{"method":"subscription","params":{"channel":"book.BTC-PERPETUAL.none"}}', "book"),
        (b'{"table":"orderBookL2","action":"insert"}', "orderBookL2 insert"),
        (b'{"channel":"book","type":"update","data":[]}', "book update"),
        (b'{"feed":"book_snapshot","product_id":"PI_XBTUSD"}', "book_snapshot"),
        (b'{"event":"heartbeat"}', "heartbeat"),
        (b'{"success":true,"op":"subscribe"}', "subscribe"),
        (b'{"topic":"trade","type":7}', "trade"),
        (b"{}", "unnamed"),
        (b"[1]", "unnamed"),
        (b"[1,2,3]", "unnamed"),
        (b"<html>", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"3", "no JSON"),
    ],
)
def test_the_channel_is_named_in_the_venues_words(data: bytes, channel: str) -> None:
    assert channel_of(data) == channel


@pytest.mark.parametrize("start", [b'{"topic":', b'{"x":'])
def test_a_bottomless_message_is_told_and_does_no_harm(start: bytes) -> None:
    assert channel_of(start + b"[" * 100_000 + b"]" * 100_000 + b"}") == "nested too deep"


def test_a_name_has_a_bound() -> None:
    assert len(channel_of(b'{"channel":"' + b"x" * 500 + b'"}')) == LONGEST
