"""What Binance's combined streams say, spot and USD-M futures alike, as model events."""

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
    Liquidation,
    QuoteUpdate,
    Trade,
)
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, INTERVALS, MILLISECOND_NS, Interval
from sextant.venues.port import Category, SymbolTable
from sextant.venues.topics import Spelling, TopicReader, Topics
from sextant.venues.wire import (
    Amount,
    Count,
    Milliseconds,
    MillisecondsOrNone,
    Nothing,
    Percent,
    Price,
    Rate,
    maybe,
    positive,
)

MARKET_TRADE: Final = "MARKET"
NO_TRADE: Final = "NA"
"""The kinds of a futures trade: on the book; none at all. The others are of the insurance fund and deleveraging."""


class _Head(msgspec.Struct, gc=False):
    """The one field that says what a frame is; answers have none."""

    topic: str | None = msgspec.field(name="stream", default=None)


class _Depth(msgspec.Struct, gc=False):
    E: Milliseconds
    U: Count
    u: Count
    b: list[tuple[Price, Amount]]
    a: list[tuple[Price, Amount]]
    T: Milliseconds | UnsetType = UNSET
    pu: Count | UnsetType = UNSET


class _DepthFrame(msgspec.Struct, gc=False):
    data: _Depth
    topic: str = msgspec.field(name="stream")


class _Best(msgspec.Struct, gc=False):
    b: Amount
    B: Amount
    a: Amount
    A: Amount
    T: Milliseconds | UnsetType = UNSET


class _BestFrame(msgspec.Struct, gc=False):
    data: _Best
    topic: str = msgspec.field(name="stream")


class _Trade(msgspec.Struct, gc=False):
    p: Amount
    q: Amount
    T: Milliseconds
    m: bool
    t: Count | UnsetType = UNSET
    a: Count | UnsetType = UNSET
    X: str = MARKET_TRADE


class _TradeFrame(msgspec.Struct, gc=False):
    data: _Trade
    topic: str = msgspec.field(name="stream")


class _Kline(msgspec.Struct, gc=False):
    t: Milliseconds
    o: Price
    h: Price
    l: Price  # noqa: E741  # Binance's own name
    c: Price
    v: Amount
    q: Amount
    V: Amount
    x: bool


class _KlineEvent(msgspec.Struct, gc=False):
    E: Milliseconds
    k: _Kline


class _KlineFrame(msgspec.Struct, gc=False):
    data: _KlineEvent
    topic: str = msgspec.field(name="stream")


class _Mark(msgspec.Struct, gc=False):
    E: Milliseconds
    p: Amount
    r: Rate | Nothing
    T: MillisecondsOrNone
    i: Amount | Nothing = ""


class _MarkFrame(msgspec.Struct, gc=False):
    data: _Mark
    topic: str = msgspec.field(name="stream")


class _Day(msgspec.Struct, gc=False):
    E: Milliseconds
    c: Amount
    v: Amount
    q: Amount
    P: Percent


class _DayFrame(msgspec.Struct, gc=False):
    data: _Day
    topic: str = msgspec.field(name="stream")


class _Forced(msgspec.Struct, gc=False):
    s: str
    S: Literal["BUY", "SELL"]
    q: Price
    p: Price
    ap: Amount
    z: Amount
    T: Milliseconds


class _ForcedEvent(msgspec.Struct, gc=False):
    o: _Forced


class _ForcedFrame(msgspec.Struct, gc=False):
    data: _ForcedEvent
    topic: str = msgspec.field(name="stream")


HEAD: Final = msgspec.json.Decoder(_Head)


