from __future__ import annotations

import dataclasses

import pytest

from sextant.errors import ConfigError, NotFound
from sextant.venues import catalog
from sextant.venues.library.bybit import VENUE
from sextant.venues.library.coingecko import PRICES


def test_every_venue_is_found_by_its_name() -> None:
    assert catalog.venues()["bybit"] is VENUE
    assert catalog.venue("bybit") is VENUE
    with pytest.raises(NotFound, match="bybit"):
        catalog.venue("mtgox")


def test_a_venue_named_unlike_its_module_stops_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sextant.venues.library.bybit.VENUE", dataclasses.replace(VENUE, name="bibyt"))
    with pytest.raises(ConfigError, match="bibyt"):
        catalog.venues()


def test_sources_of_prices_lie_in_the_same_library_and_are_no_venues() -> None:
    assert list(catalog.price_sources()) == ["coincap", "coincap2", "coingecko"]
    assert not set(catalog.price_sources()) & set(catalog.venues())


def test_a_source_named_unlike_its_module_stops_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    source = dataclasses.replace(PRICES, name="geckocoin")
    monkeypatch.setattr("sextant.venues.library.coingecko.PRICES", source)
    with pytest.raises(ConfigError, match="geckocoin"):
        catalog.price_sources()


def test_a_module_with_neither_constant_stops_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("sextant.venues.library.coingecko.PRICES")
    with pytest.raises(ConfigError, match="coingecko"):
        catalog.venues()
