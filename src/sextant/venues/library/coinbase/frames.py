"""What Coinbase's Advanced Trade sockets say, as model events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

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
from sextant.model.times import INTERVAL_NS, SECOND_NS
from sextant.venues.dispatch import Dispatch, Reader
from sextant.venues.port import Category, SymbolTable
from sextant.venues.wire import Amount, Count, Moment, Percent, Price, Seconds, moment_ns

WHOLE_BOOK: Final = 1_000_000
"""Levels per side of a book that is never cut: the venue sends all of them, some 27,000 of a large market."""

CANDLE_INTERVAL: Final = "5m"  # the only one the channel has

Known = Mapping[str, Instrument]
Kind = Literal["snapshot", "update"]


class _Change(msgspec.Struct, gc=False):
    side: Literal["bid", "offer"]
    price_level: Price
    new_quantity: Amount


class _BookEvent(msgspec.Struct, gc=False):
    type: Kind
    product_id: str
    updates: list[_Change]


class _Books(msgspec.Struct, gc=False):
    channel: str
    timestamp: Moment
    sequence_num: Count
    events: list[_BookEvent]


class _TradeRow(msgspec.Struct, gc=False):
    product_id: str
    trade_id: Count
    price: Price
    size: Price  # above 0, as a price: nothing traded is no trade
    time: Moment
    side: Literal["BUY", "SELL", "UNKNOWN_ORDER_SIDE"]


class _TradeEvent(msgspec.Struct, gc=False):
    trades: list[_TradeRow]


class _Trades(msgspec.Struct, gc=False):
    channel: str
    events: list[_TradeEvent]


class _TickerRow(msgspec.Struct, gc=False):
    product_id: str
    price: Amount
    volume_24_h: Amount
    price_percent_chg_24_h: Percent
    best_bid: Amount | UnsetType = UNSET
    best_ask: Amount | UnsetType = UNSET
    best_bid_quantity: Amount | UnsetType = UNSET
    best_ask_quantity: Amount | UnsetType = UNSET


class _TickerEvent(msgspec.Struct, gc=False):
    tickers: list[_TickerRow]


class _Tickers(msgspec.Struct, gc=False):
    channel: str
    timestamp: Moment
    events: list[_TickerEvent]


class _CandleRow(msgspec.Struct, gc=False):
    product_id: str
    start: Seconds
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount


class _CandleEvent(msgspec.Struct, gc=False):
    candles: list[_CandleRow]


class _Candles(msgspec.Struct, gc=False):
    channel: str
    timestamp: Moment
    events: list[_CandleEvent]


_MAKER_TO_TAKER: Final[dict[str, Literal[-1, 0, 1]]] = {"BUY": -1, "SELL": 1}


def _books(frame: _Books, known: Known, receive_ns: int) -> list[Event]:
    """Books under the number of their frame, which counts all frames of a connection: the keeper numbers them."""
    event_ns = moment_ns(frame.timestamp, "Coinbase l2_data", "timestamp")
    events: list[Event] = []
    for event in frame.events:
        instrument = known.get(event.product_id)
        if instrument is None:
            continue
        bids: list[Level] = []
        asks: list[Level] = []
        for change in event.updates:
            (bids if change.side == "bid" else asks).append((change.price_level, change.new_quantity))
        number = frame.sequence_num
        if event.type == "update":
            events.append(BookDelta(instrument, event_ns, receive_ns, number, number, None, bids, asks))
            continue
        bids, asks = _standing(bids), _standing(asks)
        if not bids and not asks:
            events.append(BookCleared(instrument, event_ns, receive_ns, "empty_book"))
        else:
            events.append(BookSnapshot(instrument, event_ns, receive_ns, number, WHOLE_BOOK, bids, asks))
    return events


def _standing(levels: list[Level]) -> list[Level]:
    return [level for level in levels if level[1] > 0.0]


def _trades(frame: _Trades, known: Known, receive_ns: int) -> list[Event]:
    """Trades, oldest first; the venue states the side of the maker, so the taker's is the other."""
    rows = [row for event in frame.events for row in event.trades if row.product_id in known]
    rows.sort(key=lambda row: row.trade_id)
    return [
        Trade(
            known[row.product_id],
            moment_ns(row.time, "Coinbase market_trades", "time"),
            receive_ns,
            str(row.trade_id),
            row.price,
            row.size,
            _MAKER_TO_TAKER.get(row.side, 0),
        )
        for row in rows
    ]


def _tickers(frame: _Tickers, known: Known, receive_ns: int) -> list[Event]:
    event_ns = moment_ns(frame.timestamp, "Coinbase ticker", "timestamp")
    events: list[Event] = []
    for row in (row for event in frame.events for row in event.tickers):
        instrument = known.get(row.product_id)
        if instrument is None:
            continue
        if row.best_bid is not UNSET or row.best_ask is not UNSET:
            bid, bid_size = _side(row.best_bid, row.best_bid_quantity)
            ask, ask_size = _side(row.best_ask, row.best_ask_quantity)
            events.append(QuoteUpdate(instrument, event_ns, receive_ns, bid, bid_size, ask, ask_size))
        events.append(
            DerivativesUpdate(
                instrument,
                event_ns,
                receive_ns,
                last=row.price or None,
                volume_24h=row.volume_24_h,
                change_24h_frac=row.price_percent_chg_24_h / 100,
            )
        )
    return events


def _side(
    price: float | UnsetType, size: float | UnsetType
) -> tuple[float | None | UnsetType, float | None | UnsetType]:
    """A side as stated; none where its price is 0, unchanged where it was not sent."""
    if price is UNSET:
        return UNSET, UNSET
    return (price, size) if price else (None, None)


def _candles(frame: _Candles, known: Known, receive_ns: int) -> list[Event]:
    """Bars of five minutes as they form, oldest first: the venue never calls one final."""
    event_ns = moment_ns(frame.timestamp, "Coinbase candles", "timestamp")
    rows = [row for event in frame.events for row in event.candles if row.product_id in known]
    rows.sort(key=lambda row: row.start)
    events: list[Event] = []
    for row in rows:
        open_ns = row.start * SECOND_NS
        if open_ns % INTERVAL_NS[CANDLE_INTERVAL]:
            raise WireError(
                f"Coinbase candles: start {row.start} is no multiple of {CANDLE_INTERVAL}.",
                reason="value",
                field="start",
            )
        try:
            bar = Bar(open_ns, row.open, row.high, row.low, row.close, row.volume)
        except InputError as error:
            raise WireError(f"Coinbase candles: {error.message}", reason="value", field="candles") from error
        events.append(
            BarUpdate(known[row.product_id], event_ns, receive_ns, CANDLE_INTERVAL, bar, final=False)
        )
    return events


_TICKER: Final = Reader(msgspec.json.Decoder(_Tickers, strict=False), _tickers)
READERS: Final[dict[str, Reader]] = {
    "l2_data": Reader(msgspec.json.Decoder(_Books, strict=False), _books),
    "market_trades": Reader(msgspec.json.Decoder(_Trades, strict=False), _trades),
    "ticker": _TICKER,
    "ticker_batch": _TICKER,
    "candles": Reader(msgspec.json.Decoder(_Candles, strict=False), _candles),
}
_DISPATCH: Final = Dispatch("Coinbase", READERS)


def parse_frame(category: Category, data: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The model events of one frame, in its order; none for answers, unknown channels and unlisted symbols.

    Raises
    ------
    WireError
        If the frame does not have the documented shape or a number is not possible; names the field.
    """
    return _DISPATCH.events(data, symbols.instruments(category), receive_ns)
