"""The running venue: addresses, truth at a number, delisting, and an end by itself."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock, SystemClock
from sextant.sim.bybit import start
from support.bybit_reading import Ladder, drain, let_pass, subscribe

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


async def test_a_coarser_tick_restarts_the_books_and_shows_in_the_terms() -> None:
    clock = ManualClock(START_NS)
    script = [{"at": {"after_s": 5}, "fault": "retick", "symbol": "BTCUSDT"}]
    async with (
        start(clock, instruments=6, faults=script) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket,
    ):
        await subscribe(socket, "orderbook.50.BTCUSDT", "tickers.BTCUSDT")
        await let_pass(venue, clock, 10)
        frames = [frame for frame in await drain(socket) if frame["topic"].startswith("orderbook")]
        again = next(number for number, frame in enumerate(frames) if frame["data"]["u"] == 1)
        assert frames[again]["type"] == "snapshot"
        assert {len(row[0].split(".")[1]) for frame in frames[:again] for row in frame["data"]["b"]} == {2}
        assert {len(row[0].split(".")[1]) for frame in frames[again:] for row in frame["data"]["b"]} == {1}
        async with http.get(
            f"{venue.base_url}/v5/market/instruments-info?category=linear&symbol=BTCUSDT"
        ) as reply:
            row = (await reply.json())["result"]["list"][0]
        assert (row["priceFilter"]["tickSize"], row["priceScale"]) == ("1.0", "1")


async def test_the_rest_book_is_that_of_the_deepest_stream_at_the_same_number() -> None:
    clock = ManualClock(START_NS)
    async with (
        start(clock, instruments=4) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket,
    ):
        ladder = Ladder()
        await subscribe(socket, "orderbook.1000.BTCUSDT")
        for _ in range(10):
            await let_pass(venue, clock, 1)
            url = f"{venue.base_url}/v5/market/orderbook?category=linear&symbol=BTCUSDT&limit=200"
            async with http.get(url) as reply:
                book = (await reply.json())["result"]
            for frame in await drain(socket):
                ladder.apply(frame)
            assert book["u"] == ladder.u
            assert [(Decimal(price), Decimal(size)) for price, size in book["b"]] == sorted(
                ladder.bids.items(), reverse=True
            )[:200]
        assert ladder.gaps == 0


async def test_the_rest_book_counts_up_where_nobody_listens() -> None:
    clock = ManualClock(START_NS)
    async with start(clock, instruments=4) as venue, aiohttp.ClientSession() as http:
        numbers = []
        for _ in range(5):
            clock.advance(3)
            async with http.get(
                f"{venue.base_url}/v5/market/orderbook?category=spot&symbol=BTCUSDT"
            ) as reply:
                numbers.append((await reply.json())["result"]["u"])
        assert numbers == list(range(numbers[0], numbers[0] + 5))


async def test_a_defect_in_the_beat_is_reported_to_the_loop_at_once() -> None:
    clock = ManualClock(START_NS)
    script = [{"at": {"topic": "publicTrade.BTCUSDT", "message": 1}, "fault": "drift", "field": "data.99.p"}]
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    with pytest.raises(InputError, match="no place"):
        await _five_seconds_of_trades(clock, script)
    assert [context["message"] for context in told] == ["The simulated venue has stopped pushing."]


async def _five_seconds_of_trades(clock: ManualClock, script: list[dict[str, Any]]) -> None:
    async with (
        start(clock, instruments=4, faults=script) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url("linear")) as socket,
    ):
        await subscribe(socket, "publicTrade.BTCUSDT")
        clock.advance(5)
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.mark.parametrize("now_ns", [0, 1_640_000_000_000_000_000, 2_000_000_000_000_000_000])
async def test_a_clock_outside_the_known_days_is_refused(now_ns: int) -> None:
    with pytest.raises(InputError, match="the simulated market lives in"):
        async with start(ManualClock(now_ns), instruments=4):
            await asyncio.sleep(0)
