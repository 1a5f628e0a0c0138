"""What Bybit's public sockets say, as model events."""

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
    Liquidation,
    QuoteUpdate,
    Trade,
)
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, MILLISECOND_NS, Interval
from sextant.venues.library.bybit.inverse import CATEGORY as INVERSE
from sextant.venues.library.bybit.inverse import in_base, one_side
from sextant.venues.library.bybit.wire import decode
from sextant.venues.port import Category, SymbolTable
from sextant.venues.wire import (
    UNREADABLE,
    Amount,
    Change,
    Count,
    Milliseconds,
    MillisecondsOrNone,
    Nothing,
    Price,
    Rate,
    maybe,
    positive,
)

HOUR_S: Final = 3_600

INTERVAL_OF: Final[dict[str, Interval]] = {
    "1": "1m",
    "5": "5m",
    "30": "30m",
    "60": "1h",
    "240": "4h",
    "D": "1d",
}


class _Head(msgspec.Struct, gc=False):
    """The one field that says what a frame is."""

    topic: str | UnsetType = UNSET


class _Levels(msgspec.Struct, gc=False):
    b: list[tuple[Price, Amount]]
    a: list[tuple[Price, Amount]]
    u: Count


class _Book(msgspec.Struct, gc=False):
    topic: str
    type: Literal["snapshot", "delta"]
    ts: Milliseconds
    data: _Levels
    cts: Milliseconds = 0


class _Trade(msgspec.Struct, gc=False):
    T: Milliseconds
    S: Literal["Buy", "Sell"]
    v: Price  # above 0, as a price: nothing traded is no trade
    p: Price
    i: str
    BT: bool = False


class _Trades(msgspec.Struct, gc=False):
    topic: str
    data: list[_Trade]


class _Liquidation(msgspec.Struct, gc=False):
    T: Milliseconds
    S: Literal["Buy", "Sell"]
    v: Price
    p: Price


class _Liquidations(msgspec.Struct, gc=False):
    topic: str
    data: list[_Liquidation]


class _Bar(msgspec.Struct, gc=False):
    start: Milliseconds
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount
    turnover: Amount
    confirm: bool


class _Bars(msgspec.Struct, gc=False):
    topic: str
    ts: Milliseconds
    data: list[_Bar]


class Facts(msgspec.Struct, gc=False):
    """The latest facts of one instrument, as sockets and REST state them alike."""

    lastPrice: Amount | Nothing | UnsetType = UNSET  # noqa: N815  # Bybit's own names, here and below
    volume24h: Amount | Nothing | UnsetType = UNSET
    turnover24h: Amount | Nothing | UnsetType = UNSET
    price24hPcnt: Change | Nothing | UnsetType = UNSET  # noqa: N815
    markPrice: Amount | Nothing | UnsetType = UNSET  # noqa: N815
    indexPrice: Amount | Nothing | UnsetType = UNSET  # noqa: N815
    fundingRate: Rate | Nothing | UnsetType = UNSET  # noqa: N815
    fundingIntervalHour: Count | Nothing | UnsetType = UNSET  # noqa: N815
    nextFundingTime: MillisecondsOrNone | Nothing | UnsetType = UNSET  # noqa: N815
    openInterest: Amount | Nothing | UnsetType = UNSET  # noqa: N815
    singleOpenInterest: Amount | Nothing | UnsetType = UNSET  # noqa: N815
    bid1Price: Amount | Nothing | UnsetType = UNSET  # noqa: N815
    bid1Size: Amount | Nothing | UnsetType = UNSET  # noqa: N815
    ask1Price: Amount | Nothing | UnsetType = UNSET  # noqa: N815
    ask1Size: Amount | Nothing | UnsetType = UNSET  # noqa: N815


class InverseFacts(Facts, gc=False):
    """The same of an inverse contract, whose value in base coins is needed besides."""

    openInterestValue: Amount | Nothing | UnsetType = UNSET  # noqa: N815


class _InverseFacts(msgspec.Struct, gc=False):
    topic: str
    ts: Milliseconds
    data: InverseFacts


class _Facts(msgspec.Struct, gc=False):
    topic: str
    ts: Milliseconds
    data: Facts


HEAD: Final = msgspec.json.Decoder(_Head, strict=False)
_BOOK: Final = msgspec.json.Decoder(_Book, strict=False)
_TRADES: Final = msgspec.json.Decoder(_Trades, strict=False)
_LIQUIDATIONS: Final = msgspec.json.Decoder(_Liquidations, strict=False)
_BARS: Final = msgspec.json.Decoder(_Bars, strict=False)
_INVERSE_FACTS: Final = msgspec.json.Decoder(_InverseFacts, strict=False)
_FACTS: Final = msgspec.json.Decoder(_Facts, strict=False)

_NO_SIDES: Final = (UNSET,) * 4
_NO_REST: Final = (UNSET,) * 11


def _standing(levels: list[Level]) -> list[Level]:
    """The levels that exist; a book that replaces another deletes nothing."""
    return [level for level in levels if level[1] > 0.0]


