"""Shards part all instruments, the same way everywhere."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sextant.errors import InputError
from sextant.model.instrument import Instrument
from sextant.model.shard import Shard, parse_shard

NAMES = [
    Instrument("bybit", f"A{number}", "USDT", kind) for number in range(200) for kind in ("spot", "perpetual")
]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_instrument_lies_in_exactly_one_shard(count: int) -> None:
    shards = [Shard(number, count) for number in range(1, count + 1)]
    held = [sum(shard.holds(name) for shard in shards) for name in NAMES]
    assert held == [1] * len(NAMES)
    sizes = [sum(shard.holds(name) for name in NAMES) for shard in shards]
    assert min(sizes) > len(NAMES) / count / 2  # no shard is nearly empty


def test_a_shard_is_the_same_in_every_release() -> None:
    """By ``b2sum -l 64``: bybit:BTC-USDT:perpetual is ...9b0e, bybit:BTC-USDT:spot ...ee44."""
    assert Shard(0xE + 1, 16).holds(Instrument("bybit", "BTC", "USDT", "perpetual"))
    assert Shard(0x4 + 1, 16).holds(Instrument("bybit", "BTC", "USDT", "spot"))


def test_a_chain_lies_in_one_shard_whatever_expires_when() -> None:
    options = [
        Instrument("deribit", "BTC", "USD", "option", expiry, Decimal(strike), right)
        for expiry in (10**18, 2 * 10**18)
        for strike in (50_000, 60_000)
        for right in ("call", "put")
    ]
    homes = {number for number in range(1, 8) for option in options if Shard(number, 7).holds(option)}
    assert len(homes) == 1


def test_a_shard_is_read_as_it_is_written() -> None:
    assert parse_shard("2/3") == Shard(2, 3)
    assert str(Shard(2, 3)) == "2/3"


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/65", "-1/2", "a/b", "1/2/3", "1/" + "9" * 20])
def test_what_names_no_shard_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_shard(text)
