"""How Deribit's sockets are asked, and what their answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from sextant.errors import WireError
from sextant.model.events import Stream
from sextant.venues.library.deribit.frames import HEAD, READERS, channel_parts
from sextant.venues.library.deribit.wire import Refusal, decode, listed
from sextant.venues.port import Category, Control, Listing, Operation, SymbolTable

PING_ID: Final = 0
"""Number of the question by which a connection is kept; subscriptions count from 1."""

PING: Final = msgspec.json.encode({"jsonrpc": "2.0", "id": PING_ID, "method": "public/test", "params": {}})

_PREFIX: Final[dict[Stream, str]] = {
    "book": "book",
    "trades": "trades",
    "liquidations": "trades",
    "quote": "ticker",
    "derivatives": "ticker",
}
_OF_OPTIONS: Final[tuple[Stream, ...]] = ("quote", "derivatives")


class _Answer(msgspec.Struct, gc=False):
    """An acknowledgement, a refusal, or the answer that proves life."""

    id: int | UnsetType = UNSET
    result: Any = UNSET
    error: Refusal | UnsetType = UNSET


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def parse_control(category: Category, data: bytes, symbols: SymbolTable) -> Control:  # noqa: ARG001  # as frames
    """What a frame without model events was.

    Notes
    -----
    A subscription is answered by the channels that were accepted; one that holds none was refused. The answer to
    ``public/test`` is an object.

    Raises
    ------
    WireError
        If it is neither an answer nor a message of a channel.
    """
    head = decode(HEAD, data, "frame")
    if head.params is not UNSET:
        kind, symbol = channel_parts(head.params.channel)
        if kind not in READERS:
            return Control("unknown_topic", detail=head.params.channel)
        quiet = listed(symbols, symbol) is not None
        return Control("quiet" if quiet else "unlisted", detail=head.params.channel)
    answer = decode(_ANSWER, data, "answer")
    request_id = "" if answer.id is UNSET else str(answer.id)
    if answer.error is not UNSET:
        return Control("refused", request_id, f"{answer.error.code}: {answer.error.message}")
    if isinstance(answer.result, list):
        return Control("acknowledged" if answer.result else "refused", request_id, "no such channel")
    if isinstance(answer.result, dict):
        return Control("pong", request_id)
    raise WireError("Deribit frame: neither a channel nor an answer.", reason="shape", field="params")


def topics(listing: Listing, streams: Sequence[Stream]) -> tuple[str, ...]:
    """The channels that carry the streams of an instrument, without duplicates, in the order asked.

    Notes
    -----
    Of an option only its quote and facts are asked for, every two seconds: a thousand books would be read by nobody.
    The unaggregated channels are for logged-in users.
    """
    option = listing.instrument.kind == "option"
    prefixes = dict.fromkeys(
        _PREFIX[stream] for stream in streams if stream in _PREFIX and (not option or stream in _OF_OPTIONS)
    )
    return tuple(f"{prefix}.{listing.symbol}.{'agg2' if option else '100ms'}" for prefix in prefixes)


def command(operation: Operation, args: Sequence[str], request_id: str) -> bytes:
    """The message that subscribes to channels or leaves them."""
    return msgspec.json.encode(
        {
            "jsonrpc": "2.0",
            "id": int(request_id),
            "method": f"public/{operation}",
            "params": {"channels": list(args)},
        }
    )
