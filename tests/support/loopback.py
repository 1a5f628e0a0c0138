"""Loopback servers that tests script: plain HTTP answers, and a socket that speaks as it is told."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from sextant.kit.clock import ManualClock

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TURNS = 5_000  # of the event loop, each with a socket poll; a test that needs more is stuck


async def settle(until: Callable[[], bool]) -> None:
    """Let the loop turn until something holds; real sockets need turns, not time."""
    for _ in range(_TURNS):
        if until():
            return
        await asyncio.sleep(0)
    # Loopback traffic may need the kernel; after many idle turns grant it real milliseconds, still bounded.
    for _ in range(2_000):
        if until():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("The condition did not come to hold.")


async def advance_until(
    clock: ManualClock, step_s: float, until: Callable[[], bool], most: int = 200
) -> None:
    """Advance the clock in steps, letting the loop turn between, until something holds."""
    for _ in range(most):
        for _ in range(20):
            if until():
                return
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        if until():
            return
        clock.advance(step_s)
    raise AssertionError(f"The condition did not come to hold within {most} steps of {step_s} s.")


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The base URL, without scheme, of a server that gives every request to the handler."""
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_serving(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Host and port of a server that writes bytes as it likes, HTTP or not."""
    tasks: set[asyncio.Task[None]] = set()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await answer(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(eq=False)
class SpokenSocket:
    """The server's end of one connection.

    It acknowledges subscriptions as Bybit does and remembers what was asked; whatever else it says, the test says.
    """

    path: str
    response: web.WebSocketResponse
    asked: list[dict[str, object]] = field(default_factory=list)
    open: bool = True

    def topics(self) -> list[str]:
        """The topics subscribed now, in order."""
        held: dict[str, None] = {}
        for message in self.asked:
            for topic in message.get("args", ()):  # type: ignore[attr-defined]  # a list, by the protocol
                if message["op"] == "subscribe":
                    held[topic] = None
                else:
                    held.pop(topic, None)
        return list(held)

    async def say(self, message: object) -> None:
        """Send one message, as JSON unless it is bytes or text already."""
        if isinstance(message, bytes):
            await self.response.send_bytes(message)
        else:
            await self.response.send_str(message if isinstance(message, str) else json.dumps(message))

    def reset(self) -> None:
        """Cut the connection without a close frame."""
        transport = self.response._req.transport if self.response._req is not None else None
        assert transport is not None
        transport.abort()


class SpokenVenue:
    """A venue's sockets on loopback: acknowledges and answers pings, unless told to be silent."""

    def __init__(self) -> None:
        self.sockets: list[SpokenSocket] = []
        self.pongs = True
        self.acknowledges = True
        self.refuses: set[str] = set()
        self.status: int | None = None
        self.attempts = 0

    @property
    def open(self) -> list[SpokenSocket]:
        """The connections open now, oldest first."""
        return [socket for socket in self.sockets if socket.open]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until either side ends it."""
        self.attempts += 1
        if self.status is not None:
            return web.Response(status=self.status, text="access too frequent")
        response = web.WebSocketResponse(autoping=True)
        await response.prepare(request)
        socket = SpokenSocket(request.path, response)
        self.sockets.append(socket)
        try:
            async for message in response:
                if message.type == aiohttp.WSMsgType.TEXT:
                    await self._hear(socket, json.loads(message.data))
        finally:
            socket.open = False
        return response

    async def _hear(self, socket: SpokenSocket, message: dict[str, object]) -> None:
        socket.asked.append(message) if message["op"] != "ping" else None
        if message["op"] == "ping":
            if self.pongs:
                await socket.say({"success": True, "ret_msg": "pong", "conn_id": "c", "op": "ping"})
            return
        args = message["args"]
        assert isinstance(args, list)
        bad = [topic for topic in args if topic in self.refuses]
        if bad:
            socket.asked.pop()
        if self.acknowledges:
            words = f"error:handler not found,topic:{bad[0]}" if bad else ""
            await socket.say(
                {
                    "success": not bad,
                    "ret_msg": words,
                    "conn_id": "c",
                    "req_id": message["req_id"],
                    "op": message["op"],
                }
            )
