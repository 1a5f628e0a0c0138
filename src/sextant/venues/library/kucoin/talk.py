"""How KuCoin's sockets are found and asked, and what their answers mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sextant.errors import WireError
from sextant.model.events import Stream
from sextant.venues.library.kucoin.frames import HEAD, TOPICS
from sextant.venues.library.kucoin.rest import CODES
from sextant.venues.library.kucoin.wire import decode
from sextant.venues.port import Category, Control, Door, Listing, Operation, Request, SymbolTable

PING: Final = b'{"id":"0","type":"ping"}'
HOST: Final = ".kucoin.com"

_TOPIC: Final[dict[Stream, str]] = {
    "book": "/market/level2:{}",
    "trades": "/market/match:{}",
    "quote": "/market/ticker:{}",
    "bars": "/market/candles:{}_1min",
    "derivatives": "/market/snapshot:{}",
}


class _Answer(msgspec.Struct, gc=False):
    type: str = ""
    id: str = ""
    code: int = 0
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Server(msgspec.Struct):
    endpoint: str
    protocol: str = ""


class _Servers(msgspec.Struct):
    token: str
    instanceServers: list[_Server]  # noqa: N815  # KuCoin's own name


_ANSWER: Final = msgspec.json.Decoder(_Answer, strict=False)
_SERVERS: Final = msgspec.json.Decoder(_Servers)


def parse_control(category: Category, data: bytes, symbols: SymbolTable) -> Control:
    """What a frame without model events was.

    Raises
    ------
    WireError
        If it is neither an answer nor a message of a topic.
    """
    topic = decode(HEAD, data, "frame").topic
    if topic is not None:
        reader, symbol = TOPICS.kind_of(topic)
        if reader is None:
            return Control("unknown_topic", detail=topic[:100])
        listed = symbols.instrument(category, symbol) is not None
        return Control("quiet" if listed else "unlisted", detail=topic[:100])
    answer = decode(_ANSWER, data, "answer")
    if answer.type == "ack":
        return Control("acknowledged", answer.id)
    if answer.type == "pong":
        return Control("pong", answer.id)
    if answer.type == "welcome":
        return Control("quiet", detail="welcome")
    if answer.type == "error":
        words = bytes(answer.data)[:200].decode("utf-8", "replace").lower()
        return Control("refused", answer.id, f"{answer.code} {words}")
    raise WireError("KuCoin frame: neither a topic nor an answer.", reason="shape", field="topic")


def topics(listing: Listing, streams: Sequence[Stream]) -> tuple[str, ...]:
    """The topics that carry the streams of an instrument."""
    return tuple(_TOPIC[stream].format(listing.symbol) for stream in streams if stream in _TOPIC)


def command(operation: Operation, args: Sequence[str], request_id: str) -> bytes:
    """The message that subscribes to topics of one channel or leaves them."""
    channel = args[0].partition(":")[0]
    names = ",".join(topic.partition(":")[2] for topic in args)
    asked = {
        "id": request_id,
        "type": operation,
        "topic": f"{channel}:{names}",
        "privateChannel": False,
        "response": True,
    }
    return msgspec.json.encode(asked)


def _reader(scheme: str, host: str) -> Callable[[bytes], str]:
    """Reads the address of a socket, with the token that opens it; only servers of that scheme and end of the host are taken."""

    def address(body: bytes) -> str:
        """The address of a socket.

        Raises
        ------
        VenueError
            If the answer is an error, lacks the documented shape, or names a server that is not the venue's.
        """
        found = CODES.answered(_SERVERS, body, "bullet-public")
        for server in found.instanceServers:
            spoken, _, rest = server.endpoint.partition("://")
            if spoken == scheme and rest.partition("/")[0].partition(":")[0].endswith(host):
                return f"{server.endpoint.rstrip('?')}?token={found.token}"
        raise WireError(
            "KuCoin bullet-public: no server of its own.", reason="value", field="data.instanceServers"
        )

    return address


def _moved(sockets: str) -> Callable[[bytes], str]:
    """Reads the address of a socket of a venue whose servers are where ``sockets`` is."""
    scheme, _, rest = sockets.partition("://")
    return _reader(scheme, rest.partition("/")[0].partition(":")[0])


DOOR: Final = Door(
    request=Request("/api/v1/bullet-public", post=True), parse=_reader("wss", HOST), moved=_moved
)
