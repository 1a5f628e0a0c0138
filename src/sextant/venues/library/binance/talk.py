"""How Binance's combined streams are asked, and what their answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from sextant.errors import WireError
from sextant.model.events import Stream
from sextant.model.instrument import FIAT_ASSETS, STABLE_ASSETS, Kind
from sextant.venues.assumed import Shown, assumed_listing
from sextant.venues.library.binance.frames import HEAD, TOPICS
from sextant.venues.library.binance.wire import NAME, SPOT, decode
from sextant.venues.port import Category, Control, Listing, Operation, SymbolTable

PING_NUMBER: Final = 0
PING: Final = b'{"method":"GET_PROPERTY","params":["combined"],"id":0}'
"""A question with a short answer: the protocol's own pings come from the venue and are answered below."""

_METHOD: Final[dict[Operation, str]] = {"subscribe": "SUBSCRIBE", "unsubscribe": "UNSUBSCRIBE"}
_SPOT: Final[dict[Stream, tuple[str, ...]]] = {
    "book": ("depth@100ms",),
    "trades": ("aggTrade",),
    "quote": ("bookTicker",),
    "bars": ("kline_1m",),
    "derivatives": ("ticker",),
}
_USDM: Final[dict[Stream, tuple[str, ...]]] = {
    **_SPOT,
    "derivatives": ("markPrice@1s", "ticker"),
    "liquidations": ("forceOrder",),
}
_QUOTES: Final = tuple(sorted(STABLE_ASSETS | FIAT_ASSETS | {"BTC", "ETH", "BNB"}, key=len, reverse=True))


class _Error(msgspec.Struct, gc=False):
    code: int = 0
    msg: str = ""


class _Answer(msgspec.Struct, gc=False):
    """An acknowledgement, a refusal, or a notice of the server, which has its kind in ``e``."""

    id: int | str | None | UnsetType = UNSET
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None
    e: str = ""


class _Levels(msgspec.Struct, gc=False):
    """Levels, or best prices, in the texts of the wire."""

    b: list[tuple[str, str]] | str = ""
    a: list[tuple[str, str]] | str | int = ""
    B: str = ""
    A: str = ""


class _Frame(msgspec.Struct, gc=False):
    data: _Levels
    topic: str = msgspec.field(name="stream")


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_FRAME: Final = msgspec.json.Decoder(_Frame)


def parse_control(category: Category, data: bytes, symbols: SymbolTable) -> Control:
    """What a frame without model events was.

    Raises
    ------
    WireError
        If it is neither an answer nor a message of a stream.
    """
    topic = decode(HEAD, data, "frame").topic
    if topic is not None:
        reader, symbol = TOPICS.kind_of(topic)
        if reader is None:
            return Control("unknown_topic", detail=topic)
        listed = symbols.instrument(category, symbol) is not None
        return Control("quiet" if listed else "unlisted", detail=topic)
    answer = decode(_ANSWER, data, "answer")
    if answer.error is not None:
        number = "" if answer.id is None or answer.id is UNSET else str(answer.id)
        return Control("refused", number, answer.error.msg.lower())
    if isinstance(answer.id, int | str):
        kind = "pong" if answer.id == PING_NUMBER else "acknowledged"
        return Control(kind, str(answer.id))  # type: ignore[arg-type]  # one of two
    if answer.e:
        return Control("unknown_topic", detail=answer.e)
    raise WireError("Binance frame: neither a stream nor an answer.", reason="shape", field="stream")


def topics(listing: Listing, streams: Sequence[Stream]) -> tuple[str, ...]:
    """The streams that carry what is wanted of an instrument, without duplicates, in the order asked."""
    names = _SPOT if listing.category == SPOT else _USDM
    wanted = dict.fromkeys(name for stream in streams for name in names.get(stream, ()))
    return tuple(f"{listing.symbol.lower()}@{name}" for name in wanted)


def command(operation: Operation, args: Sequence[str], request_id: str) -> bytes:
    """The message that subscribes to streams or leaves them."""
    asked = {"method": _METHOD[operation], "params": list(args), "id": int(request_id)}
    return msgspec.json.encode(asked)


def assume(category: Category, data: bytes, receive_ns: int) -> Listing | None:
    """A listing read off a change of a book or best prices: the known quote asset that the symbol ends with, and
    the digits of prices and sizes, which the venue pads to the steps.

    Raises
    ------
    WireError
        If the frame is not of the documented shape.
    """
    topic = decode(HEAD, data, "frame").topic
    if topic is None or topic.partition("@")[2].partition("@")[0] not in ("depth", "bookTicker"):
        return None
    symbol = topic.partition("@")[0].upper()
    quote = next((asset for asset in _QUOTES if symbol.endswith(asset) and symbol != asset), None)
    if quote is None:
        return None
    shown = decode(_FRAME, data, "frame").data
    if isinstance(shown.b, list) and isinstance(shown.a, list):
        prices, sizes = ([level[at] for level in (*shown.b, *shown.a)] for at in (0, 1))
    else:
        prices, sizes = [text for text in (shown.b,) if isinstance(text, str) and text], [shown.B]
    kind: Kind = "spot" if category == SPOT else "perpetual"
    base = symbol.removesuffix(quote)
    return assumed_listing(
        NAME, category, Shown(symbol, base, quote, kind, prices, [size for size in sizes if size]), receive_ns
    )
