from __future__ import annotations

from typing import Literal

import msgspec
import pytest

from sextant.errors import WireError
from sextant.venues.decoding import decode, refused_field


class Row(msgspec.Struct):
    price: float
    levels: list[tuple[float, float]] = []
    name: str = ""


DECODER = msgspec.json.Decoder(Row)


def test_a_message_of_the_documented_shape_is_decoded() -> None:
    assert decode(DECODER, b'{"price":1.5,"other":[]}', "Venue row") == Row(1.5)


@pytest.mark.parametrize(
    ("data", "reason", "field"),
    [
        (b'{"levels":[]}', "shape", "price"),
        (b'{"price":1,"levels":[[1,"x"]]}', "shape", "levels[0][1]"),
        (b'{"price":1', "shape", ""),
        (b'{"price":1,"name":"\xff"}', "encoding", ""),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "depth", ""),
    ],
)
def test_anything_else_is_a_wire_error_that_names_venue_and_field(
    data: bytes, reason: str, field: str
) -> None:
    with pytest.raises(WireError, match=r"^Venue row: ") as caught:
        decode(DECODER, data, "Venue row")
    assert (caught.value.reason, caught.value.facts["field"]) == (reason, field)


def test_a_long_value_is_quoted_by_its_ends() -> None:
    decoder = msgspec.json.Decoder(Literal["a"])
    with pytest.raises(WireError, match=r"^Venue row: .{300,320}\.$") as caught:
        decode(decoder, b'"' + b"x" * 5_000 + b'"', "Venue row")
    assert caught.value.facts["field"] == ""


def test_words_without_a_place_name_no_field() -> None:
    assert refused_field("JSON is malformed") == ""
