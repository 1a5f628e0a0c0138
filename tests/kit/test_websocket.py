from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import struct
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sextant.errors import Throttled, Unreachable
from sextant.kit.clock import Deadline, ManualClock, SystemClock
from sextant.kit.websocket import Closed, SocketSettings, connect
from support.certificates import certificate
from support.loopback import raw_serving, serving, settle

NOW_NS = 1_786_310_817_000_000_000


class Ears:
    def __init__(self) -> None:
        self.heard: list[tuple[int, bytes]] = []

    def __call__(self, receive_ns: int, message: bytes) -> None:
        self.heard.append((receive_ns, message))


async def _echo(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    async for message in response:
        if message.type == aiohttp.WSMsgType.TEXT and message.data == "leave":
            await response.close(code=1012, message=b"service restart")
        elif message.type == aiohttp.WSMsgType.TEXT:
            await response.send_str(message.data)
    return response


async def test_a_message_arrives_whole_with_the_time_of_the_clock() -> None:
    clock, ears = ManualClock(NOW_NS), Ears()
    async with serving(_echo) as host:
        connection = await connect(f"ws://{host}/v5", ears, clock, Deadline(clock, 5))
        connection.send(b'{"op":"ping"}')
        await settle(lambda: len(ears.heard) == 1)
        connection.close()
        assert ears.heard == [(NOW_NS, b'{"op":"ping"}')]
        assert await connection.closed() == Closed(1000, "")


@pytest.mark.parametrize("code", [1000, 1001, 1012, 4001])
async def test_the_close_code_of_the_peer_is_told(code: int) -> None:
    async def leave(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        await response.close(code=code, message=b"going")
        return response

    clock = ManualClock()
    async with serving(leave) as host:
        connection = await connect(f"ws://{host}/", Ears(), clock, Deadline(clock, 5))
        assert await connection.closed() == Closed(code, "going")


async def test_a_connection_that_breaks_without_a_close_frame_is_1006() -> None:
    async def cut(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        assert request.transport is not None
        request.transport.abort()
        return response

    clock = ManualClock()
    async with serving(cut) as host:
        connection = await connect(f"ws://{host}/", Ears(), clock, Deadline(clock, 5))
        assert (await connection.closed()).code == 1006
        connection.send(b"too late")


async def test_a_message_above_the_limit_closes_with_1009() -> None:
    clock, ears = ManualClock(), Ears()
    async with serving(_echo) as host:
        connection = await connect(
            f"ws://{host}/", ears, clock, Deadline(clock, 5), SocketSettings(message_bytes=1000)
        )
        connection.send(b"x" * 1000)
        await settle(lambda: len(ears.heard) == 1)
        connection.send(b"x" * 1001)
        assert (await connection.closed()).code == 1009
        assert len(ears.heard) == 1


def _frame(opcode: int, payload: bytes, *, final: bool) -> bytes:
    """A server's frame by RFC 6455, section 5.2; at most 125 bytes of payload."""
    return struct.pack("!BB", (0x80 if final else 0) | opcode, len(payload)) + payload


async def _upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    magic = key.split(b":")[1].strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(magic).digest())  # noqa: S324  # the protocol's own choice
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


async def test_fragments_are_joined_and_binary_and_empty_messages_pass() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _upgrade(reader, writer)
        writer.write(_frame(1, b'{"a":', final=False) + _frame(9, b"hi", final=True))
        writer.write(_frame(0, b"1", final=False) + _frame(0, b"}", final=True))
        writer.write(_frame(2, b"\x00\xff", final=True) + _frame(1, b"", final=True))
        await reader.read()

    clock, ears = ManualClock(), Ears()
    async with raw_serving(speak) as host:
        connection = await connect(f"ws://{host}/", ears, clock, Deadline(clock, 5))
        await settle(lambda: len(ears.heard) == 3)
        connection.abort()
    assert [message for _, message in ears.heard] == [b'{"a":1}', b"\x00\xff", b""]


async def test_fragments_that_together_exceed_the_limit_close_with_1009() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _upgrade(reader, writer)
        writer.write(_frame(1, b"x" * 100, final=False))
        for _ in range(10):
            writer.write(_frame(0, b"x" * 100, final=False))
        await reader.read()

    clock, ears = ManualClock(), Ears()
    async with raw_serving(speak) as host:
        settings = SocketSettings(message_bytes=1000)
        connection = await connect(f"ws://{host}/", ears, clock, Deadline(clock, 5), settings)
        assert (await connection.closed()).code == 1009
    assert not ears.heard


async def test_a_receiver_that_raises_ends_the_connection_and_is_not_hidden() -> None:
    def broken(_: int, __: bytes) -> None:
        raise ZeroDivisionError

    clock = ManualClock()
    async with serving(_echo) as host:
        connection = await connect(f"ws://{host}/", broken, clock, Deadline(clock, 5))
        connection.send(b"x")
        with pytest.raises(ZeroDivisionError):
            await connection.closed()


async def test_a_host_that_never_answers_the_handshake_is_given_up_at_the_deadline() -> None:
    arrived = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        arrived.set()
        await reader.read()

    clock = ManualClock()
    async with raw_serving(mute) as host:
        opening = asyncio.ensure_future(connect(f"ws://{host}/", Ears(), clock, Deadline(clock, 10)))
        await arrived.wait()
        clock.advance(9.9)
        await asyncio.sleep(0)
        assert not opening.done()
        clock.advance(0.2)
        with pytest.raises(Unreachable, match="within 10 s") as raised:
            await opening
        assert raised.value.reason == "timeout"


@pytest.mark.parametrize(("status", "wait_s"), [(403, 60.0), (429, 30.0)])
async def test_a_refused_handshake_asks_for_silence(status: int, wait_s: float) -> None:
    async def refuse(_: web.Request) -> web.Response:
        headers = {"Retry-After": "30"} if status == 429 else {}
        return web.Response(status=status, headers=headers, text="access too frequent")

    clock = ManualClock()
    async with serving(refuse) as host:
        with pytest.raises(Throttled) as raised:
            await connect(f"ws://{host}/", Ears(), clock, Deadline(clock, 5))
    assert raised.value.retry_after_s == wait_s
    assert (raised.value.facts["status"], raised.value.facts["body"]) == (status, b"access too frequent")


async def test_a_redirected_handshake_is_not_followed() -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/other"})

    clock = ManualClock()
    async with serving(elsewhere) as host:
        with pytest.raises(Unreachable) as raised:
            await connect(f"ws://{host}/first", Ears(), clock, Deadline(clock, 5))
    assert raised.value.reason == "handshake"
    assert asked == ["/first"]


async def test_a_closed_port_and_plain_text_behind_wss_are_named() -> None:
    clock = SystemClock()
    async with serving(_echo) as host:
        with pytest.raises(Unreachable) as tls:
            await connect(f"wss://{host}/", Ears(), clock, Deadline(clock, 5))
    with pytest.raises(Unreachable) as closed:
        await connect(f"ws://{host}/", Ears(), clock, Deadline(clock, 5))
    assert isinstance(tls.value.__cause__, ssl.SSLError)
    assert (tls.value.reason, closed.value.reason) == ("tls", "connect")


@pytest.mark.parametrize(
    ("made", "trusted", "good"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"days": -1}, True, False),
        ({"address": "127.0.0.2"}, True, False),
    ],
    ids=["trusted", "self-signed", "expired", "another name"],
)
async def test_only_a_trusted_certificate_of_this_host_and_time_is_accepted(
    tmp_path: Path, made: dict[str, Any], trusted: bool, good: bool
) -> None:
    server, client = certificate(tmp_path, **made)
    clock = SystemClock()
    async with serving(_echo, server) as host:
        settings = SocketSettings(tls=client if trusted else None)
        if good:
            connection = await connect(f"wss://{host}/", Ears(), clock, Deadline(clock, 10), settings)
            connection.close()
            assert (await connection.closed()).code == 1000
        else:
            with pytest.raises(Unreachable) as raised:
                await connect(f"wss://{host}/", Ears(), clock, Deadline(clock, 10), settings)
            assert raised.value.reason == "tls"


async def test_an_unknown_name_is_named() -> None:
    clock = SystemClock()
    with pytest.raises(Unreachable) as raised:
        await connect("ws://venue.invalid/", Ears(), clock, Deadline(clock, 20))
    assert raised.value.reason == "dns"
