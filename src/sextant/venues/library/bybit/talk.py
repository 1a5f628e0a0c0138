"""How Bybit's sockets are asked, and what their answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from sextant.errors import WireError
from sextant.model.events import Stream
from sextant.venues.library.bybit.frames import HEAD, READERS
from sextant.venues.library.bybit.wire import decode
from sextant.venues.port import Category, Control, Listing, Operation, SymbolTable

BOOK_LEVELS: Final = 50  # pushed every 20 ms; deep enough for 10 levels a side and the depth bands


class _Answer(msgspec.Struct, gc=False):
    """An acknowledgement, refusal or pong; option and private sockets spell the pong differently."""

    op: str = ""
    success: bool | UnsetType = UNSET
    ret_msg: str = ""
    req_id: str = ""


_ANSWER: Final = msgspec.json.Decoder(_Answer, strict=False)


def parse_control(category: Category, data: bytes, symbols: SymbolTable) -> Control:
    """What a frame without model events was.

    Raises
    ------
    WireError
        If it is neither an answer nor a message of a topic.
    """
    topic = decode(HEAD, data, "frame").topic
    if topic is not UNSET:
        kind, _, symbol = topic.rpartition(".")
        if kind not in READERS:
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
    Spot facts carry no quote, and those of inverse contracts may carry a size in dollars without its price, so both
    quotes come from the one-level book; liquidations exist only where there are positions.
    """
    spot, linear = listing.category == "spot", listing.category == "linear"
    prefixes: dict[Stream, str | None] = {
        "book": f"orderbook.{BOOK_LEVELS}",
        "trades": "publicTrade",
        "quote": "tickers" if linear else "orderbook.1",
        "bars": "kline.1",
        "derivatives": "tickers",
        "liquidations": None if spot else "allLiquidation",
    }
    wanted = dict.fromkeys(prefixes[stream] for stream in streams)
    return tuple(f"{prefix}.{listing.symbol}" for prefix in wanted if prefix is not None)


def command(operation: Operation, args: Sequence[str], request_id: str) -> bytes:
    """The message that subscribes to topics or leaves them."""
    return msgspec.json.encode({"req_id": request_id, "op": operation, "args": list(args)})
