"""How Kraken's sockets are asked, and what their answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from sextant.errors import WireError
from sextant.model.events import Stream
from sextant.venues.assumed import Shown, assumed_listing
from sextant.venues.dispatch import HEAD
from sextant.venues.library.kraken.frames import BOOK_LEVELS, READERS
from sextant.venues.library.kraken.keeper import text_books
from sextant.venues.library.kraken.wire import NAME, decode
from sextant.venues.port import Category, Control, Listing, Operation, SymbolTable
from sextant.venues.wire import Count

PING: Final = b'{"method":"ping"}'

_CHANNEL: Final[dict[Stream, str]] = {
    "book": "book",
    "trades": "trade",
    "quote": "ticker",
    "bars": "ohlc",
    "derivatives": "ticker",
}
_MORE: Final[dict[str, dict[str, Any]]] = {
    "book": {"depth": BOOK_LEVELS},
    "ticker": {"event_trigger": "bbo"},  # at every change of the best prices, not only at trades
    "trade": {"snapshot": True},  # the last 50; else those of a cut connection are lost
    "ohlc": {"interval": 1},
}
_QUIET: Final = ("status", "heartbeat")


class _Answer(msgspec.Struct, gc=False):
    """An acknowledgement, refusal or pong."""

    method: str = ""
    success: bool | UnsetType = UNSET
    error: str = ""
    req_id: Count | UnsetType = UNSET


class _Named(msgspec.Struct, gc=False):
    symbol: str = ""


class _Rows(msgspec.Struct, gc=False):
    data: list[_Named] | dict[str, msgspec.Raw] = msgspec.field(default_factory=list)


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_ROWS: Final = msgspec.json.Decoder(_Rows)


def parse_control(category: Category, data: bytes, symbols: SymbolTable) -> Control:
    """What a frame without model events was; a heartbeat is a pong that nobody asked for.

    Raises
    ------
    WireError
        If it is neither an answer nor a message of a channel.
    """
    channel = decode(HEAD, data, "frame").channel
    if channel is not UNSET:
        if channel in _QUIET:
            return Control("pong" if channel == "heartbeat" else "quiet", detail=channel)
        if channel not in READERS:
            return Control("unknown_topic", detail=channel)
        rows = decode(_ROWS, data, channel).data
        names = [row.symbol for row in rows] if isinstance(rows, list) else []
        unlisted = [name for name in names if symbols.instrument(category, name) is None]
        if unlisted:
            return Control("unlisted", detail=f"{channel}:{unlisted[0]}")
        return Control("quiet", detail=channel)
    answer = decode(_ANSWER, data, "answer")
    number = "" if answer.req_id is UNSET else str(answer.req_id)
    if answer.method == "pong":
        return Control("pong", number)
    if answer.method in ("subscribe", "unsubscribe") and answer.success is not UNSET:
        return Control("acknowledged" if answer.success else "refused", number, answer.error.lower())
    raise WireError("Kraken frame: neither a channel nor an answer.", reason="shape", field="channel")


def topics(listing: Listing, streams: Sequence[Stream]) -> tuple[str, ...]:
    """The topics that carry the streams of an instrument: channel and symbol, without duplicates."""
    channels = dict.fromkeys(_CHANNEL[stream] for stream in streams if stream in _CHANNEL)
    return tuple(f"{channel}:{listing.symbol}" for channel in channels)


def command(operation: Operation, args: Sequence[str], request_id: str) -> bytes:
    """The message that subscribes to topics of one channel or leaves them."""
    channel = args[0].partition(":")[0]
    names = [topic.partition(":")[2] for topic in args]
    params = {"channel": channel, "symbol": names, **_MORE.get(channel, {})}
    return msgspec.json.encode({"method": operation, "params": params, "req_id": int(request_id)})


def assume(category: Category, data: bytes, receive_ns: int) -> Listing | None:
    """A listing read off a whole book: its symbol, and the most digits that its prices and sizes have.

    Raises
    ------
    WireError
        If the frame is not of the documented shape.
    """
    if decode(HEAD, data, "frame").channel != "book":
        return None
    for book in text_books(data):
        levels = (*book.bids, *book.asks)
        base, _, quote = book.symbol.partition("/")
        prices = [bytes(level.price).decode() for level in levels]
        sizes = [bytes(level.qty).decode() for level in levels]
        shown = Shown(book.symbol, base, quote, "spot", prices, sizes)
        listing = assumed_listing(NAME, category, shown, receive_ns)
        if listing is not None:
            return listing
    return None
