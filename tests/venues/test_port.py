from __future__ import annotations

import dataclasses
from decimal import Decimal

import msgspec
import pytest

from sextant.venues.library.bybit import VENUE
from sextant.venues.port import Listing, SymbolTable
from support.listings import BTC, BTC_SPOT, ETH, listing


def test_a_symbol_names_one_instrument_per_category() -> None:
    table = SymbolTable([BTC, BTC_SPOT, ETH])
    assert table.instrument("linear", "BTCUSDT") is BTC.instrument
    assert table.instrument("spot", "BTCUSDT") is BTC_SPOT.instrument
    assert table.instrument("spot", "ETHUSDT") is None
    assert table.instrument("inverse", "BTCUSD") is None
    assert table.listing(ETH.instrument) is ETH
    assert [each.symbol for each in table] == ["BTCUSDT", "BTCUSDT", "ETHUSDT"]


def test_changed_rules_replace_the_listing_and_keep_the_very_instrument() -> None:
    table = SymbolTable([BTC])
    again = listing("BTCUSDT", "BTC")
    changed = Listing("linear", "BTCUSDT", msgspec.structs.replace(again.spec, tick=Decimal("0.5")))
    table.add(changed)
    assert table.instrument("linear", "BTCUSDT") is BTC.instrument
    known = table.listing(BTC.instrument)
    assert known is not None
    assert known.spec.tick == Decimal("0.5")
    assert len(table) == 1


def test_a_symbol_given_to_another_instrument_forgets_the_first() -> None:
    table = SymbolTable([listing("LUNAUSDT", "LUNA")])
    table.add(listing("LUNAUSDT", "LUNA2"))
    found = table.instrument("linear", "LUNAUSDT")
    assert found is not None
    assert found.base == "LUNA2"
    assert len(table) == 1


@pytest.mark.parametrize(
    ("url", "category"),
    [
        ("wss://stream.bybit.com/v5/public/linear", "linear"),
        ("ws://127.0.0.1:4711/v5/public/spot/", "spot"),
        ("wss://stream.bybit.com/v5/public/linear?x=1", "linear"),
        ("wss://stream.bybit.com/v5/private", None),
        ("nonsense", None),
    ],
)
def test_the_category_of_a_socket_is_read_from_its_path(url: str, category: str | None) -> None:
    assert VENUE.category_of(url) == category


def test_a_venue_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        VENUE.name = "other"  # type: ignore[misc]  # what is tested


def test_a_removed_listing_is_known_no_more_until_it_is_added_again() -> None:
    symbols = SymbolTable([BTC, ETH])
    routes = symbols.routes("linear")
    routes[b"topic"] = "way"
    symbols.remove(BTC.instrument)
    symbols.remove(BTC.instrument)
    assert symbols.instrument("linear", "BTCUSDT") is None
    assert symbols.listing(BTC.instrument) is None
    assert list(symbols) == [ETH]
    assert symbols.routes("linear") == {}
    symbols.add(BTC)
    assert symbols.instrument("linear", "BTCUSDT") == BTC.instrument
