from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET

from sextant.errors import WireError
from sextant.venues.library.bybit.wire import Amount, Count, Milliseconds, Price, decode, maybe, positive


class _Probe(msgspec.Struct):
    price: Price
    size: Amount = 0.0
    at: Milliseconds = 1
    count: Count = 0
    name: str = ""


_PROBE = msgspec.json.Decoder(_Probe, strict=False)


def test_quoted_and_bare_numbers_are_the_same_number() -> None:
    assert decode(_PROBE, b'{"price":"1.5","count":"7"}', "probe") == _Probe(1.5, count=7)
    assert decode(_PROBE, b'{"price":1.5,"count":7}', "probe") == _Probe(1.5, count=7)
    assert decode(_PROBE, b'{"price":"1.' + b"0" * 60 + b'"}', "probe") == _Probe(1.0)


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        (b'{"price":"0"}', "price", "shape"),
        (b'{"price":"1e18"}', "price", "shape"),
        (b'{"price":true}', "price", "shape"),
        (b'{"price":"1","size":"-0.1"}', "size", "shape"),
        (b'{"price":"1","at":"9000000000000"}', "at", "shape"),
        (b'{"price":"1","at":1.5}', "at", "shape"),
        (b'{"price":"1","count":9223372036854775808}', "count", "shape"),
        (b"{}", "price", "shape"),
        (b'{"price":1,"name":"\xff"}', "", "encoding"),
        (b'{"x":' + b"[" * 100_000, "", "depth"),
    ],
)
def test_what_is_refused_is_named(text: bytes, field: str, reason: str) -> None:
    with pytest.raises(WireError) as raised:
        decode(_PROBE, text, "probe")
    assert (raised.value.facts["field"], raised.value.reason) == (field, reason)


def test_nothing_unchanged_and_nought_are_told_apart() -> None:
    assert (maybe(""), maybe(UNSET), maybe(0.0), maybe(2.0)) == (None, UNSET, 0.0, 2.0)
    assert (positive(""), positive(UNSET), positive(0.0), positive(2.0)) == (None, UNSET, None, 2.0)
