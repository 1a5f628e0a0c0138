from __future__ import annotations

import random

import msgspec
import pytest

from sextant.model.cells import address_of, plain_digest
from sextant.venues.library.bybit import scanning
from sextant.venues.library.bybit.scanning import ODD


@pytest.mark.parametrize(
    "text", ["0", "7", "65114.30", "0.00000001", "12345678901234.5", "9007199254740992", "-0.0001", "-12"]
)
def test_a_number_is_the_float64_nearest_to_its_text(text: str) -> None:
    data = text.encode()
    assert scanning.decimal(address_of(data), 0, len(data)) == (float(text), len(data))


def test_any_short_number_is_read_as_by_the_ordinary_reader() -> None:
    chance = random.Random(5)  # noqa: S311  # seeded, not secret
    for _ in range(3_000):
        whole, part = (
            chance.randrange(10 ** chance.randrange(1, 9)),
            chance.randrange(10 ** chance.randrange(1, 8)),
        )
        data = f"{whole}.{part}".encode()
        value, at = scanning.decimal(address_of(data), 0, len(data))
        assert (value, at) == (msgspec.json.decode(data, type=float), len(data))


@pytest.mark.parametrize(
    "text", ["", ".5", "5.", "01", "-", "-0", "+1", "1234567890123456789", "9007199254740993", "nan"]
)
def test_what_is_no_plain_number_or_has_too_many_digits_is_odd(text: str) -> None:
    data = text.encode() or b" "
    assert scanning.decimal(address_of(data), 0, len(text))[1] == ODD


@pytest.mark.parametrize(
    ("text", "end"), [('"ab"', 4), ("-1.5,", 4), ("true}", 4), ("null", 4), ("false", 5)]
)
def test_the_end_of_a_value_that_nobody_reads_is_found(text: str, end: int) -> None:
    data = text.encode()
    assert scanning.value_end(address_of(data), 0, len(data)) == end


@pytest.mark.parametrize("text", ["tru", "nul", '"a\\"', '"a', '"\x01"', '"ä"', "{}", "[1]", "1e5."])
def test_other_values_are_odd_or_end_before_what_is_odd(text: str) -> None:
    data = text.encode()
    assert scanning.value_end(address_of(data), 0, len(data)) in (ODD, 1)


def test_a_key_is_told_by_its_digest() -> None:
    data = b'"topic":1'
    assert scanning.key_end(address_of(data), 0, len(data)) == (plain_digest(b"topic"), 8)
    assert scanning.key_end(address_of(data), 1, len(data))[1] == ODD
    assert scanning.key_end(address_of(data), 0, 8)[1] == ODD
