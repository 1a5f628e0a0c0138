"""The venues found in ``venues.library``."""

from __future__ import annotations

from sextant.errors import ConfigError, NotFound
from sextant.kit.plugins import collect
from sextant.venues.port import Venue


def venues() -> dict[str, Venue]:
    """The venues by name, in alphabetical order.

    Raises
    ------
    ConfigError
        If a module of the library is broken, or its venue is not named as the module.
    """
    found = collect("sextant.venues.library", "VENUE", Venue)
    for name, venue in found.items():
        if venue.name != name:
            raise ConfigError(f"The module venues.library.{name} defines the venue '{venue.name}'.")
    return found


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
