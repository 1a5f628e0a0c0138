"""Which instruments of one venue are followed: the largest by turnover in dollars, with hysteresis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sextant.model.events import DerivativesUpdate, Event
from sextant.model.instrument import STABLE_ASSETS, Instrument, matches
from sextant.model.selection import LEAVE_RANK, Border, Selection, border, select
from sextant.venues.port import Listing

DOLLAR: Final = "USD"


@dataclass(frozen=True)
class Terms:
    """Who may be followed.

    Parameters
    ----------
    most
        How many; at most 1.5 times as many stay, and never more than twice as many.
    floor_usd
        24 h turnover from which one may enter; one leaves below two thirds of it. 0 for none.
    include, exclude
        Bases, pairs or identities that are followed whatever their rank, or never; what is excluded is not included.

    Notes
    -----
    The numbers of looks and ranks are those of :mod:`sextant.model.selection`; a floor has the same width as a rank.
    """

    most: int
    floor_usd: float = 0.0
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """What one look changed: listings that came, and instruments that went."""

    entered: tuple[Listing, ...]
    left: tuple[Instrument, ...]


class Universe:
    """The followed instruments of one venue, decided anew at every look.

    Parameters
    ----------
    terms
        Who may be followed.

    Notes
    -----
    The first look takes the largest at once; later ones go by the border. One that is halted stays, but does not
    enter. Reads no clock: looks come as often as its owner makes them.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._selection = Selection()
        self._looked = False

    @property
    def chosen(self) -> tuple[Instrument, ...]:
        """The followed instruments, largest first."""
        return self._selection.chosen

    def excluded(self, instrument: Instrument) -> bool:
        """Whether it is never followed."""
        return any(matches(pattern, instrument) for pattern in self._terms.exclude)

    def included(self, instrument: Instrument) -> bool:
        """Whether it is followed whatever its rank."""
        return not self.excluded(instrument) and any(
            matches(pattern, instrument) for pattern in self._terms.include
        )

    def look(self, listings: Iterable[Listing], facts: Sequence[Event]) -> Change:
        """What changes by one more look.

        Parameters
        ----------
        listings
            Everything of the wanted kinds that the venue lists now; one that is missing has gone.
        facts
            The venue's latest facts of them; without a turnover one comes last.
        """
        by_name = {listing.instrument: listing for listing in listings}
        turnover = turnover_usd(facts)
        held = set(self._selection.chosen)
        standing = [
            name
            for name, listing in by_name.items()
            if not self.excluded(name)
            and (listing.spec.status == "trading" or (name in held and listing.spec.status == "halted"))
        ]
        ranked = ranked_by(standing, turnover)
        kept = {name for name in standing if self.included(name)}
        self._selection = select(
            self._selection, ranked, self._border([turnover.get(name, 0.0) for name in ranked]), kept
        )
        now = set(self._selection.chosen)
        return Change(
            tuple(by_name[name] for name in self._selection.chosen if name not in held),
            tuple(sorted(held - now)),
        )

    def _border(self, turnover: Sequence[float]) -> Border:
        """The border, as ranks: a floor cuts them where turnover falls below it."""
        around, floor = border(self._terms.most), self._terms.floor_usd
        enter = min(around.enter, sum(amount >= floor for amount in turnover))
        leave = min(around.leave, sum(amount >= floor / LEAVE_RANK for amount in turnover))
        looks = around.enter_looks if self._looked else 1
        self._looked = True
        return replace(around, enter=enter, leave=max(enter, leave), enter_looks=looks)


def turnover_usd(facts: Sequence[Event]) -> dict[Instrument, float]:
    """24 h turnover in US dollars of every instrument whose turnover, and whose quote's price, the facts tell."""
    rates = _dollars(facts)
    return {
        event.instrument: event.turnover_24h * rates[event.instrument.quote]
        for event in facts
        if isinstance(event, DerivativesUpdate)
        and isinstance(event.turnover_24h, float)
        and math.isfinite(event.turnover_24h)
        and event.instrument.quote in rates
    }


def ranked_by(names: Iterable[Instrument], turnover: Mapping[Instrument, float]) -> list[Instrument]:
    """The names, largest turnover first; unknown turnover comes last, names break ties."""
    return sorted(names, key=lambda name: (-turnover.get(name, -1.0), str(name)))


def _dollars(facts: Sequence[Event]) -> dict[str, float]:
    """Price of quote assets in dollars: 1 of those that promise it, else the last one at this venue."""
    rates = dict.fromkeys((*STABLE_ASSETS, DOLLAR), 1.0)
    prices = {
        event.instrument.base: event.last
        for event in facts
        if isinstance(event, DerivativesUpdate)
        and isinstance(event.last, float)
        and event.instrument.quote in rates
        and event.instrument.kind in ("spot", "perpetual")
    }
    return prices | rates
