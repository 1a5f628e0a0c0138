"""The running venue: addresses, truth at a number, delisting, and an end by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock, SystemClock
from sextant.sim.bybit import start
from support.bybit_reading import drain, let_pass, subscribe

START_NS = 1_790_000_010_000_000_000


async def test_it_listens_on_loopback_only_and_stops_with_its_context() -> None:
    async with start(ManualClock(START_NS), instruments=4) as venue:
        assert venue.base_url.startswith("http://127.0.0.1:")
        assert venue.socket_url("spot") == venue.base_url.replace("http", "ws") + "/v5/public/spot"
        async with aiohttp.ClientSession() as http, http.get(f"{venue.base_url}/v5/market/time") as reply:
            assert reply.status == 200
    with pytest.raises(aiohttp.ClientConnectorError):
        async with aiohttp.ClientSession() as http:
            await http.get(f"{venue.base_url}/v5/market/time")


async def test_a_client_that_is_connected_is_told_when_the_venue_stops() -> None:
    async with aiohttp.ClientSession() as http:
        async with start(ManualClock(START_NS), instruments=4) as venue:
            socket = await http.ws_connect(venue.socket_url("linear"))
        last = await socket.receive(timeout=5)
        assert (last.type, last.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        await socket.close()


async def test_it_pushes_by_itself_as_time_passes() -> None:
    async with (
        start(SystemClock(), instruments=4, pace=4.0) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket,
    ):
        await subscribe(socket, "publicTrade.BTCUSDT")
        frame = await socket.receive_json(timeout=5)
    assert frame["topic"] == "publicTrade.BTCUSDT"


async def test_the_truth_is_known_at_each_of_the_last_numbers() -> None:
    clock = ManualClock(START_NS)
    async with (
        start(clock, instruments=4) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket,
    ):
        with pytest.raises(InputError, match="No push"):
            venue.book("BTCUSDT", 50)
        await subscribe(socket, "orderbook.50.BTCUSDT")
        await let_pass(venue, clock, 10)
        u, bids, asks = venue.book("BTCUSDT", 50)
        assert venue.book_at("BTCUSDT", 50, u) == (bids, asks)
        assert venue.book_at("BTCUSDT", 50, u - 3) not in (None, (bids, asks))
        assert venue.book_at("BTCUSDT", 50, u + 1) is None
        await drain(socket)


async def test_a_delisted_instrument_falls_silent_and_is_unknown() -> None:
    clock = ManualClock(START_NS)
    script = [{"at": {"after_s": 5}, "fault": "delist", "symbol": "ETHUSDT"}]
    async with start(clock, instruments=6, faults=script) as venue, aiohttp.ClientSession() as http:

        async def ask(path: str, **asked: str) -> dict[str, Any]:
            async with http.get(venue.base_url + path, params=asked) as reply:
                body: dict[str, Any] = await reply.json()
                return body

        async with http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket:
            await subscribe(socket, "publicTrade.ETHUSDT", "publicTrade.BTCUSDT")
            await let_pass(venue, clock, 4)
            assert {frame["topic"] for frame in await drain(socket)} == {
                "publicTrade.ETHUSDT",
                "publicTrade.BTCUSDT",
            }
            await let_pass(venue, clock, 2)
            await drain(socket)
            await let_pass(venue, clock, 4)
            assert {frame["topic"] for frame in await drain(socket)} == {"publicTrade.BTCUSDT"}
        rows = (await ask("/v5/market/instruments-info", category="linear"))["result"]["list"]
        assert "ETHUSDT" not in {row["symbol"] for row in rows}
        assert (await ask("/v5/market/tickers", category="linear", symbol="ETHUSDT"))["retCode"] == 10_029


@pytest.mark.parametrize("pace", [0.0, 5.0])
async def test_a_pace_out_of_range_is_refused(pace: float) -> None:
    with pytest.raises(InputError, match="Pace"):
        async with start(ManualClock(START_NS), pace=pace):
            await asyncio.sleep(0)
