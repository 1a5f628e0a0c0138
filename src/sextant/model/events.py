"""Model events: everything the market state may learn, already translated from the wire.

``market.ingest`` consumes an ordered iterator of these and nothing else. A field that the
source did not mention is ``UNSET`` (the old value stays); a field that does not apply to the
instrument is ``None``.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from sextant.model.bar import Bar, BarBlock
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.times import Interval

Level: TypeAlias = tuple[float, float]
"""Price in quote units and size in base units; size 0 deletes the price."""

Stream = Literal["book", "trades", "quote", "bars", "derivatives", "liquidations"]

Maybe: TypeAlias = float | None | UnsetType
"""A number, ``None`` = not applicable, ``UNSET`` = unchanged."""


class BookSnapshot(msgspec.Struct, frozen=True, gc=False):
    """The whole visible book; replaces whatever was known.

    Parameters
    ----------
    sequence
        The venue's update number.
    levels
        Levels per side the subscription carries; the book is cut back to it.
    bids, asks
        Best first is not required; sizes above 0.
    """

    instrument: Instrument
    event_ns: int
    receive_ns: int
    sequence: int
    levels: int
    bids: list[Level]
    asks: list[Level]


class BookDelta(msgspec.Struct, frozen=True, gc=False):
    """Changed levels of a book.

    Parameters
    ----------
    sequence
        The venue's update number after this change.
    first_sequence
        The first update number folded into this change; equal to ``sequence`` where the venue sends single steps.
    previous_sequence
        The update number this change continues, where the venue states it; else None and
        ``first_sequence`` must be the book's sequence + 1.
    """

    instrument: Instrument
    event_ns: int
    receive_ns: int
    sequence: int
    first_sequence: int
    previous_sequence: int | None
    bids: list[Level]
    asks: list[Level]


class BookCleared(msgspec.Struct, frozen=True, gc=False):
    """The venue says there is no book: delisted, auction, or the connection that carried it is gone."""

    instrument: Instrument
    event_ns: int
    receive_ns: int
    reason: str


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A public execution.

    Parameters
    ----------
    trade_id
        The venue's identity of the execution; repeated ids are dropped.
    aggressor
        +1 when the buyer took, -1 when the seller took, 0 when the venue does not say.
    block
        Negotiated away from the book; excluded from flow.
    """

    instrument: Instrument
    event_ns: int
    receive_ns: int
    trade_id: str
    price: float
    size: float
    aggressor: Literal[-1, 0, 1]
    block: bool = False


class QuoteUpdate(msgspec.Struct, frozen=True, gc=False):
    """Best bid and ask; sides the source did not mention are ``UNSET``."""

    instrument: Instrument
    event_ns: int
    receive_ns: int
    bid: Maybe = UNSET
    bid_size: Maybe = UNSET
    ask: Maybe = UNSET
    ask_size: Maybe = UNSET


class BarUpdate(msgspec.Struct, frozen=True, gc=False):
    """A bar as the venue states it; ``final`` when it will not change any more."""

    instrument: Instrument
    event_ns: int
    receive_ns: int
    interval: Interval
    bar: Bar
    final: bool


class DerivativesUpdate(msgspec.Struct, frozen=True, gc=False):
    """Facts about an instrument beyond its book.

    Parameters
    ----------
    last
        Price of the last trade.
    volume_24h, turnover_24h
        Base and quote units traded in the last 24 hours.
    change_24h_frac
        last / price 24 h ago - 1.
    mark, index
        The venue's margin price; its basket price.
    funding_rate
        Fraction per interval, charged at ``next_funding_ns``; positive: longs pay shorts.
    open_interest
        One side, base units.
    long_share
        Share of accounts net long, in [0, 1].
    """

    instrument: Instrument
    event_ns: int
    receive_ns: int
    last: Maybe = UNSET
    volume_24h: Maybe = UNSET
    turnover_24h: Maybe = UNSET
    change_24h_frac: Maybe = UNSET
    mark: Maybe = UNSET
    index: Maybe = UNSET
    funding_rate: Maybe = UNSET
    funding_interval_s: int | None | UnsetType = UNSET
    next_funding_ns: int | None | UnsetType = UNSET
    open_interest: Maybe = UNSET
    long_share: Maybe = UNSET


