"""What Bybit's public sockets say, as model events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
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
    Liquidation,
    QuoteUpdate,
    Stream,
    Trade,
)
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, MILLISECOND_NS, Interval
from sextant.venues.library.bybit.wire import (
    Amount,
    Change,
    Count,
    Milliseconds,
    MillisecondsOrNone,
    Nothing,
    Price,
    Rate,
    decode,
    maybe,
    positive,
)
from sextant.venues.port import Category, Control, Listing, Operation, SymbolTable

BOOK_LEVELS: Final = 50  # pushed every 20 ms; deep enough for 10 levels a side and the depth bands
HOUR_S: Final = 3_600

INTERVAL_OF: Final[dict[str, Interval]] = {
    "1": "1m",
    "5": "5m",
    "30": "30m",
    "60": "1h",
    "240": "4h",
    "D": "1d",
}


class Frame(msgspec.Struct, gc=False):
    """The envelope of every frame; the data stay undecoded until the topic has said what they are."""

    topic: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    ts: Milliseconds | UnsetType = UNSET
    cts: Milliseconds | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET


class _Answer(msgspec.Struct, gc=False):
    """An acknowledgement, refusal or pong; option and private sockets spell the pong differently."""

    op: str = ""
    success: bool | UnsetType = UNSET
    ret_msg: str = ""
    req_id: str = ""


class _Book(msgspec.Struct, gc=False):
    b: list[tuple[Price, Amount]]
    a: list[tuple[Price, Amount]]
    u: Count


class _Trade(msgspec.Struct, gc=False):
    T: Milliseconds
    S: Literal["Buy", "Sell"]
    v: Price  # above 0, as a price: nothing traded is no trade
    p: Price
    i: str
    BT: bool = False


class _Liquidation(msgspec.Struct, gc=False):
    T: Milliseconds
    S: Literal["Buy", "Sell"]
    v: Price
    p: Price


class _Bar(msgspec.Struct, gc=False):
    start: Milliseconds
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount
    turnover: Amount
    confirm: bool


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


_FRAME: Final = msgspec.json.Decoder(Frame, strict=False)
_ANSWER: Final = msgspec.json.Decoder(_Answer, strict=False)
_BOOK: Final = msgspec.json.Decoder(_Book, strict=False)
_TRADES: Final = msgspec.json.Decoder(list[_Trade], strict=False)
_LIQUIDATIONS: Final = msgspec.json.Decoder(list[_Liquidation], strict=False)
_BARS: Final = msgspec.json.Decoder(list[_Bar], strict=False)
_FACTS: Final = msgspec.json.Decoder(Facts, strict=False)

_NO_SIDES: Final = (UNSET,) * 4
_NO_REST: Final = (UNSET,) * 10


def _data(frame: Frame) -> msgspec.Raw:
    if frame.data is UNSET:
        raise WireError(f"Bybit {frame.topic}: the field data is missing.", reason="shape", field="data")
    return frame.data


def _ts_ns(frame: Frame) -> int:
    if frame.ts is UNSET:
        raise WireError(f"Bybit {frame.topic}: the field ts is missing.", reason="shape", field="ts")
    return frame.ts * MILLISECOND_NS


def _book_ns(frame: Frame) -> int:
    """The matching time where the venue states it: the time of sending moves even when the book is frozen."""
    return _ts_ns(frame) if frame.cts is UNSET else frame.cts * MILLISECOND_NS


def _standing(levels: list[Level]) -> list[Level]:
    """The levels that exist; a book that replaces another deletes nothing."""
    return [level for level in levels if level[1] > 0.0]


def _replaces(frame: Frame, update: int) -> bool:
    """Whether the message replaces the book: a snapshot, or update number 1 after a restart of the service."""
    if frame.type == "delta":
        return update == 1
    if frame.type == "snapshot":
        return True
    raise WireError(
        f"Bybit {frame.topic}: type is {frame.type!r}, neither snapshot nor delta.",
        reason="shape",
        field="type",
    )


def _book(frame: Frame, instrument: Instrument, receive_ns: int, *, levels: int) -> list[Event]:
    book = decode(_BOOK, _data(frame), "orderbook")
    event_ns = _book_ns(frame)
    if not _replaces(frame, book.u):
        return [BookDelta(instrument, event_ns, receive_ns, book.u, book.u, None, book.b, book.a)]
    if not book.b and not book.a:
        return [BookCleared(instrument, event_ns, receive_ns, "empty_book")]
    bids, asks = _standing(book.b), _standing(book.a)
    return [BookSnapshot(instrument, event_ns, receive_ns, book.u, levels, bids, asks)]


def _best(frame: Frame, instrument: Instrument, receive_ns: int) -> list[Event]:
    """A quote from the one-level book, which is never the instrument's book."""
    book = decode(_BOOK, _data(frame), "orderbook.1")
    whole = _replaces(frame, book.u)
    update = QuoteUpdate(
        instrument,
        _book_ns(frame),
        receive_ns,
        *_side(book.b, max, whole=whole),
        *_side(book.a, min, whole=whole),
    )
    return [update]