def _book(frame: _Book, instrument: Instrument, receive_ns: int, levels: int) -> list[Event]:
    """A change, or a whole book: a snapshot, or update number 1 after a restart of the service.

    The matching time dates it where it is sent: the time of sending moves even when the book is frozen.
    """
    data = frame.data
    update, event_ns = data.u, (frame.cts or frame.ts) * MILLISECOND_NS
    if frame.type == "delta" and update != 1:
        return [BookDelta(instrument, event_ns, receive_ns, update, update, None, data.b, data.a)]
    if not data.b and not data.a:
        return [BookCleared(instrument, event_ns, receive_ns, "empty_book")]
    bids, asks = _standing(data.b), _standing(data.a)
    return [BookSnapshot(instrument, event_ns, receive_ns, update, levels, bids, asks)]


def _best(frame: _Book, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    """A quote from the one-level book, which is never the instrument's book."""
    data, event_ns = frame.data, (frame.cts or frame.ts) * MILLISECOND_NS
    whole = frame.type == "snapshot" or data.u == 1
    bid, ask = _side(data.b, max, whole=whole), _side(data.a, min, whole=whole)
    return [QuoteUpdate(instrument, event_ns, receive_ns, *bid, *ask)]


def _side(
    levels: list[Level], best: Callable[[list[Level]], Level], *, whole: bool
) -> tuple[float | None | UnsetType, float | None | UnsetType]:
    standing = _standing(levels)
    if standing:
        return best(standing)
    # A side that is empty in a whole book, or whose only level was deleted, is empty; else it did not change.
    return (None, None) if whole or levels else (UNSET, UNSET)


def _trades(frame: _Trades, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    return [
        Trade(
            instrument,
            row.T * MILLISECOND_NS,
            receive_ns,
            row.i,
            row.p,
            row.v,
            1 if row.S == "Buy" else -1,
            row.BT,
        )
        for row in frame.data
    ]


def _liquidations(frame: _Liquidations, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    """Bybit's side is the side of the position: Buy says that a long was liquidated."""
    return [
        Liquidation(
            instrument,
            row.T * MILLISECOND_NS,
            receive_ns,
            "long" if row.S == "Buy" else "short",
            row.p,
            row.v,
        )
        for row in frame.data
    ]


def _bars(frame: _Bars, instrument: Instrument, receive_ns: int, interval: Interval) -> list[Event]:
    event_ns = frame.ts * MILLISECOND_NS
    events: list[Event] = []
    for row in frame.data:
        open_ns = row.start * MILLISECOND_NS
        if open_ns % INTERVAL_NS[interval]:
            raise WireError(
                f"Bybit kline: start {row.start} is no multiple of {interval}.", reason="value", field="start"
            )
        try:
            bar = Bar(open_ns, row.open, row.high, row.low, row.close, row.volume, row.turnover)
        except InputError as error:
            raise WireError(f"Bybit kline: {error.message}", reason="value", field="data") from error
        events.append(BarUpdate(instrument, event_ns, receive_ns, interval, bar, row.confirm))
    return events


def _facts(frame: _Facts, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    return facts_events(frame.data, instrument, frame.ts * MILLISECOND_NS, receive_ns)


def facts_events(facts: Facts, instrument: Instrument, event_ns: int, receive_ns: int) -> list[Event]:
    """The quote and the derivatives facts that the message mentions; neither where it mentions none.

    Notes
    -----
    Open interest is one side: ``singleOpenInterest`` where it is sent, else half of ``openInterest``,
    which sums both sides.
    """
    events: list[Event] = []
    # Most messages mention two or four fields; the rest is not touched for them.
    sides = (facts.bid1Price, facts.bid1Size, facts.ask1Price, facts.ask1Size)
    if sides != _NO_SIDES:
        bid, bid_size, ask, ask_size = sides
        events.append(
            QuoteUpdate(
                instrument,
                event_ns,
                receive_ns,
                positive(bid),
                maybe(bid_size),
                positive(ask),
                maybe(ask_size),
            )
        )
    rest = (
        facts.lastPrice,
        facts.volume24h,
        facts.turnover24h,
        facts.price24hPcnt,
        facts.markPrice,
        facts.indexPrice,
        facts.fundingRate,
        facts.fundingIntervalHour,
        facts.nextFundingTime,
        facts.singleOpenInterest,
        facts.openInterest,
    )
    if rest != _NO_REST:
        events.append(_derivatives(facts, instrument, event_ns, receive_ns))
    return events


def inverse_events(
    facts: InverseFacts, instrument: Instrument, event_ns: int, receive_ns: int
) -> list[Event]:
    """The quote and the facts of an inverse contract, in base units and dollars, as :func:`facts_events`."""
    both = one_side(facts.openInterest, facts.openInterestValue, facts.singleOpenInterest)
    return [
        msgspec.structs.replace(event, open_interest=both) if isinstance(event, DerivativesUpdate) else event
        for event in in_base(facts_events(facts, instrument, event_ns, receive_ns))
    ]


def _inverse_facts(frame: _InverseFacts, instrument: Instrument, receive_ns: int, _: None) -> list[Event]:
    """Facts without the quote: a message may mention a size in dollars without the price that makes it base units."""
    events = inverse_events(frame.data, instrument, frame.ts * MILLISECOND_NS, receive_ns)
    return [event for event in events if isinstance(event, DerivativesUpdate)]


def _derivatives(facts: Facts, instrument: Instrument, event_ns: int, receive_ns: int) -> DerivativesUpdate:
    return DerivativesUpdate(
        instrument,
        event_ns,
        receive_ns,
        positive(facts.lastPrice),
        maybe(facts.volume24h),
        maybe(facts.turnover24h),
        maybe(facts.price24hPcnt),
        positive(facts.markPrice),
        positive(facts.indexPrice),
        maybe(facts.fundingRate),
        _times(facts.fundingIntervalHour, HOUR_S),
        _times(facts.nextFundingTime, MILLISECOND_NS),
        _one_side(facts),
    )


def _times(value: int | Nothing | UnsetType, unit: int) -> int | None | UnsetType:
    """A time in its model unit; None for the empty text and for 0, both "does not apply"."""
    if value is UNSET:
        return UNSET
    return value * unit if value else None


def _one_side(facts: Facts) -> float | None | UnsetType:
    single = maybe(facts.singleOpenInterest)
    if single is not UNSET:
        return single
    both = maybe(facts.openInterest)
    return both / 2 if isinstance(both, float) else both


def _of_inverse(
    build: Callable[[Any, Instrument, int, Any], list[Event]],
) -> Callable[[Any, Instrument, int, Any], list[Event]]:
    def built(frame: Any, instrument: Instrument, receive_ns: int, stated: Any) -> list[Event]:
        return in_base(build(frame, instrument, receive_ns, stated))

    return built


class _Reader(NamedTuple):
    """How a kind of topic is read: its documented shape, what builds events of it, and what the topic states."""

    decoder: msgspec.json.Decoder[Any]
    build: Callable[[Any, Instrument, int, Any], list[Event]]
    stated: int | Interval | None = None


READERS: Final[dict[str, _Reader]] = {
    "orderbook.1": _Reader(_BOOK, _best),
    "orderbook.50": _Reader(_BOOK, _book, 50),
    "orderbook.200": _Reader(_BOOK, _book, 200),
    "orderbook.1000": _Reader(_BOOK, _book, 1000),
    "publicTrade": _Reader(_TRADES, _trades),
    "tickers": _Reader(_FACTS, _facts),
    "allLiquidation": _Reader(_LIQUIDATIONS, _liquidations),
    **{f"kline.{text}": _Reader(_BARS, _bars, interval) for text, interval in INTERVAL_OF.items()},
}
INVERSE_READERS: Final[dict[str, _Reader]] = {
    **{kind: reader._replace(build=_of_inverse(reader.build)) for kind, reader in READERS.items()},
    "tickers": _Reader(_INVERSE_FACTS, _inverse_facts),
}
_MARK: Final = b'"topic":"'
_MARK_BYTES: Final = len(_MARK)


def parse_frame(category: Category, data: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The model events of one frame, in its order; none for answers, unknown topics and unlisted symbols.

    Parameters
    ----------
    category
        Of the socket the frame came from: the same symbol names different instruments on each.
    data
        The text of one message.
    receive_ns
        When it arrived.
    symbols
        Instruments by symbol.

    Notes
    -----
    The topic is guessed by searching the bytes, so that a frame is decoded once and not twice; the guess is
    believed only when the decoded frame bears that topic. Every other frame is read from its head.

    Raises
    ------
    WireError
        If the frame does not have the documented shape or a number is not possible; names the field.
    """
    start = data.find(_MARK) + _MARK_BYTES
    guess = data[start : data.find(b'"', start)]
    route = symbols.routes(category).get(guess)
    if route is not None:
        topic, unpack, build, instrument, stated = route
        try:
            frame = unpack(data)
        except UNREADABLE:
            return _read_slowly(category, data, receive_ns, symbols)
        if frame.topic == topic:
            events: list[Event] = build(frame, instrument, receive_ns, stated)
            return events
    return _read_slowly(category, data, receive_ns, symbols)


def _read_slowly(category: Category, data: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    topic = decode(HEAD, data, "frame").topic
    if topic is UNSET:
        return []
    kind, _, symbol = topic.rpartition(".")
    reader = (INVERSE_READERS if category == INVERSE else READERS).get(kind)
    instrument = symbols.instruments(category).get(symbol)
    if reader is None or instrument is None:
        return []
    frame = decode(reader.decoder, data, kind)
    route = (topic, reader.decoder.decode, reader.build, instrument, reader.stated)
    symbols.routes(category)[topic.encode()] = route
    return reader.build(frame, instrument, receive_ns, reader.stated)
