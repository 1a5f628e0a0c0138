"""What version 2 of Kraken's public sockets says, as model events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

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
    Listed,
    QuoteUpdate,
    Trade,
)
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, Interval
from sextant.venues.dispatch import Dispatch, Reader
from sextant.venues.library.kraken.rules import Pair, spec_of
from sextant.venues.port import Category, SymbolTable
from sextant.venues.wire import Amount, Count, Moment, Percent, Price, moment_ns

DEPTHS: Final = (10, 25, 100, 500, 1000)
"""Levels per side that a subscription may ask for."""

BOOK_LEVELS: Final = 25  # deep enough for 10 levels a side and the depth bands

INTERVALS: Final[dict[int, Interval]] = {1: "1m", 5: "5m", 30: "30m", 60: "1h", 240: "4h", 1440: "1d"}

Kind = Literal["snapshot", "update"]


class _Level(msgspec.Struct, gc=False):
    price: Price
    qty: Amount


class _BookRow(msgspec.Struct, gc=False):
    symbol: str
    bids: list[_Level]
    asks: list[_Level]
    checksum: Count
    timestamp: Moment | UnsetType = UNSET


class _Book(msgspec.Struct, gc=False):
    channel: str
    type: Kind
    data: list[_BookRow]


class _TradeRow(msgspec.Struct, gc=False):
    symbol: str
    side: Literal["buy", "sell"]
    price: Price
    qty: Price  # above 0, as a price: nothing traded is no trade
    trade_id: Count
    timestamp: Moment


class _Trades(msgspec.Struct, gc=False):
    channel: str
    data: list[_TradeRow]


class _QuoteRow(msgspec.Struct, gc=False):
    symbol: str
    bid: Amount
    bid_qty: Amount
    ask: Amount
    ask_qty: Amount
    last: Amount
    volume: Amount
    vwap: Amount
    change_pct: Percent
    timestamp: Moment | UnsetType = UNSET


class _Quotes(msgspec.Struct, gc=False):
    channel: str
    data: list[_QuoteRow]


class _BarRow(msgspec.Struct, gc=False):
    symbol: str
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount
    vwap: Amount
    interval_begin: Moment
    interval: Count


class _Bars(msgspec.Struct, gc=False):
    channel: str
    data: list[_BarRow]
    timestamp: Moment | UnsetType = UNSET


class _Pairs(msgspec.Struct, gc=False):
    pairs: list[Pair]


class _Instruments(msgspec.Struct, gc=False):
    channel: str
    data: _Pairs


def _time_ns(moment: Any, receive_ns: int, what: str) -> int:
    """The venue's time of a row; the time of arrival where it states none."""
    return receive_ns if moment is UNSET else moment_ns(moment, f"Kraken {what}", "timestamp")


def depth_of(bids: int, asks: int) -> int:
    """The depth of the subscription that a whole book of so many levels answers, which the frame does not say.

    Notes
    -----
    A full side is as long as the depth; a shorter one is of a thin book, which is taken to be of the depth
    that is subscribed here or, where that is too small, of the next that holds it.
    """
    longest = max(bids, asks)
    if longest in DEPTHS:
        return longest
    return next((depth for depth in DEPTHS if depth >= max(longest, BOOK_LEVELS)), DEPTHS[-1])


def _levels(levels: list[_Level]) -> list[Level]:
    return [(level.price, level.qty) for level in levels]


def _books(frame: _Book, known: Mapping[str, Instrument], receive_ns: int) -> list[Event]:
    """Books without running numbers, which the wire does not have: the keeper of the connection gives them."""
    events: list[Event] = []
    for row in frame.data:
        instrument = known.get(row.symbol)
        if instrument is None:
            continue
        event_ns = _time_ns(row.timestamp, receive_ns, "book")
        bids, asks = _levels(row.bids), _levels(row.asks)
        if frame.type == "update":
            events.append(BookDelta(instrument, event_ns, receive_ns, 0, 0, None, bids, asks))
        elif not bids and not asks:
            events.append(BookCleared(instrument, event_ns, receive_ns, "empty_book"))
        else:
            if any(size == 0.0 for _, size in (*bids, *asks)):
                raise WireError("Kraken book: a size of 0 in a whole book.", reason="value", field="qty")
            depth = depth_of(len(bids), len(asks))
            events.append(BookSnapshot(instrument, event_ns, receive_ns, 0, depth, bids, asks))
    return events


