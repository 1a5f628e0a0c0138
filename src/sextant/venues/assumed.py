"""Listings for recordings that hold none: identity from a symbol, steps from the digits of a first message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sextant.errors import InputError
from sextant.model.instrument import Instrument, InstrumentSpec, Kind
from sextant.venues.port import Category, Listing
from sextant.venues.wire import decimals, step


@dataclass(frozen=True, slots=True)
class Shown:
    """What a message shows of its instrument: symbol, assets and kind, and prices and sizes as they are written."""

    symbol: str
    base: str
    quote: str
    kind: Kind
    prices: Sequence[str]
    sizes: Sequence[str]


def assumed_listing(venue: str, category: Category, shown: Shown, receive_ns: int) -> Listing | None:
    """The listing with the finest decimal steps that the message shows; None where it shows none or no instrument.

    Notes
    -----
    A step finer than the true one changes no book: prices are whole numbers of it, too. A coarser one does,
    so it should be read off many levels.

    Raises
    ------
    WireError
        If a price or size is no number.
    """
    if not shown.prices or not shown.sizes:
        return None
    try:
        instrument = Instrument(venue, shown.base, shown.quote, shown.kind)
    except InputError:
        return None
    spec = InstrumentSpec(
        instrument=instrument,
        tick=_finest(shown.prices, venue, "price"),
        lot=_finest(shown.sizes, venue, "size"),
        min_notional=None,
        contract_size=Decimal(1),
        status="trading",
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=receive_ns,
    )
    return Listing(category, shown.symbol, spec)


def _finest(texts: Sequence[str], venue: str, field: str) -> Decimal:
    places = max(decimals(step(text, venue, field)) for text in texts)
    return Decimal(1).scaleb(-places)