def _depth(frame: _DepthFrame, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    """A change; futures name the change before it, spot folds every number in between."""
    data = frame.data
    event_ns = (data.E if data.T is UNSET else data.T) * MILLISECOND_NS
    if data.u < data.U:
        raise WireError(f"Binance depth: U {data.U} is above u {data.u}.", reason="value", field="U")
    before = None if data.pu is UNSET else data.pu
    bids: list[Level] = data.b
    return [BookDelta(instrument, event_ns, receive_ns, data.u, data.U, before, bids, data.a)]


def _best(frame: _BestFrame, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    """Best prices; spot does not say when, so the time of arrival dates them."""
    data = frame.data
    event_ns = receive_ns if data.T is UNSET else data.T * MILLISECOND_NS
    bid, ask = data.b or None, data.a or None
    return [
        QuoteUpdate(
            instrument,
            event_ns,
            receive_ns,
            bid,
            None if bid is None else data.B,
            ask,
            None if ask is None else data.A,
        )
    ]


def _trade(frame: _TradeFrame, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    """A trade, or several of one order at one price; futures send rows that are none, of price or size 0."""
    data = frame.data
    if data.X == NO_TRADE or not data.p or not data.q:
        return []
    number = data.a if data.t is UNSET else data.t
    if number is UNSET:
        raise WireError("Binance trade: neither t nor a.", reason="shape", field="t")
    return [
        Trade(
            instrument,
            data.T * MILLISECOND_NS,
            receive_ns,
            str(number),
            data.p,
            data.q,
            -1 if data.m else 1,
            data.X != MARKET_TRADE,
        )
    ]


def _bar(frame: _KlineFrame, instrument: Instrument, receive_ns: int, interval: Interval) -> list[Event]:
    row, event_ns = frame.data.k, frame.data.E * MILLISECOND_NS
    open_ns = row.t * MILLISECOND_NS
    if open_ns % INTERVAL_NS[interval]:
        raise WireError(f"Binance kline: t {row.t} is no multiple of {interval}.", reason="value", field="t")
    try:
        bar = Bar(open_ns, row.o, row.h, row.l, row.c, row.v, row.q, row.V)
    except InputError as error:
        raise WireError(f"Binance kline: {error.message}", reason="value", field="k") from error
    return [BarUpdate(instrument, event_ns, receive_ns, interval, bar, row.x)]


def _mark(frame: _MarkFrame, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    """Mark, index and the funding rate of the coming settlement; dated futures have no funding."""
    data = frame.data
    rate = maybe(data.r)
    funded = bool(data.T) and rate is not None
    return [
        DerivativesUpdate(
            instrument,
            data.E * MILLISECOND_NS,
            receive_ns,
            mark=data.p or None,
            index=positive(data.i),
            funding_rate=rate if funded else None,
            next_funding_ns=data.T * MILLISECOND_NS if funded else None,
        )
    ]


def _day(frame: _DayFrame, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    data = frame.data
    return [
        DerivativesUpdate(
            instrument,
            data.E * MILLISECOND_NS,
            receive_ns,
            last=data.c or None,
            volume_24h=data.v,
            turnover_24h=data.q,
            change_24h_frac=data.P / 100,
        )
    ]


def _forced(frame: _ForcedFrame, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    """A forced order; its side is that of the order, so BUY closes a short. Its mean price where one is stated."""
    row = frame.data.o
    side: Literal["long", "short"] = "short" if row.S == "BUY" else "long"
    event_ns = row.T * MILLISECOND_NS
    return [Liquidation(instrument, event_ns, receive_ns, side, row.ap or row.p, row.z or row.q)]


def _reader(shape: type[msgspec.Struct]) -> msgspec.json.Decoder[msgspec.Struct]:
    return msgspec.json.Decoder(shape, strict=False)


_DEPTH: Final = TopicReader(_reader(_DepthFrame), _depth)
_MARKS: Final = TopicReader(_reader(_MarkFrame), _mark)
_TRADES: Final = TopicReader(_reader(_TradeFrame), _trade)
_BARS: Final = _reader(_KlineFrame)
READERS: Final[dict[str, TopicReader]] = {
    **dict.fromkeys(("depth", "depth@0ms", "depth@100ms", "depth@250ms", "depth@500ms"), _DEPTH),
    "bookTicker": TopicReader(_reader(_BestFrame), _best),
    "trade": _TRADES,
    "aggTrade": _TRADES,
    **dict.fromkeys(("markPrice", "markPrice@1s"), _MARKS),
    "ticker": TopicReader(_reader(_DayFrame), _day),
    "forceOrder": TopicReader(_reader(_ForcedFrame), _forced),
    **{f"kline_{interval}": TopicReader(_BARS, _bar, interval) for interval in INTERVALS},
}


def split(topic: str) -> tuple[str, str]:
    """The kind and the symbol of a stream.

    Examples
    --------
    >>> split("btcusdt@depth@100ms")
    ('depth@100ms', 'BTCUSDT')
    """
    name, _, kind = topic.partition("@")
    return kind, name.upper()


TOPICS: Final = Topics(Spelling("Binance", b'"stream":"', HEAD, split), READERS)


def parse_frame(category: Category, data: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The model events of one frame; none for answers, unknown streams and unlisted symbols.

    Raises
    ------
    WireError
        If the frame does not have the documented shape or a number is not possible; names the field.
    """
    return TOPICS.events(category, data, receive_ns, symbols)
