"""What Deribit's public sockets say, as model events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from sextant.errors import WireError
from sextant.model.events import BookDelta, BookSnapshot, Event, Level, Liquidation, Trade
from sextant.model.instrument import Instrument, Style
from sextant.model.times import MILLISECOND_NS
from sextant.venues.library.deribit.facts import Facts, Stated, facts_events
from sextant.venues.library.deribit.wire import (
    Amount,
    AmountOrNone,
    Count,
    Milliseconds,
    Price,
    SignedOrNone,
    decode,
    listed,
)
from sextant.venues.port import Category, SymbolTable

BOOK_LEVELS: Final = 10_000  # the whole book is sent; no side was ever seen to come near

_Change = tuple[Literal["new", "change", "delete"], Price, Amount]


class _Params(msgspec.Struct, gc=False):
    channel: str
    data: msgspec.Raw


class Head(msgspec.Struct, gc=False):
    """The fields that say what a frame is."""

    method: str | UnsetType = UNSET
    params: _Params | UnsetType = UNSET


class _Book(msgspec.Struct, gc=False):
    type: Literal["snapshot", "change"]
    timestamp: Milliseconds
    change_id: Count
    bids: list[_Change]
    asks: list[_Change]
    prev_change_id: Count | None = None


class _Trade(msgspec.Struct, gc=False):
    trade_id: str
    timestamp: Milliseconds
    price: Price
    amount: Price  # above 0, as a price: nothing traded is no trade
    direction: Literal["buy", "sell"]
    block_trade_id: str | None = None
    liquidation: Literal["M", "T", "MT"] | None = None


class _Greeks(msgspec.Struct, gc=False):
    delta: SignedOrNone = UNSET
    gamma: SignedOrNone = UNSET
    vega: SignedOrNone = UNSET
    theta: SignedOrNone = UNSET


class _Stats(msgspec.Struct, gc=False):
    volume: AmountOrNone = UNSET
    volume_usd: AmountOrNone = UNSET
    price_change: SignedOrNone = UNSET


class _Facts(Facts):
    timestamp: Milliseconds = msgspec.field(default=0)
    greeks: _Greeks = msgspec.field(default_factory=_Greeks)
    stats: _Stats = msgspec.field(default_factory=_Stats)


HEAD: Final = msgspec.json.Decoder(Head)
_BOOK: Final = msgspec.json.Decoder(_Book)
_TRADES: Final = msgspec.json.Decoder(list[_Trade])
_FACTS: Final = msgspec.json.Decoder(_Facts)


def _levels(changes: list[_Change], *, in_quote: bool) -> list[Level]:
    """Changed levels; amounts of inverse perpetuals and futures are in quote units and become base units."""
    return [
        (price, 0.0 if action == "delete" else amount / price if in_quote else amount)
        for action, price, amount in changes
    ]


def _book(book: _Book, whose: _Whose) -> list[Event]:
    in_quote = whose.style == "inverse" and whose.instrument.kind != "option"
    bids, asks = (_levels(side, in_quote=in_quote) for side in (book.bids, book.asks))
    event_ns = book.timestamp * MILLISECOND_NS
    if book.type == "snapshot":
        return [
            BookSnapshot(
                whose.instrument,
                event_ns,
                whose.receive_ns,
                book.change_id,
                BOOK_LEVELS,
                [level for level in bids if level[1] > 0.0],
                [level for level in asks if level[1] > 0.0],
            )
        ]
    if book.prev_change_id is None:
        raise WireError(
            "Deribit book: a change without prev_change_id.", reason="shape", field="prev_change_id"
        )
    return [
        BookDelta(
            whose.instrument,
            event_ns,
            whose.receive_ns,
            book.change_id,
            book.change_id,
            book.prev_change_id,
            bids,
            asks,
        )
    ]


def _trades(trades: list[_Trade], whose: _Whose) -> list[Event]:
    in_quote = whose.style == "inverse" and whose.instrument.kind != "option"
    events: list[Event] = []
    for row in trades:
        event_ns = row.timestamp * MILLISECOND_NS
        size = row.amount / row.price if in_quote else row.amount
        taken: Literal[-1, 1] = 1 if row.direction == "buy" else -1
        block = row.block_trade_id is not None
        events.append(
            Trade(whose.instrument, event_ns, whose.receive_ns, row.trade_id, row.price, size, taken, block)
        )
        for side in row.liquidation or "":
            # A taker who was liquidated by buying had been short; the maker stood on the other side.
            bought = (taken > 0) == (side == "T")
            position: Literal["long", "short"] = "short" if bought else "long"
            events.append(
                Liquidation(whose.instrument, event_ns, whose.receive_ns, position, row.price, size)
            )
    return events


def _facts(facts: _Facts, whose: _Whose) -> list[Event]:
    if not facts.timestamp:
        raise WireError("Deribit ticker: no timestamp.", reason="shape", field="timestamp")
    for part in (facts.greeks, facts.stats):
        for name in part.__struct_fields__:
            setattr(facts, name, getattr(part, name))
    stated = Stated(whose.instrument, whose.style, facts.timestamp * MILLISECOND_NS, whose.receive_ns)
    return facts_events(facts, stated)


class _Whose(NamedTuple):
    """Whose message it is, and when it arrived."""

    instrument: Instrument
    style: Style
    receive_ns: int


class _Reader(NamedTuple):
    """How a kind of channel is read: its documented shape, and what builds events of it."""

    decoder: msgspec.json.Decoder[Any]
    build: Callable[[Any, _Whose], list[Event]]


READERS: Final[dict[str, _Reader]] = {
    "book": _Reader(_BOOK, _book),
    "trades": _Reader(_TRADES, _trades),
    "ticker": _Reader(_FACTS, _facts),
}


def channel_parts(channel: str) -> tuple[str, str]:
    """The kind of a channel and its symbol.

    Examples
    --------
    >>> channel_parts("book.BTC-PERPETUAL.100ms")
    ('book', 'BTC-PERPETUAL')
    """
    kind, _, rest = channel.partition(".")
    return kind, rest.rpartition(".")[0]


def parse_frame(category: Category, data: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:  # noqa: ARG001  # a symbol names one thing on every connection
    """The model events of one frame, in its order; none for answers, unknown channels and unlisted symbols.

    Raises
    ------
    WireError
        If the frame does not have the documented shape or a number is not possible; names the field.
    """
    params = decode(HEAD, data, "frame").params
    if params is UNSET:
        return []
    kind, symbol = channel_parts(params.channel)
    reader, instrument = READERS.get(kind), listed(symbols, symbol)
    listing = None if instrument is None else symbols.listing(instrument)
    if reader is None or instrument is None or listing is None:
        return []
    message = decode(reader.decoder, params.data, kind)
    return reader.build(message, _Whose(instrument, listing.spec.style, receive_ns))
