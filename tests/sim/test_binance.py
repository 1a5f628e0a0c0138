"""The running simulated Binance: bans, faults, addresses, and the market it shares with others."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.sim import bybit
from sextant.sim.binance import start
from support.binance_reading import Ladder, drain, subscribe
from support.binance_simulated import NOW_NS, asking
from support.kraken_reading import let_pass

BOOK = "btcusdt@depth@100ms"


async def test_prices_of_two_venues_are_near_and_their_books_differ() -> None:
    async with asking() as there, bybit.start(there.clock, seed=7, instruments=12) as other:
        for category, path in (("linear", "/fapi/v1"), ("spot", "/api/v3")):
            for symbol in ("BTCUSDT", "ETHUSDT"):
                ours = await there.ask(f"{path}/depth", symbol=symbol, limit=50)
                url = f"{other.base_url}/v5/market/orderbook?category={category}&symbol={symbol}&limit=50"
                async with there.http.get(url) as answer:
                    theirs = (await answer.json())["result"]
                best = float(ours["bids"][0][0])
                assert best == pytest.approx(float(theirs["b"][0][0]), rel=1.5e-3)
                same = {float(size) for _, size in ours["bids"]} & {float(size) for _, size in theirs["b"]}
                assert len(same) < 10


async def test_weight_is_told_then_refused_then_punished_and_a_patient_client_never_sees_it() -> None:
    async with asking() as there:
        _, _, headers = await there.reply("/api/v3/depth", symbol="BTCUSDT", limit=5_000)
        assert (headers["X-MBX-USED-WEIGHT"], headers["X-MBX-USED-WEIGHT-1M"]) == ("250", "250")
        statuses = [(await there.reply("/api/v3/depth", symbol="BTCUSDT", limit=5_000))[0] for _ in range(23)]
        assert statuses == [200] * 23  # 6,000 of weight
        status, body, headers = await there.reply("/api/v3/ping")
        assert (status, body["code"], headers["Retry-After"]) == (429, -1003, "30")
        for _ in range(4):
            await there.reply("/api/v3/ping")
        status, body, headers = await there.reply("/api/v3/ping")
        assert (status, body["code"], headers["Retry-After"]) == (418, -1003, "120")
        with pytest.raises(aiohttp.WSServerHandshakeError, match="418"):
            await there.http.ws_connect(there.venue.socket_url("spot"))
        assert (there.venue.counters.bans, there.venue.counters.after_ban) == (1, 1)
        there.clock.advance(120)
        assert (await there.reply("/api/v3/ping"))[0] == 200


async def test_orders_are_refused_and_counted_and_private_reads_want_a_key() -> None:
    async with asking() as there:
        async with there.http.post(there.venue.base_url + "/api/v3/order") as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, -2014)
        assert there.venue.counters.forbidden == 1
        assert (await there.reply("/sapi/v1/account/apiRestrictions"))[0] == 401
        assert (await there.reply("/fapi/v1/nonsense"))[1]["code"] == -5000
        assert (await there.reply("/nonsense"))[0] == 404


async def test_scripts_hit_calls_as_they_say() -> None:
    script: list[dict[str, Any]] = [
        {"at": {"call": 1, "path": "/api/v3/time"}, "fault": "limited", "retry_after": 30},
        {"at": {"call": 2, "path": "/api/v3/time"}, "fault": "skew", "seconds": 600},
        {"at": {"call": 3, "path": "/api/v3/time"}, "fault": "html", "status": 503},
        {"at": {"call": 4, "path": "/api/v3/time"}, "fault": "drift", "field": "serverTime"},
        {"at": {"call": 5, "path": "/api/v3/time"}, "fault": "banned"},
    ]
    async with asking(*script) as there:
        status, _, headers = await there.reply("/api/v3/time")
        assert (status, headers["Retry-After"]) == (429, "30")
        assert (await there.ask("/api/v3/time"))["serverTime"] == NOW_NS // 1_000_000 + 600_000
        assert (await there.reply("/api/v3/time"))[0] == 503
        assert await there.ask("/api/v3/time") == {}
        assert (await there.reply("/api/v3/time"))[0] == 418
        assert there.venue.counters.after_retry_after == 1  # the second call came too early
        assert [kind for _, kind in there.venue.plan.history] == [
            "limited",
            "skew",
            "html",
            "drift",
            "banned",
        ]


@pytest.mark.parametrize(
    ("fault", "gaps"), [("gap", 1), ("swap", 1), ("duplicate", 0), ("restart", 0), ("fragments", 0)]
)
async def test_scripts_hit_changes_of_a_book_as_they_say(fault: str, gaps: int) -> None:
    async with asking({"at": {"topic": BOOK, "message": 6}, "fault": fault}) as there:
        async with there.http.ws_connect(there.venue.socket_url("spot"), max_msg_size=0) as socket:
            await subscribe(socket, BOOK)
            await let_pass(there.venue, there.clock, 1)
            ladder = Ladder(await there.ask("/api/v3/depth", symbol="BTCUSDT", limit=500))
            await let_pass(there.venue, there.clock, 8)
            frames = await drain(socket)
        for frame in frames:
            ladder.apply(frame["data"])
        assert ladder.gaps == gaps
        if fault == "restart":
            assert frames[-1]["data"]["u"] < ladder.u  # the numbers began anew, below all known
        assert there.venue.plan.history == [(f"push 6 {BOOK}", fault)]


async def test_a_crossed_change_is_taken_back_by_the_next_one() -> None:
    crossed = []
    async with (
        asking({"at": {"topic": BOOK, "message": 6}, "fault": "crossed"}) as there,
        there.http.ws_connect(there.venue.socket_url("spot"), max_msg_size=0) as socket,
    ):
        await subscribe(socket, BOOK)
        await let_pass(there.venue, there.clock, 1)
        ladder = Ladder(await there.ask("/api/v3/depth", symbol="BTCUSDT", limit=500))
        await let_pass(there.venue, there.clock, 8)
        for frame in await drain(socket):
            ladder.apply(frame["data"])
            crossed.append(max(ladder.bids) >= min(ladder.asks))
    assert crossed.count(True) == 1
    assert crossed[-1] is False


async def test_a_server_that_stops_says_so_before_it_closes() -> None:
    script = [{"at": {"after_s": 5}, "fault": "maintenance", "seconds": 20}]
    async with asking(*script) as there, there.http.ws_connect(there.venue.socket_url("spot")) as socket:
        there.clock.advance(6)
        there.venue.pump()
        event = await socket.receive_json(timeout=5)
        assert event["data"]["e"] == "serverShutdown"
        there.clock.advance(20)
        there.venue.pump()
        while (message := await socket.receive(timeout=5)).type is not aiohttp.WSMsgType.CLOSE:
            pass
        assert message.data == 1_001


async def test_a_delisted_instrument_is_unknown_and_a_coarser_tick_is_stated() -> None:
    script: list[dict[str, Any]] = [
        {"at": {"after_s": 1}, "fault": "delist", "symbol": "ETHUSDT"},
        {"at": {"after_s": 1}, "fault": "retick", "symbol": "BTCUSDT", "category": "spot"},
        {"at": {"after_s": 2}, "fault": "skew", "seconds": -3},
        {"at": {"after_s": 3}, "fault": "banned"},
    ]
    async with asking(*script) as there:
        before = await there.ask("/api/v3/exchangeInfo", symbol="BTCUSDT")
        there.clock.advance(1)
        there.venue.pump()
        assert (await there.reply("/fapi/v1/depth", symbol="ETHUSDT"))[1]["code"] == -1121
        after = await there.ask("/api/v3/exchangeInfo", symbol="BTCUSDT")
        steps = [body["symbols"][0]["filters"][0]["tickSize"] for body in (before, after)]
        assert steps == ["0.01000000", "0.10000000"]
        assert len((await there.ask("/api/v3/depth", symbol="BTCUSDT"))["bids"]) == 100
        there.clock.advance(1)
        there.venue.pump()
        assert there.venue.now_ms() == there.clock.now_ns() // 1_000_000 - 3_000
        there.clock.advance(1)
        there.venue.pump()
        assert (await there.reply("/api/v3/ping"))[0] == 418


async def test_one_seed_is_one_history() -> None:
    told: list[str] = []
    for _ in range(2):
        async with asking() as there:
            body = await there.ask("/fapi/v1/klines", symbol="SOLUSDT", interval="5m", limit=50)
            book = await there.ask("/fapi/v1/depth", symbol="SOLUSDT")
            told.append(json.dumps([body, book]))
    assert told[0] == told[1]


@pytest.mark.parametrize(("kind", "name"), [("trade", "t"), ("aggTrade", "a")])
async def test_a_burst_is_the_same_volume_in_many_trades(kind: str, name: str) -> None:
    topic = f"btcusdt@{kind}"
    async with (
        asking({"at": {"topic": topic, "message": 2}, "fault": "burst", "times": 9}) as there,
        there.http.ws_connect(there.venue.socket_url("spot"), max_msg_size=0) as socket,
    ):
        await subscribe(socket, topic)
        await let_pass(there.venue, there.clock, 4)
        told = [frame["data"] for frame in await drain(socket)]
        rows = await there.ask("/api/v3/trades", symbol="BTCUSDT", limit=100)
    whole = [row for row in rows if row["id"] >= told[0][name]]
    assert len({trade[name] for trade in told}) == len(told) > len(whole)
    assert sum(float(trade["q"]) for trade in told) == pytest.approx(sum(float(row["qty"]) for row in whole))
    assert all(trade["f"] == trade["l"] == trade["a"] for trade in told if name == "a")


async def test_a_venue_that_is_away_answers_nobody_until_it_is_back() -> None:
    async with asking({"at": {"after_s": 5}, "fault": "away", "seconds": 60}) as there:
        async with there.http.ws_connect(there.venue.socket_url("linear")) as socket:
            there.clock.advance(5)
            there.venue.pump()
            closed = (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
            assert (await socket.receive(timeout=5)).type in closed
        with pytest.raises(aiohttp.ClientConnectionError):
            await there.reply("/api/v3/ping")
        there.clock.advance(60)
        assert (await there.reply("/api/v3/ping"))[0] == 200
        assert there.venue.counters.while_away >= 1


async def test_impossible_scenes_are_refused() -> None:
    with pytest.raises(InputError, match="The clock shows"):
        async with start(ManualClock(0)):
            pass
    async with asking() as there:
        with pytest.raises(InputError, match="NOPE"):
            there.venue.book_at("NOPE", 1)
