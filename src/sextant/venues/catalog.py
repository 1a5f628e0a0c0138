"""The venues and the sources of reference prices found in ``venues.library``."""

from __future__ import annotations

from typing import Final, TypeVar

from sextant.errors import ConfigError, NotFound
from sextant.kit.plugins import collect
from sextant.venues.port import Venue
from sextant.venues.reference import PriceSource

_LIBRARY: Final = "sextant.venues.library"

T = TypeVar("T", Venue, PriceSource)


def _named(found: dict[str, T]) -> dict[str, T]:
    for name, each in found.items():
        if each.name != name:
            raise ConfigError(f"The module venues.library.{name} defines '{each.name}'.")
    return found


def venues() -> dict[str, Venue]:
    """The venues by name, in alphabetical order.

    Raises
    ------
    ConfigError
        If a module of the library is broken, or its venue is not named as the module.
    """
    return _named(collect(_LIBRARY, "VENUE", Venue, {"PRICES": PriceSource}))


def price_sources() -> dict[str, PriceSource]:
    """The sources of reference prices by name, in alphabetical order.

    Raises
    ------
    ConfigError
        If a module of the library is broken, or its source is not named as the module.
    """
    return _named(collect(_LIBRARY, "PRICES", PriceSource, {"VENUE": Venue}))


def venue(name: str) -> Venue:
    """The venue of a name.

    Raises
    ------
    NotFound
        If no module of the library defines it.
    """
    found = venues()
    if name not in found:
        raise NotFound(f"There is no venue '{name}'; known are {', '.join(found)}.", reason="venue")
    return found[name]
