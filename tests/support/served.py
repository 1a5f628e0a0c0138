"""The application of a test behind a real HTTP server on loopback, and clients that write raw bytes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn

from sextant.app import http_settings
from support.api import Api


@dataclass(frozen=True)
class Served:
    """An API that listens on loopback."""

    api: Api
    port: int

    async def exchange(self, data: bytes, *, seconds: float = 5.0) -> bytes:
        """All that comes back for some bytes until the server closes, or some seconds have passed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        answer = b""
        try:
            writer.write(data)
            await writer.drain()
            async with asyncio.timeout(seconds):
                while part := await reader.read(65_536):
                    answer += part
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.transport.abort()
        return answer


class _Listening(uvicorn.Server):
    """A server that says when it listens; the signals of the test run are left alone."""

    def __init__(self, settings: uvicorn.Config) -> None:
        super().__init__(settings)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.listening.set()


@asynccontextmanager
async def served(api: Api) -> AsyncIterator[Served]:
    """The API on a free port of loopback, with the settings of the product."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind(("127.0.0.1", 0))
    server = _Listening(http_settings(api.app))
    task = asyncio.create_task(server._serve(sockets=[bound]))
    try:
        await server.listening.wait()
        yield Served(api, bound.getsockname()[1])
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
        bound.close()
