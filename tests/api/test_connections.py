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


async def test_answers_in_one_piece_keep_their_order_and_end_as_the_client_wants(server: Served) -> None:
    _, bearer = await server.api.onboarded()
    await server.api.discover(bearer)
    token = bearer["Authorization"]
    poll = (
        f"GET /api/v1/opportunities/status/latest HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n".encode()
    )
    # Three at once on one connection: whole, by the router, and whole again, which is asked to be the last.
    answer = await server.exchange(
        poll + b"X-Request-ID: first-of-three\r\n\r\n" + PING + b"\r\n" + poll + CLOSE
    )
    heads = [part for part in answer.split(b"HTTP/1.1 ") if part]
    assert [head[:3] for head in heads] == [b"200", b"200", b"200"]
    assert b"x-request-id: first-of-three\r\n" in heads[0]
    assert b'"status":"ok"' in heads[1]
    assert b"connection: close\r\n" in heads[2]
    assert b"connection: close" not in heads[0]
    body = heads[2].partition(b"\r\n\r\n")[2]
    assert len(body) == int(heads[2].lower().split(b"content-length: ")[1].split(b"\r\n")[0])


async def test_a_poll_of_what_is_known_has_no_body_and_no_length(server: Served) -> None:
    _, bearer = await server.api.onboarded()
    await server.api.discover(bearer)
    known = await server.api.client.get("/api/v1/opportunities/status/latest", headers=bearer)
    request = (
        "GET /api/v1/opportunities/status/latest HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {bearer['Authorization']}\r\nIf-None-Match: {known.headers['ETag']}\r\n"
    )
    answer = await server.exchange(request.encode() + CLOSE)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert (body, b"content-length" in head) == (b"", False)
    assert f"etag: {known.headers['ETag']}".encode() in head
