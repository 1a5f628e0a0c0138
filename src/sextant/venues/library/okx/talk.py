"""How OKX's sockets are asked, and what their answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from sextant.errors import WireError
from sextant.model.events import Stream
from sextant.venues.library.okx.frames import HEAD, PONG, READERS
from sextant.venues.library.okx.wire import decode
from sextant.venues.port import Category, Control, Listing, Operation, SymbolTable

PING: Final = b"ping"

_CHANNELS: Final[dict[Stream, tuple[str, ...]]] = {
    "book": ("books",),
    "trades": ("trades",),
    "quote": ("tickers",),
    "bars": ("candle1m",),
    "derivatives": ("tickers", "funding-rate", "mark-price", "open-interest"),
}
_ONLY: Final = {
    "funding-rate": ("perpetual",),
    "mark-price": ("perpetual", "future"),
    "open-interest": ("perpetual", "future"),
}
"""Kinds of instruments that a channel is of; the others are of all."""


class _Answer(msgspec.Struct, gc=False):
    """An acknowledgement, a refusal, or a notice."""

    event: str = ""
    id: str = ""
    code: str = ""
    msg: str = ""


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def parse_control(category: Category, data: bytes, symbols: SymbolTable) -> Control:
    """What a frame without model events was; the pong is no JSON.

    Raises
    ------
    WireError
        If it is neither an answer nor a message of a channel.
    """
    if data == PONG:
        return Control("pong")
    head = decode(HEAD, data, "frame")
    if head.event:
        answer = decode(_ANSWER, data, "answer")
        if answer.event in ("subscribe", "unsubscribe"):
            return Control("acknowledged", answer.id)
        if answer.event == "error":
            return Control("refused", answer.id, f"{answer.code} {answer.msg}"[:200].lower())
        return Control("quiet", answer.id, answer.event[:64])
    if head.arg is None:
        raise WireError("OKX frame: neither a channel nor an answer.", reason="shape", field="arg")
    topic = f"{head.arg.channel}:{head.arg.instId}"[:100]
    if head.arg.channel not in READERS:
        return Control("unknown_topic", detail=topic)
    listed = symbols.instrument(category, head.arg.instId) is not None
    return Control("quiet" if listed else "unlisted", detail=topic)


def topics(listing: Listing, streams: Sequence[Stream]) -> tuple[str, ...]:
    """The topics that carry the streams of an instrument: channel and symbol, without duplicates."""
    kind = listing.instrument.kind
    wanted = dict.fromkeys(channel for stream in streams for channel in _CHANNELS.get(stream, ()))
    return tuple(f"{channel}:{listing.symbol}" for channel in wanted if kind in _ONLY.get(channel, (kind,)))


def command(operation: Operation, args: Sequence[str], request_id: str) -> bytes:
    """The message that subscribes to topics or leaves them."""
    named = (topic.partition(":") for topic in args)
    asked = [{"channel": channel, "instId": symbol} for channel, _, symbol in named]
    return msgspec.json.encode({"id": request_id, "op": operation, "args": asked})
