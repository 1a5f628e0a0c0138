"""Sessions of the simulated KuCoin: tokens, topics, limits, and books that a client rebuilds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sextant.venues.library import kucoin
from support.kraken_reading import let_pass
from support.kucoin_simulated import NOW_MS, Asking, Ladder, asking, drain, subscribe
from support.recordings import read_session
from support.shapes import shape

TOPICS = (
    "level2:BTC-USDT",
    "match:BTC-USDT",
    "ticker:BTC-USDT",
    "candles:BTC-USDT_1min",
    "snapshot:BTC-USDT",
)


async def heard(there: Asking, *topics: str, seconds: float = 5.0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with there.socket() as socket:
        for topic in topics:
            assert await subscribe(socket, f"/market/{topic}") == {"id": "7", "type": "ack"}
        for _ in range(round(seconds / 5)):
            await let_pass(there.venue, there.clock, 5)
            found += await drain(socket)
    return found


def channel_of(frame: dict[str, Any]) -> str:
    return str(frame.get("topic", frame["type"])).partition(":")[0]


@pytest.mark.data
async def test_frames_have_the_shape_of_recorded_ones(data_dir: Path) -> None:
    recorded: dict[str, dict[str, Any]] = {}
    for _, data, _ in read_session(data_dir, kucoin.VENUE).frames:
        frame = json.loads(data)
        if frame.get("data", {}).get("changes", {}).get("bids") != []:
            recorded.setdefault(channel_of(frame), frame)
    assert set(recorded) >= {"/market/level2", "/market/match", "/market/ticker", "/market/candles"}
    async with asking() as there:
        frames = await heard(there, *TOPICS[:4])
    for channel in ("/market/level2", "/market/match", "/market/ticker", "/market/candles"):
        ours = next(
            frame
            for frame in frames
            if channel_of(frame) == channel and all(frame["data"].get("changes", {"x": 1}).values())
        )
        if channel == "/market/level2":
            assert isinstance(ours["data"].pop("time"), int)  # the venue added it after the recording
            assert shape(ours["data"]["changes"].pop("asks")) == [["str"]]
            recorded[channel]["data"]["changes"].pop("asks")  # as a rule empty, as one side changes at a time
        assert shape(ours) == shape(recorded[channel]), channel


@pytest.mark.data
async def test_snapshots_have_the_shape_of_the_documented_one(data_dir: Path) -> None:
    with gzip.open(data_dir / "rest" / "jkorf_kucoin_payloads.jsonl.gz", "rt") as file:
        script = next(
            row["script"] for row in map(json.loads, file) if row["file"].endswith("Spot/Snapshot.txt")
        )
    theirs = json.loads(script.rpartition("\n= ")[2])
    async with asking() as there:
        frames = await heard(there, TOPICS[4])
    assert shape(frames[0]) == shape(theirs)


async def test_a_client_that_applies_every_change_holds_the_true_book() -> None:
    async with asking() as there, there.socket() as socket:
        listing = there.venue.model.find("spot", "ETH-USDT")
        assert listing is not None
        await subscribe(socket, "/market/level2:ETH-USDT")
        await let_pass(there.venue, there.clock, 3)
        there.clock.advance(0.6)  # time in which the book moves, and is asked for before it is told
        ladder = Ladder(await there.ask("/api/v1/market/orderbook/level2_100", symbol="ETH-USDT"))
        compared = 0
        for _ in range(20):
            for frame in await drain(socket):
                ladder.apply(frame["data"])
                truth = there.venue.book_at("ETH-USDT", ladder.number)
                if truth is not None and ladder.applied:
                    compared += 1
                    for held, told, upward in ((ladder.bids, truth[0], False), (ladder.asks, truth[1], True)):
                        best = sorted(held, reverse=not upward)[:20]
                        ours = [(round(float(price), 6), round(float(held[price]), 6)) for price in best]
                        assert ours == [
                            (round(ticks * listing.tick, 6), round(lots * listing.lot, 6))
                            for ticks, lots in told[:20]
                        ]
            await let_pass(there.venue, there.clock, 1)
    assert ladder.gaps == 0
    assert ladder.applied > 10
    assert compared > 10


async def test_bars_are_added_once_and_never_called_final() -> None:
    async with asking() as there:
        frames = await heard(there, TOPICS[3], seconds=65)
        rows = await there.ask("/api/v1/market/candles", symbol="BTC-USDT", type="1min")
    kinds = [frame["subject"].rpartition(".")[2] for frame in frames]
    assert kinds.count("add") == 1
    last = [frame["data"]["candles"] for frame in frames][kinds.index("add") - 1]
    assert last in rows
    assert int(last[0]) == NOW_MS // 60_000 * 60


async def test_trades_and_best_prices_are_the_ones_that_rest_tells() -> None:
    async with asking() as there:
        frames = await heard(there, TOPICS[1], TOPICS[2])
        rows = {
            row["sequence"]: row for row in await there.ask("/api/v1/market/histories", symbol="BTC-USDT")
        }
        best = await there.ask("/api/v1/market/orderbook/level1", symbol="BTC-USDT")
    trades = [frame["data"] for frame in frames if channel_of(frame) == "/market/match"]
    assert len(trades) > 5
    for trade in trades:
        row = rows[trade["sequence"]]
        assert (row["price"], row["size"], row["side"]) == (trade["price"], trade["size"], trade["side"])
        assert str(row["time"]) == trade["time"]
    quotes = [frame["data"] for frame in frames if channel_of(frame) == "/market/ticker"]
    assert {name: quotes[-1][name] for name in ("bestBid", "bestAskSize", "sequence")} == {
        name: best[name] for name in ("bestBid", "bestAskSize", "sequence")
    }


async def test_a_token_opens_one_session_and_none_without_it() -> None:
    async with asking() as there:
        address = await there.address()
        async with there.http.ws_connect(address) as socket:
            assert (await socket.receive_json(timeout=5))["type"] == "welcome"
        for url in (address, there.venue.socket_url):
            async with there.http.ws_connect(url) as socket:
                refusal = await socket.receive_json(timeout=5)
                assert (refusal["type"], refusal["code"]) == ("error", 401)
                there.venue.pump()
                assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        assert (await there.reply("/api/v1/bullet-public"))[0] == 401  # the question must be posted


async def test_questions_beyond_the_limits_are_refused_in_the_venues_codes() -> None:
    async with asking(instruments=240) as there, there.socket() as socket:
        bases = [listing.symbol for listing in there.venue.model.listings]
        assert len(bases) == 40

        async def codes(*messages: dict[str, Any]) -> list[int]:
            found = []
            for message in messages:
                await socket.send_json({"id": "1", "response": True, "type": "subscribe", **message})
                found.append((await socket.receive_json(timeout=5)).get("code", 0))
            return found

        assert await codes(
            {"topic": "/market/nothing:BTC-USDT"},
            {"topic": "/market/match:BTC-USDT,NO-PE"},
            {"topic": "/market/candles:BTC-USDT_7min"},
            {"topic": "/market/match:BTC-USDT", "privateChannel": True},
            {"type": "join"},
        ) == [404, 404, 404, 403, 415]
        await socket.send_str("{")
        assert (await socket.receive_json(timeout=5))["code"] == 406
        every = ",".join(bases)
        intervals = ("1min", "3min", "5min", "15min", "30min", "1hour", "2hour")
        several = ",".join(f"{base}_{interval}" for interval in intervals[:3] for base in bases)
        assert await codes({"topic": f"/market/candles:{several}"}) == [509]  # 120 at once
        rows = [
            {"topic": "/market/candles:" + ",".join(f"{base}_{each}" for base in bases)} for each in intervals
        ]
        assert await codes(*rows, {"topic": f"/market/match:{every}"}) == [0] * 7 + [509]  # 280 and 40
        assert await codes({"topic": f"/market/candles:{bases[0]}_1min", "type": "unsubscribe"}) == [0]
        answers = [await codes({"type": "ping"}) for _ in range(90)]
        assert answers[-1] == [509]  # more than a hundred messages in ten seconds
        assert there.venue.counters.limited > 2


async def test_a_silent_client_is_cut_after_its_interval_and_timeout() -> None:
    async with asking() as there, there.socket() as socket:
        for _ in range(3):
            there.clock.advance(17)
            there.venue.pump()
            await socket.send_json({"id": "5", "type": "ping"})
            assert await socket.receive_json(timeout=5) == {"id": "5", "type": "pong"}
        there.clock.advance(29)
        there.venue.pump()
        closed = (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
        assert (await socket.receive(timeout=5)).type in closed
