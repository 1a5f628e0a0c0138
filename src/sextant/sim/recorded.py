"""A recorded session on loopback: its answers by path, and its frames at the pace at which they arrived.

::

    venue = RecordedVenue(SystemClock(), frames)
    async with hosted({"/": venue}, 0) as address:
        address + "/api/v3/exchangeInfo"        the recorded answer
        address.replace("http", "ws") + "/stream"   every frame of the recorded connection

Nothing is made up: what was not recorded is answered with 404.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import orjson
from aiohttp import WSMsgType, web

from sextant.errors import InputError
from sextant.kit.clock import Clock
from sextant.kit.frames import Frame

_NANOSECONDS: Final = 1_000_000_000
_GREATEST_REQUEST: Final = 1 << 20
_NAMES: Final = ("symbol", "instId", "instrument_name", "pair", "category")
"""Parameters that must agree where a recorded question has them."""

Reply = Callable[[str], Sequence[str]]
"""A message of a client to what is answered at once, in the words of the venue: its acknowledgements."""


def _nothing(_: str) -> Sequence[str]:
    return ()


def acknowledged(text: str) -> Sequence[str]:
    """What Binance, Bybit or KuCoin says to a subscription or a ping of a client; nothing to any other message.

    Examples
    --------
    >>> acknowledged('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":3}')
    ['{"result":null,"id":3}']
    >>> acknowledged('{"id":"0","type":"ping"}')
    ['{"id":"0","type":"pong"}']
    """
    try:
        asked = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ()
    if not isinstance(asked, dict):
        return ()
    if "method" in asked and "id" in asked:
        answer = {"result": None if "SUBSCRIBE" in str(asked["method"]) else True, "id": asked["id"]}
    elif "op" in asked:
        words = "pong" if asked["op"] == "ping" else ""
        answer = {"success": True, "ret_msg": words, "conn_id": "recorded", "op": asked["op"]}
        answer |= {"req_id": asked["req_id"]} if "req_id" in asked else {}
    elif "type" in asked and "id" in asked:
        answer = {"id": asked["id"], "type": "pong" if asked["type"] == "ping" else "ack"}
    else:
        return ()
    return [orjson.dumps(answer).decode()]


@dataclass(slots=True)
class _Line:
    """One recorded connection."""

    path: str
    opened_ns: int
    frames: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Question:
    """One recorded answer, and what was asked."""

    path: str
    asked: tuple[tuple[str, str], ...]
    body: bytes


class RecordedVenue:
    """Plays a recording to whoever connects.

    Parameters
    ----------
    clock
        Whose time the frames keep.
    frames
        The recording, in order.
    reply
        What is said to a client's message beside the recording.
    pace
        How many seconds of the recording pass in one of the clock.

    Raises
    ------
    InputError
        If the recording has no connection.

    Notes
    -----
    A client that connects gets the first connection of that path whose frames nobody has been sent, or the last one again.
    A question is answered with the recorded answer of its path whose parameters agree best; an instrument that a recorded
    question names must be the one asked for.
    """

    def __init__(
        self, clock: Clock, frames: Iterable[Frame], reply: Reply = _nothing, pace: float = 1.0
    ) -> None:
        self._clock = clock
        self._reply = reply
        self._pace = pace
        self._lines: list[_Line] = []
        self._questions: list[_Question] = []
        self._sockets: set[web.WebSocketResponse] = set()
        self._taken: set[int] = set()
        self.base_url = ""
        self.heard: list[str] = []
        self.played = 0
        self._read(frames)
        if not self._lines:
            raise InputError("The recording has no connection.")

    def _read(self, frames: Iterable[Frame]) -> None:
        lines: dict[str, _Line] = {}
        for frame in frames:
            if frame.kind == "open":
                line = lines[frame.connection] = _Line(urlsplit(frame.address).path or "/", frame.receive_ns)
                self._lines.append(line)
            elif frame.kind == "received" and frame.connection in lines:
                lines[frame.connection].frames.append((frame.receive_ns, frame.data))
            elif frame.kind == "http":
                parts = urlsplit(frame.address)
                self._questions.append(_Question(parts.path, tuple(parse_qsl(parts.query)), frame.data))

    async def run(self) -> None:
        """Frames are sent by their connections; nothing else happens."""

    async def close(self) -> None:
        """Say goodbye to every socket."""
        going = list(self._sockets)
        await asyncio.gather(*(socket.close(code=1001) for socket in going), return_exceptions=True)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The reply to any request that reaches the port."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            line = self._line(request.path)
            return web.Response(status=404) if line is None else await self._serve(request, line)
        body = self._body(request.path, dict(request.query))
        if body is None:
            return web.Response(status=404, text="not recorded")
        return web.Response(body=body, content_type="application/json", charset="utf-8")

    def _line(self, path: str) -> _Line | None:
        own = [row for row, line in enumerate(self._lines) if line.path.rstrip("/") == path.rstrip("/")]
        if not own:
            return None
        row = next((row for row in own if row not in self._taken), own[-1])
        self._taken.add(row)
        return self._lines[row]

    def _body(self, path: str, asked: dict[str, str]) -> bytes | None:
        best, found = -1, None
        for question in self._questions:
            if question.path != path:
                continue
            if any(name in _NAMES and asked.get(name) != value for name, value in question.asked):
                continue
            agree = sum(asked.get(name) == value for name, value in question.asked)
            if agree > best:
                best, found = agree, question.body
        return found

    async def _serve(self, request: web.Request, line: _Line) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=_GREATEST_REQUEST)
        await socket.prepare(request)
        self._sockets.add(socket)
        playing = asyncio.create_task(self._play(socket, line), name=f"play {line.path}")
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.heard.append(message.data)
                    for text in self._reply(message.data):
                        await socket.send_str(text)
        finally:
            self._sockets.discard(socket)
            playing.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await playing
        return socket

    async def _play(self, socket: web.WebSocketResponse, line: _Line) -> None:
        """Send each frame when as much time has passed here as had in the recording."""
        begun_ns = self._clock.monotonic_ns()
        for receive_ns, data in line.frames:
            due_ns = int((receive_ns - line.opened_ns) / self._pace)
            while (left_ns := due_ns - (self._clock.monotonic_ns() - begun_ns)) > 0:
                await self._clock.sleep(left_ns / _NANOSECONDS)
            await socket.send_str(data.decode())
            self.played += 1
