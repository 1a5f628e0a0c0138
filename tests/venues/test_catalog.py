from __future__ import annotations

import dataclasses

import pytest

from sextant.errors import ConfigError, NotFound
from sextant.venues import catalog
from sextant.venues.library.bybit import VENUE


def test_every_venue_is_found_by_its_name() -> None:
    assert catalog.venues()["bybit"] is VENUE
    assert catalog.venue("bybit") is VENUE
    with pytest.raises(NotFound, match="bybit"):
        catalog.venue("mtgox")


def test_a_venue_named_unlike_its_module_stops_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sextant.venues.library.bybit.VENUE", dataclasses.replace(VENUE, name="bibyt"))
    with pytest.raises(ConfigError, match="bibyt"):
        catalog.venues()
