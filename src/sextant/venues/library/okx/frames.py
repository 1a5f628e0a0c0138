"""What version 5 of OKX's public sockets says, as model events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from sextant.errors import InputError, WireError
from sextant.model.bar import Bar
from sextant.model.events import (
    BarUpdate,
    BookCleared,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    Level,
    QuoteUpdate,
    Trade,
)
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, MILLISECOND_NS, Interval
from sextant.venues.library.okx.wire import decode
from sextant.venues.port import Category, SymbolTable
from sextant.venues.wire import SMALLEST, UNREADABLE, Amount, Count, Milliseconds, Nothing, Price, Rate, maybe

BOOK_LEVELS: Final = 400
PONG: Final = b"pong"

INTERVAL_OF: Final[dict[str, Interval]] = {
    "1m": "1m",
    "5m": "5m",
    "30m": "30m",
    "1H": "1h",
    "4H": "4h",
    "1Dutc": "1d",
}
"""The venue's spelling of bars; its plain days begin at 16:00 UTC and are not read."""

Rung = tuple[Price, Amount, msgspec.Raw, msgspec.Raw]
"""Price, size, a field that is always 0, and the number of orders."""


class Of(NamedTuple):
    """Whose frame it is: the instrument, units of one of size, whether these are of the quote, and a bar's interval."""

    instrument: Instrument
    unit: float
    in_quote: bool
    interval: Interval | None

    def base(self, size: float, price: float) -> float:
        """A size in base units: contracts of an inverse one are worth quote units."""
        return size * self.unit / price if self.in_quote else size * self.unit


class Arg(msgspec.Struct, gc=False):
    """The channel of a frame and its instrument."""

    channel: str
    instId: str = ""  # noqa: N815  # OKX's own names, here and below


class _Head(msgspec.Struct, gc=False):
    """The field that says what a frame is; an answer also has an event."""

    arg: Arg | None = None
    event: str = ""


class _Levels(msgspec.Struct, gc=False):
    asks: list[Rung]
    bids: list[Rung]
    ts: Milliseconds
    seqId: Count | UnsetType = UNSET  # noqa: N815
    prevSeqId: int | UnsetType = UNSET  # noqa: N815


class _Books(msgspec.Struct, gc=False):
    arg: Arg
    action: Literal["snapshot", "update"]
    data: list[_Levels]


class _TradeRow(msgspec.Struct, gc=False):
    tradeId: str  # noqa: N815
    px: Price
    sz: Price  # above 0, as a price: nothing traded is no trade
    side: Literal["buy", "sell"]
    ts: Milliseconds


class _Trades(msgspec.Struct, gc=False):
    arg: Arg
    data: list[_TradeRow]


class TickerRow(msgspec.Struct, gc=False):
    """The latest facts of one instrument, as sockets and REST state them alike."""

    instId: str  # noqa: N815
    last: Amount | Nothing
    askPx: Amount | Nothing  # noqa: N815
    askSz: Amount | Nothing  # noqa: N815
    bidPx: Amount | Nothing  # noqa: N815
    bidSz: Amount | Nothing  # noqa: N815
    open24h: Amount | Nothing
    volCcy24h: Amount | Nothing  # noqa: N815
    vol24h: Amount | Nothing
    ts: Milliseconds


class _Tickers(msgspec.Struct, gc=False):
    arg: Arg
    data: list[TickerRow]


class _FundingRow(msgspec.Struct, gc=False):
    fundingRate: Rate | Nothing  # noqa: N815
    fundingTime: Milliseconds | Nothing  # noqa: N815
    ts: Milliseconds
    nextFundingTime: Milliseconds | Nothing = ""  # noqa: N815


class _Funding(msgspec.Struct, gc=False):
    arg: Arg
    data: list[_FundingRow]


class _MarkRow(msgspec.Struct, gc=False):
    markPx: Price  # noqa: N815
    ts: Milliseconds


class _Marks(msgspec.Struct, gc=False):
    arg: Arg
    data: list[_MarkRow]


class _InterestRow(msgspec.Struct, gc=False):
    oiCcy: Amount  # noqa: N815
    ts: Milliseconds


class _Interest(msgspec.Struct, gc=False):
    arg: Arg
    data: list[_InterestRow]


BarRow = tuple[Milliseconds, Price, Price, Price, Price, Amount, Amount, Amount, Literal["0", "1"]]
"""Open time, open, high, low, close; size in contracts or base, in base or quote, in quote; whether it is final."""


