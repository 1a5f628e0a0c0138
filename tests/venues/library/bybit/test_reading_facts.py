from __future__ import annotations

import pytest

from sextant.model.cells import Cells, address_of
from sextant.venues.library.bybit.reading_facts import NAMES, read_facts
from sextant.venues.library.bybit.scanning import ODD


def _read(text: str) -> tuple[int, Cells, Cells]:
    data, head, body = text.encode(), Cells(8), Cells(16)
    after = read_facts(address_of(data), 0, len(data), head.at, body.at)
    assert after in (ODD, len(data))
    return after, head, body


def test_fields_told_and_missing_are_bits() -> None:
    after, head, body = _read(
        '{"symbol":"X","bid1Price":"10.5","lastPrice":"0","fundingRate":"","nextFundingTime":"7"}'
    )
    assert after > 0
    told = [NAMES[place] for place in range(15) if head.ints[6] >> place & 1]
    missing = [NAMES[place] for place in range(15) if head.ints[7] >> place & 1]
    assert told == ["bid1Price", "lastPrice", "fundingRate", "nextFundingTime"]
    assert missing == ["lastPrice", "fundingRate"]
    assert (body.reals[0], body.ints[12], head.ints[4]) == (10.5, 7_000_000, 2)


@pytest.mark.parametrize(
    ("text", "interest"),
    [
        ('{"openInterest":"10"}', 5.0),
        ('{"singleOpenInterest":"4"}', 4.0),
        ('{"singleOpenInterest":"4","openInterest":"10"}', 4.0),
        ('{"openInterest":"10","singleOpenInterest":"4"}', 4.0),
    ],
)
def test_open_interest_is_one_side(text: str, interest: float) -> None:
    _, head, body = _read(text)
    assert (head.ints[6], head.ints[7], body.reals[13]) == (1 << 13, 0, interest)


@pytest.mark.parametrize(
    "text",
    [
        '{"symbol":"X"}',
        '{"fundingRate":"1.5"}',
        '{"price24hPcnt":"-2"}',
        '{"lastPrice":"-1"}',
        '{"lastPrice":10.5}',
        '{"lastPrice":"1","lastPrice":"2"}',
        '{"nextFundingTime":"9999999999999999"}',
        '{"nextFundingTime":"1.5"}',
    ],
)
def test_what_no_instrument_has_is_odd(text: str) -> None:
    assert _read(text)[0] == ODD
