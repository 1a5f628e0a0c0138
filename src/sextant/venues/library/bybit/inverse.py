"""Inverse contracts of Bybit: one contract is one dollar, margin and profit are in the base coin.

The same topics and fields as linear ones, in other units: sizes of books, trades and liquidations, ``volume`` and
``openInterest`` count dollars; ``turnover`` and ``openInterestValue`` count base coins.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import UnsetType
from msgspec.structs import replace

from sextant.model.bar import BarBlock
from sextant.model.events import (
    BarUpdate,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    Level,
    Liquidation,
    Maybe,
    QuoteUpdate,
    Trade,
)
from sextant.venues.wire import Nothing, maybe

CATEGORY: Final = "inverse"


def in_base(events: list[Event]) -> list[Event]:
    """The events of an inverse contract, read as if it were linear, with sizes in base units and turnover in dollars.

    Notes
    -----
    Open interest and one-sided quotes are left as they are: see :func:`one_side` and :func:`sides`.
    """
    return [_in_base(event) for event in events]


def _in_base(event: Event) -> Event:
    if isinstance(event, BookSnapshot | BookDelta):
        return replace(event, bids=_levels(event.bids), asks=_levels(event.asks))
    if isinstance(event, Trade | Liquidation):
        return replace(event, size=event.size / event.price)
    if isinstance(event, BarUpdate):
        bar = event.bar
        return replace(event, bar=replace(bar, volume=bar.quote_volume, quote_volume=bar.volume))
    if isinstance(event, DerivativesUpdate):
        return replace(event, volume_24h=event.turnover_24h, turnover_24h=event.volume_24h)
    if isinstance(event, QuoteUpdate):
        bid_size, ask_size = _size(event.bid_size, event.bid), _size(event.ask_size, event.ask)
        return replace(event, bid_size=bid_size, ask_size=ask_size)
    return event


def block_in_base(block: BarBlock) -> BarBlock:
    """The bars of an inverse contract with volume in base units and turnover in dollars."""
    return replace(block, volume=block.quote_volume, quote_volume=block.volume)


def one_side(
    both: Any | Nothing | UnsetType, value: Any | Nothing | UnsetType, single: Any | Nothing | UnsetType
) -> float | None | UnsetType:
    """Open interest of one side in base units, from both sides in dollars and in base coins, and one in dollars.

    Not told where the message does not mention its value: dollars alone say nothing without a price.

    Examples
    --------
    >>> from msgspec import UNSET
    >>> one_side(373504107.0, 22505.67, UNSET)
    11252.835
    >>> one_side(400.0, 0.02, 150.0)
    0.0075
    """
    dollars, coins, one = maybe(both), maybe(value), maybe(single)
    if not isinstance(coins, float):
        return coins
    if isinstance(one, float) and isinstance(dollars, float) and dollars > 0.0:
        return coins * (one / dollars)
    return coins / 2


def _levels(levels: list[Level]) -> list[Level]:
    return [(price, size / price) for price, size in levels]


def _size(dollars: Maybe, price: Maybe) -> Maybe:
    """A size in base units; unchanged where it was not mentioned, unknown where its price was not."""
    if not isinstance(dollars, float):
        return dollars
    return dollars / price if isinstance(price, float) else None