class _Bars(msgspec.Struct, gc=False):
    arg: Arg
    data: list[BarRow]


HEAD: Final = msgspec.json.Decoder(_Head)


def scaled(rungs: list[Rung], of: Of) -> list[Level]:
    """Prices and sizes in base units."""
    unit = of.unit
    if of.in_quote:
        return [(rung[0], rung[1] * unit / rung[0]) for rung in rungs]
    if unit == 1.0:
        return [(rung[0], rung[1]) for rung in rungs]
    return [(rung[0], rung[1] * unit) for rung in rungs]


def _books(frame: _Books, of: Of, receive_ns: int) -> list[Event]:
    """Books under the venue's numbers, or under 0 where it states none: the keeper numbers those.

    Notes
    -----
    A change without levels only proves that the channel lives, and is none.
    """
    events: list[Event] = []
    for row in frame.data:
        event_ns = row.ts * MILLISECOND_NS
        number = 0 if row.seqId is UNSET else row.seqId
        bids, asks = scaled(row.bids, of), scaled(row.asks, of)
        if frame.action == "update":
            before = None if row.prevSeqId is UNSET or not number else max(row.prevSeqId, 0)
            first = number if before is None else before + 1
            if bids or asks or before is None:
                events.append(
                    BookDelta(of.instrument, event_ns, receive_ns, number, first, before, bids, asks)
                )
            continue
        bids, asks = ([level for level in side if level[1] > 0.0] for side in (bids, asks))
        if bids or asks:
            events.append(BookSnapshot(of.instrument, event_ns, receive_ns, number, BOOK_LEVELS, bids, asks))
        elif not number:
            events.append(BookCleared(of.instrument, event_ns, receive_ns, "empty_book"))
    return events


def _trades(frame: _Trades, of: Of, receive_ns: int) -> list[Event]:
    return [
        Trade(
            of.instrument,
            row.ts * MILLISECOND_NS,
            receive_ns,
            row.tradeId,
            row.px,
            of.base(row.sz, row.px),
            1 if row.side == "buy" else -1,
        )
        for row in frame.data
    ]


def _tickers(frame: _Tickers, of: Of, receive_ns: int) -> list[Event]:
    return [event for row in frame.data for event in ticker_events(row, of, receive_ns)]


def ticker_events(row: TickerRow, of: Of, receive_ns: int) -> list[Event]:
    """The quote and the facts of a row.

    Notes
    -----
    Spot states its volume in base and quote units. Derivatives state contracts and base units; what they
    turned over is base units times the last price.
    """
    event_ns = row.ts * MILLISECOND_NS
    bid, ask, last, begun = (_price(price) for price in (row.bidPx, row.askPx, row.last, row.open24h))
    spot = of.instrument.kind == "spot"
    volume = maybe(row.vol24h if spot else row.volCcy24h)
    turnover = maybe(row.volCcy24h)
    if not spot and isinstance(turnover, float):
        turnover = None if last is None else turnover * last
    return [
        QuoteUpdate(
            of.instrument,
            event_ns,
            receive_ns,
            bid,
            _size(bid, row.bidSz, of),
            ask,
            _size(ask, row.askSz, of),
        ),
        DerivativesUpdate(
            of.instrument,
            event_ns,
            receive_ns,
            last=last,
            volume_24h=volume,
            turnover_24h=turnover,
            change_24h_frac=None if last is None or begun is None else last / begun - 1,
        ),
    ]


def _price(value: float | Nothing) -> float | None:
    """A price that a market can have; None for the empty text and for 0."""
    return value if isinstance(value, float) and value >= SMALLEST else None


def _size(price: float | None, size: float | Nothing, of: Of) -> float | None:
    return None if price is None or size == "" else of.base(size, price)


def _funding(frame: _Funding, of: Of, receive_ns: int) -> list[Event]:
    """The rate that will be charged at ``fundingTime``; the settlement after it tells the interval."""
    events: list[Event] = []
    for row in frame.data:
        at, after = row.fundingTime, row.nextFundingTime
        apart = after - at if isinstance(at, int) and isinstance(after, int) else 0
        events.append(
            DerivativesUpdate(
                of.instrument,
                row.ts * MILLISECOND_NS,
                receive_ns,
                funding_rate=maybe(row.fundingRate),
                funding_interval_s=apart // 1000 if apart > 0 else UNSET,
                next_funding_ns=at * MILLISECOND_NS if isinstance(at, int) else None,
            )
        )
    return events


