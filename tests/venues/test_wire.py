from __future__ import annotations

import datetime
from decimal import Decimal

import msgspec
import pytest
from msgspec import UNSET

from sextant.errors import WireError
from sextant.venues.decoding import decode
from sextant.venues.wire import (
    Amount,
    Count,
    Milliseconds,
    Moment,
    Price,
    decimals,
    maybe,
    moment_ns,
    positive,
    step,
)


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
        (b'{"price":"1e-320"}', "price", "shape"),
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


def test_a_time_is_exact_to_the_microsecond_and_bounded() -> None:
    class Timed(msgspec.Struct):
        at: Moment

    at = decode(msgspec.json.Decoder(Timed), b'{"at":"2023-07-30T15:30:49.008834Z"}', "probe").at
    assert moment_ns(at, "probe", "at") == 1_690_731_049_008_834_000
    for text in (b'{"at":"2023-07-30T15:30:49.008834"}', b'{"at":"yesterday"}', b'{"at":5}'):
        with pytest.raises(WireError, match="at"):
            decode(msgspec.json.Decoder(Timed), text, "probe")
    for year in (1960, 9999):
        with pytest.raises(WireError, match="out of range"):
            moment_ns(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC), "probe", "at")


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity", "-1", "1e18", "1e-21", "1e-320"])
def test_a_step_that_is_no_number_of_a_market_is_refused(text: str) -> None:
    with pytest.raises(WireError) as raised:
        step(text, "probe", "tick")
    assert raised.value.facts["field"] == "tick"


def test_a_step_keeps_its_digits() -> None:
    assert (str(step("0.10", "probe", "tick")), decimals(step("0.10", "probe", "tick"))) == ("0.10", 2)
    assert decimals(Decimal("1E+1")) == 0
