"""One client on one public socket: its topics, its queue, and frames written past the library."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from sextant.sim.limits import Counters
from sextant.sim.universe import Listing

_QUEUED: Final = 20_000
_TEXT: Final = 0x1
_CONTINUED: Final = 0x0
_PING: Final = 0x9
_LAST: Final = 0x80


@dataclass(frozen=True, slots=True)
class Bare:
    """Octets written to the connection as they are; they must be whole WebSocket frames."""

    octets: bytes


Frame = str | bytes | Bare


def fragments(text: str, parts: int = 3) -> Bare:
    """The text as one message in ``parts`` frames."""
    payload = text.encode()
    step = max(1, -(-len(payload) // parts))
    pieces = [payload[place : place + step] for place in range(0, len(payload), step)] or [b""]
    made = b""
    for number, piece in enumerate(pieces):
        kind = _TEXT if number == 0 else _CONTINUED
        made += _framed(kind | (_LAST if number == len(pieces) - 1 else 0), piece)
    return Bare(made)


def broken_text() -> Bare:
    """A text frame whose payload is not UTF-8."""
    return Bare(_framed(_TEXT | _LAST, b'{"topic":"\xff\xfe"}'))


def ping(payload: bytes) -> Bare:
    """A ping of the protocol, of at most 125 octets."""
    return Bare(_framed(_PING | _LAST, payload))


def _framed(first: int, payload: bytes) -> bytes:
    """One unmasked frame, as servers send them (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


class Session:
    """One client on one public socket.

    Parameters
    ----------
    socket
        The accepted connection.
    category
        linear, spot or misc/status, from the path.
    number
        Which connection of this simulation; its id follows from it.
    now_ms
        Moment of acceptance.
    """

    def __init__(self, socket: web.WebSocketResponse, category: str, number: int, now_ms: int) -> None:
        self.socket = socket
        self.category = category
        self.id = f"sim-{number:06d}-{category.replace('/', '-')}"
        self.topics: dict[str, Listing] = {}
        self.characters = 0
        self.hears_notices = False
        self.heard_ms = now_ms
        self.muted_until_ms = 0
        self.now_ms = now_ms
        self.sent_ms = now_ms
        self.began_ms = now_ms
        self.asked = False
        self.numbered = 0
        self.queue: asyncio.Queue[Frame] = asyncio.Queue(_QUEUED)
        self.transport: asyncio.Transport | None = None
        self.closing: asyncio.Task[bool] | None = None

    def close(self, code: int, message: bytes) -> None:
        """Start the closing handshake; the connection's handler waits for its end."""
        if self.closing is None:
            self.closing = asyncio.create_task(
                self.socket.close(code=code, message=message), name=f"close {self.id}"
            )

    def put(self, frame: Frame) -> bool:
        """Queue a frame; False if the client has stopped reading."""
        if self.now_ms < self.muted_until_ms:
            return True
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            return False
        self.sent_ms = self.now_ms
        return True

    async def write(self, counters: Counters) -> None:
        """Send what is queued until the session ends."""
        while True:
            frame = await self.queue.get()
            counters.frames += 1
            try:
                if isinstance(frame, Bare):
                    if self.transport is not None:
                        self.transport.write(frame.octets)
                elif isinstance(frame, str):
                    await self.socket.send_str(frame)
                else:
                    await self.socket.send_bytes(frame)
            except ConnectionError:
                return
