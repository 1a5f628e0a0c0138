"""How Coinbase's sockets are asked, and what their answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sextant.errors import WireError
from sextant.model.events import Stream
from sextant.venues.dispatch import HEAD
from sextant.venues.library.coinbase.frames import READERS
from sextant.venues.library.coinbase.wire import decode
from sextant.venues.port import Category, Control, Listing, Operation, SymbolTable

HEARTBEATS: Final = b'{"type":"subscribe","channel":"heartbeats"}'
"""Asking for heartbeats again changes nothing but is answered: a ping, and what keeps quiet channels open."""

_CHANNEL: Final[dict[Stream, str]] = {
    "book": "level2",
    "trades": "market_trades",
    "quote": "ticker",
    "bars": "candles",
    "derivatives": "ticker",
}


class _Event(msgspec.Struct, gc=False):
    """Where a frame names its products: beside its rows, or in each of them."""

    product_id: str = ""
    trades: list[dict[str, Any]] = msgspec.field(default_factory=list)
    tickers: list[dict[str, Any]] = msgspec.field(default_factory=list)
    candles: list[dict[str, Any]] = msgspec.field(default_factory=list)

    def names(self) -> list[str]:
        rows = (*self.trades, *self.tickers, *self.candles)
        named = [str(row.get("product_id", "")) for row in rows]
        return [self.product_id, *named] if self.product_id else named


class _Frame(msgspec.Struct, gc=False):
    events: list[_Event]


class _Answer(msgspec.Struct, gc=False):
    type: str = ""
    message: str = ""


_FRAME: Final = msgspec.json.Decoder(_Frame)
_ANSWER: Final = msgspec.json.Decoder(_Answer)


def parse_control(category: Category, data: bytes, symbols: SymbolTable) -> Control:
    """What a frame without model events was; a heartbeat is a pong.

    Raises
    ------
    WireError
        If it is neither an answer nor a message of a channel.
    """
    channel = decode(HEAD, data, "frame").channel
    if isinstance(channel, str):
        if channel in ("subscriptions", "heartbeats"):
            return Control("pong" if channel == "heartbeats" else "acknowledged", detail=channel)
        if channel not in READERS:
            return Control("unknown_topic", detail=channel)
        names = [name for event in decode(_FRAME, data, channel).events for name in event.names()]
        unlisted = [name for name in names if symbols.instrument(category, name) is None]
        if unlisted:
            return Control("unlisted", detail=f"{channel}:{unlisted[0]}"[:100])
        return Control("quiet", detail=channel)
    answer = decode(_ANSWER, data, "answer")
    if answer.type == "error":
        return Control("refused", detail=answer.message[:200].lower())
    raise WireError("Coinbase frame: neither a channel nor an error.", reason="shape", field="channel")


def topics(listing: Listing, streams: Sequence[Stream]) -> tuple[str, ...]:
    """The topics that carry the streams of an instrument: channel and symbol, without duplicates."""
    channels = dict.fromkeys(_CHANNEL[stream] for stream in streams if stream in _CHANNEL)
    return tuple(f"{channel}:{listing.symbol}" for channel in channels)


def command(operation: Operation, args: Sequence[str], _: str) -> bytes:
    """The message that subscribes to topics of one channel or leaves them; the venue takes no number."""
    channel = args[0].partition(":")[0]
    names = [topic.partition(":")[2] for topic in args]
    return msgspec.json.encode({"type": operation, "product_ids": names, "channel": channel})