def _side(
    levels: list[Level], best: Callable[[list[Level]], Level], *, whole: bool
) -> tuple[float | None | UnsetType, float | None | UnsetType]:
    standing = _standing(levels)
    if standing:
        return best(standing)
    # A side that is empty in a whole book, or whose only level was deleted, is empty; else it did not change.
    return (None, None) if whole or levels else (UNSET, UNSET)


def _trades(frame: Frame, instrument: Instrument, receive_ns: int) -> list[Event]:
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
        for row in decode(_TRADES, _data(frame), "publicTrade")
    ]


def _liquidations(frame: Frame, instrument: Instrument, receive_ns: int) -> list[Event]:
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
        for row in decode(_LIQUIDATIONS, _data(frame), "allLiquidation")
    ]


def _bars(frame: Frame, instrument: Instrument, receive_ns: int, *, interval: Interval) -> list[Event]:
    event_ns = _ts_ns(frame)
    events: list[Event] = []
    for row in decode(_BARS, _data(frame), "kline"):
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


def _facts(frame: Frame, instrument: Instrument, receive_ns: int) -> list[Event]:
    return facts_events(decode(_FACTS, _data(frame), "tickers"), instrument, _ts_ns(frame), receive_ns)


def facts_events(facts: Facts, instrument: Instrument, event_ns: int, receive_ns: int) -> list[Event]:
    """The quote and the derivatives facts that the message mentions; neither where it mentions none.

    Notes
    -----
    Open interest is one side: ``singleOpenInterest`` where it is sent, else half of ``openInterest``,
    which sums both sides.
    """
    events: list[Event] = []
    sides = (
        positive(facts.bid1Price),
        maybe(facts.bid1Size),
        positive(facts.ask1Price),
        maybe(facts.ask1Size),
    )
    if sides != _NO_SIDES:
        events.append(QuoteUpdate(instrument, event_ns, receive_ns, *sides))
    rest = (
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
    if rest != _NO_REST:
        events.append(DerivativesUpdate(instrument, event_ns, receive_ns, *rest))
    return events


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


_Read = Callable[[Frame, Instrument, int], list[Event]]

_READERS: Final[dict[str, _Read]] = {
    "orderbook.1": _best,
    "orderbook.50": partial(_book, levels=50),
    "orderbook.200": partial(_book, levels=200),
    "orderbook.1000": partial(_book, levels=1000),
    "publicTrade": _trades,
    "tickers": _facts,
    "allLiquidation": _liquidations,
    **{f"kline.{text}": partial(_bars, interval=interval) for text, interval in INTERVAL_OF.items()},
}


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

    Raises
    ------
    WireError
        If the frame does not have the documented shape or a number is not possible; names the field.
    """
    frame = decode(_FRAME, data, "frame")
    topic = frame.topic
    if topic is UNSET:
        return []
    kind, _, symbol = topic.rpartition(".")
    read = _READERS.get(kind)
    if read is None:
        return []
    instrument = symbols.instruments(category).get(symbol)
    if instrument is None:
        return []
    return read(frame, instrument, receive_ns)


def parse_control(category: Category, data: bytes, symbols: SymbolTable) -> Control:
    """What a frame without model events was.

    Raises
    ------
    WireError
        If it is neither an answer nor a message of a topic.
    """
    frame = decode(_FRAME, data, "frame")
    if frame.topic is not UNSET:
        topic = str(frame.topic)
        kind, _, symbol = topic.rpartition(".")
        if kind not in _READERS:
            return Control("unknown_topic", detail=topic)
        listed = symbols.instrument(category, symbol) is not None
        return Control("quiet" if listed else "unlisted", detail=topic)
    answer = decode(_ANSWER, data, "answer")
    if answer.op in ("ping", "pong"):
        return Control("pong", answer.req_id)
    if answer.op in ("subscribe", "unsubscribe") and answer.success is not UNSET:
        return Control("acknowledged" if answer.success else "refused", answer.req_id, answer.ret_msg)
    raise WireError("Bybit frame: neither a topic nor an answer.", reason="shape", field="topic")


def topics(listing: Listing, streams: Sequence[Stream]) -> tuple[str, ...]:
    """The topics that carry the streams of an instrument, without duplicates, in the order asked.

    Notes
    -----
    Spot facts carry no quote, so a spot quote comes from the one-level book; liquidations exist only
    where there are positions.
    """
    spot = listing.category == "spot"
    prefixes: dict[Stream, str | None] = {
        "book": f"orderbook.{BOOK_LEVELS}",
        "trades": "publicTrade",
        "quote": "orderbook.1" if spot else "tickers",
        "bars": "kline.1",
        "derivatives": "tickers",
        "liquidations": None if spot else "allLiquidation",
    }
    wanted = dict.fromkeys(prefixes[stream] for stream in streams)
    return tuple(f"{prefix}.{listing.symbol}" for prefix in wanted if prefix is not None)


def command(operation: Operation, args: Sequence[str], request_id: str) -> bytes:
    """The message that subscribes to topics or leaves them."""
    return msgspec.json.encode({"req_id": request_id, "op": operation, "args": list(args)})
