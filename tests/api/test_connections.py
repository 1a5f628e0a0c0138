from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from sextant.api import connections
from support.api import api_on
from support.database import sqlite
from support.served import Served, served

CLOSE = b"Connection: close\r\n\r\n"
PING = b"GET /api/v1/health/ping HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with sqlite(tmp_path) as db, api_on(db) as api, served(api) as server:
        yield server


async def test_a_request_is_answered_and_the_connection_kept(server: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(3):
        writer.write(PING + b"\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


@pytest.mark.parametrize("begun", [b"", b"GET /api/v1/health", PING + b"X-Slow: a"])
async def test_a_head_that_does_not_come_is_cut(
    server: Served, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.15)
    begun_s = time.monotonic()
    answer = await server.exchange(begun)
    assert b"200" not in answer
    assert time.monotonic() - begun_s < 2.0


async def test_a_dribbled_head_is_cut_also_on_a_kept_connection(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(PING + b"\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    begun_s = time.monotonic()
    closed = asyncio.create_task(reader.read())
    for byte in PING:
        if closed.done():
            break
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)
    await asyncio.wait_for(closed, 2.0)
    assert time.monotonic() - begun_s < 1.5
    writer.close()


async def test_a_head_without_end_is_cut_before_it_fills_the_memory(server: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(PING)
    sent = 0
    try:
        while sent < 8 * 1024 * 1024:
            writer.write(b"X-Header: " + b"a" * 8_000 + b"\r\n")
            sent += 8_010
            await writer.drain()
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    assert sent < 8 * 1024 * 1024, "the server read on"
    with suppress(ConnectionError):
        assert b"200" not in await asyncio.wait_for(reader.read(100), 2.0)
    writer.transport.abort()


async def test_headers_within_the_bound_of_the_wire_are_refused_in_words(server: Served) -> None:
    head = PING + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 4_000) for n in range(5)) + CLOSE
    answer = await server.exchange(head)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"reason":"header"' in answer


async def test_a_wish_for_another_protocol_is_not_granted(server: Served) -> None:
    wish = PING + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"
    answer = await server.exchange(wish, seconds=0.5)
    assert answer.startswith(b"HTTP/1.1 200"), "the wish is ignored, the request answered"


async def test_a_proxy_on_this_machine_says_who_the_caller_is(server: Served) -> None:
    ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
    assert (await server.exchange(ask + CLOSE)).startswith(b"HTTP/1.1 200"), (
        "this machine needs no credential"
    )
    forwarded = ask + b"X-Forwarded-For: 198.51.100.4\r\n" + CLOSE
    assert (await server.exchange(forwarded)).startswith(b"HTTP/1.1 401")