class OptionUpdate(msgspec.Struct, frozen=True, gc=False):
    """Quote, volatilities and greeks of one option, as its venue states them.

    Parameters
    ----------
    bid, ask, mark, last
        Prices: quote units, base units where the option is inverse.
    bid_size, ask_size, open_interest, volume_24h
        Base units.
    bid_iv, ask_iv, mark_iv
        Implied volatilities, fractions a year.
    forward
        Price of the underlying for delivery at the option's expiry, quote units.
    index
        The venue's basket price of the underlying, quote units.
    delta
        Change of the option's value in quote units per quote unit of the forward, in [-1, 1].
    gamma
        Change of delta per quote unit.
    vega
        Change of the value in quote units per 0.01 of volatility.
    theta
        Change of the value in quote units per day.
    """

    instrument: Instrument
    event_ns: int
    receive_ns: int
    bid: Maybe = UNSET
    bid_size: Maybe = UNSET
    ask: Maybe = UNSET
    ask_size: Maybe = UNSET
    mark: Maybe = UNSET
    bid_iv: Maybe = UNSET
    ask_iv: Maybe = UNSET
    mark_iv: Maybe = UNSET
    forward: Maybe = UNSET
    index: Maybe = UNSET
    last: Maybe = UNSET
    open_interest: Maybe = UNSET
    volume_24h: Maybe = UNSET
    delta: Maybe = UNSET
    gamma: Maybe = UNSET
    vega: Maybe = UNSET
    theta: Maybe = UNSET


class FundingSettled(msgspec.Struct, frozen=True, gc=False):
    """A funding rate that was charged at ``event_ns``; fraction of size x mark, positive: longs paid."""

    instrument: Instrument
    event_ns: int
    receive_ns: int
    rate: float


class OpenInterestPoint(msgspec.Struct, frozen=True, gc=False):
    """One point of the 5-minute open-interest history, one side, base units."""

    instrument: Instrument
    event_ns: int
    receive_ns: int
    open_interest: float


class Liquidation(msgspec.Struct, frozen=True, gc=False):
    """A forced close; ``side`` is the side of the **position** closed."""

    instrument: Instrument
    event_ns: int
    receive_ns: int
    side: Literal["long", "short"]
    price: float
    size: float


class Listed(msgspec.Struct, frozen=True, gc=False):
    """An instrument is known, or its rules changed."""

    spec: InstrumentSpec
    event_ns: int
    receive_ns: int


class StreamDown(msgspec.Struct, frozen=True, gc=False):
    """The connection that carries ``streams`` of these instruments is gone; their books are no longer valid."""

    instruments: tuple[Instrument, ...]
    streams: tuple[Stream, ...]
    event_ns: int
    receive_ns: int
    reason: str


class StreamAlive(msgspec.Struct, frozen=True, gc=False):
    """The connection answered although the streams were quiet; proves silence is not loss."""

    instruments: tuple[Instrument, ...]
    streams: tuple[Stream, ...]
    event_ns: int
    receive_ns: int


class Unfollowed(msgspec.Struct, frozen=True, gc=False):
    """These instruments are followed no more; whatever is known of them is let go until they are listed again."""

    instruments: tuple[Instrument, ...]
    event_ns: int
    receive_ns: int


Event: TypeAlias = (
    BookSnapshot
    | BookDelta
    | BookCleared
    | Trade
    | QuoteUpdate
    | BarUpdate
    | BarBlock
    | DerivativesUpdate
    | OptionUpdate
    | FundingSettled
    | OpenInterestPoint
    | Liquidation
    | Listed
    | StreamDown
    | StreamAlive
    | Unfollowed
)
