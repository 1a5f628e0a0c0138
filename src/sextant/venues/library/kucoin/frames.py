"""What KuCoin's public spot sockets say, as model events."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from sextant.errors import InputError, WireError
from sextant.model.bar import Bar
from sextant.model.events import (
    BarUpdate,
    BookDelta,
    DerivativesUpdate,
    Event,
    Level,
    QuoteUpdate,
    Trade,
)
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, MILLISECOND_NS, SECOND_NS, Interval
from sextant.venues.port import Category, SymbolTable
from sextant.venues.topics import Spelling, TopicReader, Topics
from sextant.venues.wire import Amount, Change, Count, Milliseconds, Nanoseconds, Price, Seconds

INTERVAL_OF: Final[dict[str, Interval]] = {
    "1min": "1m",
    "5min": "5m",
    "30min": "30m",
    "1hour": "1h",
    "4hour": "4h",
    "1day": "1d",
}


class _Head(msgspec.Struct, gc=False):
    """The field that says what a frame is; answers have none."""

    topic: str | None = None


class _Changes(msgspec.Struct, gc=False):
    asks: list[tuple[Amount, Amount, Count]]
    bids: list[tuple[Amount, Amount, Count]]


class _Book(msgspec.Struct, gc=False):
    changes: _Changes
    sequenceStart: Count  # noqa: N815  # KuCoin's own names, here and below
    sequenceEnd: Count  # noqa: N815
    time: Milliseconds | UnsetType = UNSET


class _Books(msgspec.Struct, gc=False):
    topic: str
    data: _Book


class _Ticker(msgspec.Struct, gc=False):
    price: Amount
    bestAsk: Amount  # noqa: N815
    bestAskSize: Amount  # noqa: N815
    bestBid: Amount  # noqa: N815
    bestBidSize: Amount  # noqa: N815
    time: Milliseconds


class _Tickers(msgspec.Struct, gc=False):
    topic: str
    data: _Ticker


class _Match(msgspec.Struct, gc=False):
    side: Literal["buy", "sell"]
    size: Price  # above 0, as a price: nothing traded is no trade
    price: Price
    time: Nanoseconds
    tradeId: str  # noqa: N815


class _Matches(msgspec.Struct, gc=False):
    topic: str
    data: _Match


class _Candle(msgspec.Struct, gc=False):
    candles: tuple[Seconds, Price, Price, Price, Price, Amount, Amount]
    time: Nanoseconds


class _Candles(msgspec.Struct, gc=False):
    topic: str
    data: _Candle


class _Facts(msgspec.Struct, gc=False):
    lastTradedPrice: Amount | None  # noqa: N815
    vol: Amount
    volValue: Amount  # noqa: N815
    changeRate: Change | None  # noqa: N815
    datetime: Milliseconds


class _Inner(msgspec.Struct, gc=False):
    data: _Facts


class _Snapshot(msgspec.Struct, gc=False):
    topic: str
    data: _Inner


HEAD: Final = msgspec.json.Decoder(_Head)


def _book(frame: _Books, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    """A change; a price of 0 moves only the number. Within a message the later number of a price decides."""
    data = frame.data
    if data.sequenceStart > data.sequenceEnd:
        raise WireError(
            f"KuCoin level2: sequenceStart {data.sequenceStart} is above sequenceEnd {data.sequenceEnd}.",
            reason="value",
            field="sequenceStart",
        )
    event_ns = receive_ns if data.time is UNSET else data.time * MILLISECOND_NS
    return [
        BookDelta(
            instrument,
            event_ns,
            receive_ns,
            data.sequenceEnd,
            data.sequenceStart,
            None,
            _levels(data.changes.bids),
            _levels(data.changes.asks),
        )
    ]


def _levels(rows: list[tuple[float, float, int]]) -> list[Level]:
    if len(rows) > 1:
        rows = sorted(rows, key=lambda row: row[2])
    return [(price, size) for price, size, _ in rows if price > 0.0]


def _ticker(frame: _Tickers, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    data = frame.data
    event_ns = data.time * MILLISECOND_NS
    bid, ask = data.bestBid or None, data.bestAsk or None
    bid_size = None if bid is None else data.bestBidSize
    ask_size = None if ask is None else data.bestAskSize
    return [
        QuoteUpdate(instrument, event_ns, receive_ns, bid, bid_size, ask, ask_size),
        DerivativesUpdate(instrument, event_ns, receive_ns, last=data.price or None),
    ]


def _match(frame: _Matches, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    data = frame.data
    side: Literal[-1, 1] = 1 if data.side == "buy" else -1
    return [Trade(instrument, data.time, receive_ns, data.tradeId, data.price, data.size, side)]


def _candle(frame: _Candles, instrument: Instrument, receive_ns: int, interval: Interval) -> list[Event]:
    """A bar as it forms: open, close, high, low in this order; the venue never calls one final."""
    start, first, close, high, low, volume, turnover = frame.data.candles
    open_ns = start * SECOND_NS
    if open_ns % INTERVAL_NS[interval]:
        raise WireError(
            f"KuCoin candles: {start} is no multiple of {interval}.", reason="value", field="candles"
        )
    try:
        bar = Bar(open_ns, first, high, low, close, volume, turnover)
    except InputError as error:
        raise WireError(f"KuCoin candles: {error.message}", reason="value", field="candles") from error
    return [BarUpdate(instrument, frame.data.time, receive_ns, interval, bar, final=False)]


def _facts(frame: _Snapshot, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    row = frame.data.data
    return [
        DerivativesUpdate(
            instrument,
            row.datetime * MILLISECOND_NS,
            receive_ns,
            last=row.lastTradedPrice or None,
            volume_24h=row.vol,
            turnover_24h=row.volValue,
            change_24h_frac=row.changeRate,
        )
    ]


_CANDLES: Final = msgspec.json.Decoder(_Candles, strict=False)
READERS: Final[dict[str, TopicReader]] = {
    "/market/level2": TopicReader(msgspec.json.Decoder(_Books, strict=False), _book),
    "/market/ticker": TopicReader(msgspec.json.Decoder(_Tickers, strict=False), _ticker),
    "/market/match": TopicReader(msgspec.json.Decoder(_Matches, strict=False), _match),
    "/market/snapshot": TopicReader(msgspec.json.Decoder(_Snapshot, strict=False), _facts),
    **{
        f"/market/candles_{text}": TopicReader(_CANDLES, _candle, interval)
        for text, interval in INTERVAL_OF.items()
    },
}


def split(topic: str) -> tuple[str, str]:
    """The kind and the symbol of a topic; the interval of a bar, which stands behind the symbol, is of the kind.

    Examples
    --------
    >>> split("/market/candles:BTC-USDT_1min")
    ('/market/candles_1min', 'BTC-USDT')
    """
    kind, _, symbol = topic.partition(":")
    symbol, line, interval = symbol.partition("_")
    return kind + line + interval, symbol


TOPICS: Final = Topics(Spelling("KuCoin", b'"topic":"', HEAD, split), READERS)


def parse_frame(category: Category, data: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The model events of one frame; none for answers, unknown topics and unlisted symbols.

    Raises
    ------
    WireError
        If the frame does not have the documented shape or a number is not possible; names the field.
    """
    return TOPICS.events(category, data, receive_ns, symbols)
