"""The running simulated KuCoin: its pool, faults, and the market it shares with others."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.sim import binance
from sextant.sim.kucoin import start
from support.kraken_reading import let_pass
from support.kucoin_simulated import NOW_NS, Ladder, asking, drain, subscribe

BOOK = "/market/level2:BTC-USDT"


async def test_prices_are_near_those_of_another_venue_and_the_book_is_its_own() -> None:
    async with asking() as there, binance.start(there.clock, seed=7, instruments=12) as other:
        ours = await there.ask("/api/v1/market/orderbook/level2_100", symbol="BTC-USDT")
        url = f"{other.base_url}/api/v3/depth?symbol=BTCUSDT&limit=100"
        async with there.http.get(url) as answer:
            theirs = await answer.json()
    assert float(ours["bids"][0][0]) == pytest.approx(float(theirs["bids"][0][0]), rel=1.5e-3)
    assert ours["bids"][:5] != [[str(float(price)), str(float(size))] for price, size in theirs["bids"][:5]]


async def test_a_pool_that_is_spent_is_refused_until_it_is_full_again() -> None:
    async with asking() as there:
        statuses = [(await there.reply("/api/v1/market/allTickers"))[0] for _ in range(134)]
        assert statuses == [200] * 133 + [429]  # 15 each of 2,000
        status, body, headers = await there.reply("/api/v1/timestamp")
        assert (status, body["code"], headers["gw-ratelimit-remaining"]) == (429, "429000", "0")
        there.clock.advance(int(headers["gw-ratelimit-reset"]) / 1_000)
        _, _, headers = await there.reply("/api/v1/timestamp")
        assert (headers["gw-ratelimit-limit"], headers["gw-ratelimit-remaining"]) == ("2000", "1997")
        assert there.venue.counters.after_retry_after == 1
        async with there.http.post(there.venue.base_url + "/api/v1/orders") as answer:
            assert answer.status == 401
        assert there.venue.counters.forbidden == 1


async def test_thirty_connections_a_minute_are_let_in() -> None:
    async with asking() as there:
        for _ in range(30):
            async with there.http.ws_connect(there.venue.socket_url):
                pass
        with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
            await there.http.ws_connect(there.venue.socket_url)
        there.clock.advance(60)
        async with there.socket():
            pass


async def test_scripts_hit_calls_and_moments_as_they_say() -> None:
    path = "/api/v1/timestamp"
    script: list[dict[str, Any]] = [
        {"at": {"call": 1, "path": path}, "fault": "skew", "seconds": 3},
        {"at": {"call": 2, "path": path}, "fault": "status", "status": 502},
        {"at": {"call": 3, "path": path}, "fault": "banned"},
        {"at": {"after_s": 40}, "fault": "maintenance", "seconds": 60},
        {"at": {"after_s": 40}, "fault": "delist", "symbol": "ETH-USDT"},
        {"at": {"after_s": 41}, "fault": "banned"},
    ]
    async with asking(*script) as there:
        assert await there.ask(path) == NOW_NS // 1_000_000 + 3_000
        assert (await there.reply(path))[0] == 502
        assert (await there.reply(path))[1]["code"] == "429000"
        there.clock.advance(40)
        there.venue.pump()
        assert (await there.ask("/api/v1/status"))["status"] == "close"
        assert (await there.reply("/api/v1/market/stats", symbol="ETH-USDT"))[1]["code"] == "900001"
        there.clock.advance(1)
        there.venue.pump()
        assert (await there.reply(path))[1]["code"] == "429000"
        there.clock.advance(60)
        assert (await there.ask("/api/v1/status"))["status"] == "open"


@pytest.mark.parametrize(("fault", "gaps"), [("gap", 1), ("duplicate", 0), ("swap", 1), ("crossed", 0)])
async def test_scripts_hit_changes_of_a_book_as_they_say(fault: str, gaps: int) -> None:
    async with (
        asking({"at": {"topic": BOOK, "message": 6}, "fault": fault}) as there,
        there.socket() as socket,
    ):
        await subscribe(socket, BOOK)
        await let_pass(there.venue, there.clock, 1)
        ladder = Ladder(await there.ask("/api/v1/market/orderbook/level2_100", symbol="BTC-USDT"))
        crossed = 0
        for _ in range(2):
            await let_pass(there.venue, there.clock, 6)
            for frame in await drain(socket):
                ladder.apply(frame["data"])
                crossed += not ladder.gaps and max(ladder.bids) >= min(ladder.asks)
        assert (ladder.gaps, crossed) == (gaps, int(fault == "crossed"))
        assert there.venue.plan.history == [(f"push 6 {BOOK}", fault)]


async def test_a_burst_is_the_same_volume_in_many_trades() -> None:
    topic = "/market/match:BTC-USDT"
    script = [
        {"at": {"topic": topic, "message": number}, "fault": "burst", "messages": 40}
        for number in range(1, 9)
    ]
    async with asking(*script) as there, there.socket() as socket:
        await subscribe(socket, topic)
        await let_pass(there.venue, there.clock, 4)
        told = [frame["data"] for frame in await drain(socket)]
        rows = {
            row["sequence"]: row for row in await there.ask("/api/v1/market/histories", symbol="BTC-USDT")
        }
    assert len({trade["tradeId"] for trade in told}) == len(told) > 40
    for number in {trade["sequence"] for trade in told}:
        parts = [float(trade["size"]) for trade in told if trade["sequence"] == number]
        assert sum(parts) == pytest.approx(float(rows[number]["size"]))


async def test_a_venue_that_is_away_answers_nobody_until_it_is_back() -> None:
    async with (
        asking({"at": {"after_s": 5}, "fault": "away", "seconds": 60}) as there,
        there.socket() as socket,
    ):
        there.clock.advance(5)
        there.venue.pump()
        closed = (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
        assert (await socket.receive(timeout=5)).type in closed
        with pytest.raises(aiohttp.ClientConnectionError):
            await there.reply("/api/v1/timestamp")
        there.clock.advance(60)
        assert (await there.reply("/api/v1/timestamp"))[0] == 200
        assert there.venue.counters.while_away >= 1


async def test_impossible_scenes_are_refused() -> None:
    with pytest.raises(InputError, match="The clock shows"):
        async with start(ManualClock(0)):
            pass
    async with asking() as there:
        with pytest.raises(InputError, match="NO-PE"):
            there.venue.book_at("NO-PE", 1)