def _trades(frame: _Trades, known: Mapping[str, Instrument], receive_ns: int) -> list[Event]:
    return [
        Trade(
            known[row.symbol],
            moment_ns(row.timestamp, "Kraken trade", "timestamp"),
            receive_ns,
            str(row.trade_id),
            row.price,
            row.qty,
            1 if row.side == "buy" else -1,
        )
        for row in frame.data
        if row.symbol in known
    ]


def _quotes(frame: _Quotes, known: Mapping[str, Instrument], receive_ns: int) -> list[Event]:
    events: list[Event] = []
    for row in frame.data:
        instrument = known.get(row.symbol)
        if instrument is None:
            continue
        event_ns = _time_ns(row.timestamp, receive_ns, "ticker")
        bid, ask = row.bid or None, row.ask or None
        bid_size = None if bid is None else row.bid_qty
        ask_size = None if ask is None else row.ask_qty
        events += (
            QuoteUpdate(instrument, event_ns, receive_ns, bid, bid_size, ask, ask_size),
            DerivativesUpdate(
                instrument,
                event_ns,
                receive_ns,
                last=row.last or None,
                volume_24h=row.volume,
                turnover_24h=row.volume * row.vwap,
                change_24h_frac=row.change_pct / 100,
            ),
        )
    return events


def _bars(frame: _Bars, known: Mapping[str, Instrument], receive_ns: int) -> list[Event]:
    """Bars as they form: the venue never calls one final."""
    event_ns = _time_ns(frame.timestamp, receive_ns, "ohlc")
    events: list[Event] = []
    for row in frame.data:
        instrument, interval = known.get(row.symbol), INTERVALS.get(row.interval)
        if instrument is None or interval is None:
            continue
        open_ns = moment_ns(row.interval_begin, "Kraken ohlc", "interval_begin")
        if open_ns % INTERVAL_NS[interval]:
            raise WireError(
                f"Kraken ohlc: interval_begin {row.interval_begin} is no multiple of {interval}.",
                reason="value",
                field="interval_begin",
            )
        try:
            bar = Bar(open_ns, row.open, row.high, row.low, row.close, row.volume, row.volume * row.vwap)
        except InputError as error:
            raise WireError(f"Kraken ohlc: {error.message}", reason="value", field="data") from error
        events.append(BarUpdate(instrument, event_ns, receive_ns, interval, bar, final=False))
    return sorted(events, key=lambda event: event.bar.open_ns)  # type: ignore[union-attr]  # all are bars


def _rules(frame: _Instruments, known: Mapping[str, Instrument], receive_ns: int) -> list[Event]:
    """The rules of known instruments; of the others no stream is wanted."""
    events: list[Event] = []
    for pair in frame.data.pairs:
        instrument = known.get(pair.symbol)
        if instrument is None:
            continue
        try:
            spec = spec_of(pair, receive_ns)
        except InputError as error:
            raise WireError(
                f"Kraken instrument: {error.message[:200]}", reason="value", field="pairs"
            ) from error
        if spec.instrument != instrument:
            raise WireError(
                f"Kraken instrument: {pair.symbol[:40]} is {spec.instrument}, not {instrument}.",
                reason="value",
                field="pairs",
            )
        events.append(Listed(spec, receive_ns, receive_ns))
    return events


READERS: Final[dict[str, Reader]] = {
    "book": Reader(msgspec.json.Decoder(_Book), _books),
    "trade": Reader(msgspec.json.Decoder(_Trades), _trades),
    "ticker": Reader(msgspec.json.Decoder(_Quotes), _quotes),
    "ohlc": Reader(msgspec.json.Decoder(_Bars), _bars),
    "instrument": Reader(msgspec.json.Decoder(_Instruments), _rules),
}
_DISPATCH: Final = Dispatch("Kraken", READERS)


def parse_frame(category: Category, data: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The model events of one frame, in its order; none for answers, unknown channels and unlisted symbols.

    Raises
    ------
    WireError
        If the frame does not have the documented shape or a number is not possible; names the field.
    """
    return _DISPATCH.events(data, symbols.instruments(category), receive_ns)
