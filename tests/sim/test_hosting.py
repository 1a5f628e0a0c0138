from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.sim.hosting import Below, check_pace, check_time, hosted


class Echo:
    """A venue that says its name, and may stop living."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name = name
        self.base_url = ""
        self.closed = 0
        self._fails = fails

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/socket"):
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str((await socket.receive_str()).upper())
            await socket.close()
            return socket
        return web.Response(text=f"{self.name} {request.path} {request.query_string}".rstrip())

    async def run(self) -> None:
        if self._fails:
            raise RuntimeError("the beat is broken")
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed += 1


async def said(address: str, path: str) -> str:
    async with aiohttp.ClientSession() as client, client.get(address + path) as answer:
        return await answer.text()


async def test_the_longest_beginning_of_a_path_decides() -> None:
    one, other = Echo("one"), Echo("other")
    async with hosted({"/": one, "/api/": other, "/ws/api": other}, 0) as address:
        assert await said(address, "/v5/x") == "one /v5/x"
        assert await said(address, "/api/v2") == "other /api/v2"
        assert await said(address, "/ws/api/v2") == "other /ws/api/v2"
        assert one.base_url == other.base_url == address
    assert (one.closed, other.closed) == (1, 1)


async def test_who_hangs_up_before_a_socket_opens_leaves_no_error(caplog: pytest.LogCaptureFixture) -> None:
    class Slow(Echo):
        """A venue that is asked and finds nobody left."""

        def __init__(self) -> None:
            super().__init__("slow")
            self.asked, self.gone, self.answered = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def answer(self, request: web.Request) -> web.StreamResponse:
            self.asked.set()
            await self.gone.wait()
            try:
                return await super().answer(request)
            finally:
                self.answered.set()

    slow = Slow()
    async with hosted({"/": slow}, 0) as address:
        port = int(address.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await slow.asked.wait()
        writer.transport.abort()
        await asyncio.sleep(0.05)  # until the other end has noticed
        slow.gone.set()
        await slow.answered.wait()
        await asyncio.sleep(0.05)  # until it would have told of an error
    assert caplog.records == []


async def test_a_venue_below_a_prefix_sees_its_own_paths() -> None:
    root, below = Echo("root"), Echo("below")
    async with hosted({"/": root, "/there": Below("/there", below)}, 0) as address:
        assert below.base_url == f"{address}/there"
        assert await said(below.base_url, "/api/v3/time") == "below /api/v3/time"
        assert await said(below.base_url, "/api?names=%5B%22A%22%5D&x=1") == 'below /api names=["A"]&x=1'
        assert await said(address, "/api/v3/time") == "root /api/v3/time"
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(below.base_url.replace("http", "ws", 1) + "/deep/socket") as socket,
        ):
            await socket.send_str("heard")
            assert await socket.receive_str(timeout=5) == "HEARD"
    assert (root.closed, below.closed) == (1, 1)


async def test_a_venue_that_stopped_living_is_told_and_ends_the_context_with_its_error() -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["message"])))

    async def live_a_while() -> None:
        async with hosted({"/": Echo("x", fails=True)}, 0):
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="the beat is broken"):
        await live_a_while()
    assert told == ["The simulated venue has stopped pushing."]


def test_clocks_and_paces_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="The clock shows day 0"):
        check_time(ManualClock(0), 8)
    with pytest.raises(InputError, match=r"outside 0.05\.\.4"):
        check_pace(5.0)
    check_pace(1.0)
