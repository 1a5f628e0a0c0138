from __future__ import annotations

import msgspec
import pytest

from sextant.errors import WireError
from sextant.venues.dispatch import Dispatch, Reader


class _Frame(msgspec.Struct):
    channel: str
    x: int


def _told(frame: _Frame, known: object, receive_ns: int) -> list[object]:
    return [(frame.channel, frame.x, known, receive_ns)]


DISPATCH = Dispatch("Venue", {"a": Reader(msgspec.json.Decoder(_Frame), _told)})


@pytest.mark.parametrize(
    "data",
    [
        b'{"channel":"a","x":1}',
        b'{ "x" : 1, "channel" : "a" }',
        b'{"y":"\\"channel\\":\\"b\\"","channel":"a","x":1}',
    ],
)
def test_a_frame_goes_to_the_reader_of_its_channel_wherever_that_stands(data: bytes) -> None:
    assert DISPATCH.events(data, {}, 5) == [("a", 1, {}, 5)]


@pytest.mark.parametrize(
    "data",
    [
        b'{"channel":"b","x":1}',
        b'{"x":1}',
        b'{"q":{"channel":"a","x":1}}',
        b'{"q":{"channel":"a"},"channel":"b","x":1}',
    ],
)
def test_other_frames_have_no_reader(data: bytes) -> None:
    assert DISPATCH.events(data, {}, 5) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"channel":"a","x":"1"}', "^Venue a: "),
        (b'{"channel":5}', "^Venue frame: "),
        (b"\xff", "^Venue frame: "),
    ],
)
def test_what_is_not_as_documented_says_which_message(data: bytes, words: str) -> None:
    with pytest.raises(WireError, match=words):
        DISPATCH.events(data, {}, 5)
