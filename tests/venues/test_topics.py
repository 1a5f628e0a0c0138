from __future__ import annotations

import msgspec
import pytest

from sextant.errors import WireError
from sextant.venues.port import SymbolTable
from sextant.venues.topics import Spelling, TopicReader, Topics
from support.listings import BTC, ETH


class _Head(msgspec.Struct):
    topic: str | None = None


class _Frame(msgspec.Struct):
    topic: str
    x: int


def _split(topic: str) -> tuple[str, str]:
    kind, _, symbol = topic.partition(":")
    return kind, symbol


READER = TopicReader(msgspec.json.Decoder(_Frame), lambda frame, *rest: [(frame.x, *rest)], "stated")
TOPICS = Topics(Spelling("Venue", b'"topic":"', msgspec.json.Decoder(_Head), _split), {"a": READER})


@pytest.mark.parametrize(
    "data",
    [
        b'{"topic":"a:BTCUSDT","x":1}',
        b'{"x":1, "topic" : "a:BTCUSDT"}',
        b'{"y":{"topic":"a:ETHUSDT"},"topic":"a:BTCUSDT","x":1}',
    ],
)
def test_a_frame_goes_to_the_reader_of_its_topic_the_first_time_and_later(data: bytes) -> None:
    symbols = SymbolTable([BTC, ETH])
    TOPICS.events("linear", b'{"topic":"a:ETHUSDT","x":1}', 1, symbols)
    for _ in range(2):
        assert TOPICS.events("linear", data, 5, symbols) == [(1, BTC.instrument, 5, "stated")]


@pytest.mark.parametrize(
    "data", [b'{"topic":"b:BTCUSDT","x":1}', b'{"topic":"a:SOLUSDT","x":1}', b'{"x":1}', b'{"topic":null}']
)
def test_frames_without_topic_reader_or_listing_give_nothing(data: bytes) -> None:
    assert TOPICS.events("linear", data, 5, SymbolTable([BTC])) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"topic":"a:BTCUSDT","x":"1"}', "^Venue a:BTCUSDT: "),
        (b'{"topic":5}', "^Venue frame: "),
        (b"[", "^Venue frame: "),
    ],
)
def test_what_is_not_as_documented_says_which_message(data: bytes, words: str) -> None:
    symbols = SymbolTable([BTC])
    for _ in range(2):
        with pytest.raises(WireError, match=words):
            TOPICS.events("linear", data, 5, symbols)
        TOPICS.events("linear", b'{"topic":"a:BTCUSDT","x":1}', 5, symbols)


def test_the_kind_of_a_topic_is_known_without_a_frame() -> None:
    assert TOPICS.kind_of("a:X") == (READER, "X")
    assert TOPICS.kind_of("b:X") == (None, "X")
