"""The channel a frame names, in its venue's own words; for counting what a recording holds, never for reading it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

_PUSHED: Final = ("update", "all")
"""Gate.io's events of messages that are of their channel; every other event, of whatever venue, is an answer."""

UNNAMED: Final = "unnamed"
NO_JSON: Final = "no JSON"
TOO_DEEP: Final = "nested too deep"
LONGEST: Final = 64


class _Named(msgspec.Struct, gc=False):
    """Fields by which the venues name a channel and the kind of message; any of them may be absent."""

    topic: Any = None
    stream: Any = None
    channel: Any = None
    table: Any = None
    feed: Any = None
    arg: Any = None
    params: Any = None
    e: Any = None
    event: Any = None
    op: Any = None
    method: Any = None
    type: Any = None
    action: Any = None


_DECODER: Final = msgspec.json.Decoder(_Named | list[msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)


def channel_of(data: bytes) -> str:
    """The channel and kind of message of a frame, without its instrument.

    Examples
    --------
    >>> channel_of(b'{"topic":"orderbook.200.BTCUSDT","type":"delta","data":{}}')
    'orderbook.200 delta'
    >>> channel_of(b'{"stream":"btcusdt@depth@100ms","data":{}}')
    'depth@100ms'
    >>> channel_of(b'{"params":{"channel":"book.BTC-PERPETUAL.100ms","data":{"type":"change"}}}')
    'book change'
    >>> channel_of(b'[1665,{"as":[]},"book-1000","WAVES/EUR"]')
    'book-1000'
    """
    try:
        named = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return NO_JSON
    except RecursionError:
        return TOO_DEEP
    if isinstance(named, list):
        return _of_list(named)
    words = (named.type, named.action, _inner_type(named))
    kind = next((word for word in words if isinstance(word, str)), "")
    channel = _channel(named)
    text = f"{channel} {kind}" if kind and kind != channel else channel
    return text.strip()[:LONGEST] or UNNAMED


def _channel(named: _Named) -> str:
    if isinstance(named.topic, str):
        # Bybit ends with the symbol behind a dot, KuCoin with symbols behind a colon.
        return named.topic.partition(":")[0] if ":" in named.topic else _without_last(named.topic)
    if isinstance(named.stream, str):
        return named.stream.partition("@")[2] or named.stream
    if isinstance(named.event, str) and named.event not in _PUSHED:
        return named.event  # an answer to a subscription may repeat the channel
    for inner in (named.arg, named.params):
        if isinstance(inner, dict) and isinstance(inner.get("channel"), str):
            return str(inner["channel"]).partition(".")[0]
    words = (named.channel, named.table, named.feed, named.e, named.event, named.op, named.method)
    return next((word for word in words if isinstance(word, str)), "")


def _inner_type(named: _Named) -> Any:
    """The kind of message that stands beside the data of a notification, as Deribit's books say it."""
    data = named.params.get("data") if isinstance(named.params, dict) else None
    return data.get("type") if isinstance(data, dict) else None


def _without_last(topic: str) -> str:
    return topic.rpartition(".")[0] or topic


def _of_list(parts: list[msgspec.Raw]) -> str:
    """The channel of a list: its last text but one."""
    try:
        return _TEXT.decode(parts[-2])[:LONGEST]
    except (IndexError, msgspec.DecodeError):
        return UNNAMED