def _marks(frame: _Marks, of: Of, receive_ns: int) -> list[Event]:
    return [
        DerivativesUpdate(of.instrument, row.ts * MILLISECOND_NS, receive_ns, mark=row.markPx)
        for row in frame.data
    ]


def _interest(frame: _Interest, of: Of, receive_ns: int) -> list[Event]:
    return [
        DerivativesUpdate(of.instrument, row.ts * MILLISECOND_NS, receive_ns, open_interest=row.oiCcy)
        for row in frame.data
    ]


def _bars(frame: _Bars, of: Of, receive_ns: int) -> list[Event]:
    """Bars, dated by their arrival: the venue states only when they opened."""
    if of.interval is None:
        return []
    spot = of.instrument.kind == "spot"
    events: list[Event] = []
    for start, first, high, low, close, contracts, base, quote, confirm in frame.data:
        open_ns = start * MILLISECOND_NS
        if open_ns % INTERVAL_NS[of.interval]:
            raise WireError(
                f"OKX candle: {start} is no multiple of {of.interval}.", reason="value", field="data"
            )
        try:
            bar = Bar(open_ns, first, high, low, close, contracts if spot else base, quote)
        except InputError as error:
            raise WireError(f"OKX candle: {error.message}", reason="value", field="data") from error
        events.append(
            BarUpdate(of.instrument, receive_ns, receive_ns, of.interval, bar, final=confirm == "1")
        )
    return events


class _Reader(NamedTuple):
    decoder: msgspec.json.Decoder[Any]
    build: Callable[[Any, Of, int], list[Event]]
    interval: Interval | None = None


_CANDLES: Final = msgspec.json.Decoder(_Bars, strict=False)
READERS: Final[dict[str, _Reader]] = {
    "books": _Reader(msgspec.json.Decoder(_Books, strict=False), _books),
    "trades": _Reader(msgspec.json.Decoder(_Trades, strict=False), _trades),
    "tickers": _Reader(msgspec.json.Decoder(_Tickers, strict=False), _tickers),
    "funding-rate": _Reader(msgspec.json.Decoder(_Funding, strict=False), _funding),
    "mark-price": _Reader(msgspec.json.Decoder(_Marks, strict=False), _marks),
    "open-interest": _Reader(msgspec.json.Decoder(_Interest, strict=False), _interest),
    **{f"candle{text}": _Reader(_CANDLES, _bars, interval) for text, interval in INTERVAL_OF.items()},
}
_MARK: Final = b'"arg":{'
_MARK_BYTES: Final = len(_MARK)


def of_listing(symbols: SymbolTable, instrument: Instrument, interval: Interval | None = None) -> Of:
    """What is needed to read frames of an instrument: what one contract of it is worth."""
    listing = symbols.listing(instrument)
    if listing is None:
        return Of(instrument, 1.0, in_quote=False, interval=interval)
    spec = listing.spec
    return Of(instrument, float(spec.contract_size), in_quote=spec.style == "inverse", interval=interval)


def parse_frame(category: Category, data: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The model events of one frame; none for answers, unknown channels and unlisted symbols.

    Notes
    -----
    The argument is guessed by searching the bytes, so that a frame is decoded once and not twice; the guess is
    believed only when the decoded frame bears that channel and instrument.

    Raises
    ------
    WireError
        If the frame does not have the documented shape or a number is not possible; names the field.
    """
    start = data.find(_MARK) + _MARK_BYTES
    guess = data[start : data.find(b"}", start)]
    route = symbols.routes(category).get(guess)
    if route is not None:
        reader, arg, of = route
        try:
            frame = reader.decoder.decode(data)
        except UNREADABLE:
            frame = None
        if frame is not None and frame.arg == arg and b'"event"' not in data:
            events: list[Event] = reader.build(frame, of, receive_ns)
            return events
    return _read_slowly(category, data, receive_ns, symbols)


def _read_slowly(category: Category, data: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    if data == PONG:
        return []
    head = decode(HEAD, data, "frame")
    if head.arg is None or head.event:
        return []
    reader = READERS.get(head.arg.channel)
    instrument = symbols.instrument(category, head.arg.instId)
    if reader is None or instrument is None:
        return []
    frame = decode(reader.decoder, data, head.arg.channel)
    of = of_listing(symbols, instrument, reader.interval)
    start = data.find(_MARK) + _MARK_BYTES
    symbols.routes(category)[data[start : data.find(b"}", start)]] = (reader, head.arg, of)
    return reader.build(frame, of, receive_ns)
