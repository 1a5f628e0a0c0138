"""The socket keeps the documented rules, and what it pushes is the truth of the market."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.kraken import KrakenSimulation, start
from sextant.sim.kraken_wire import price_text, size_text
from support.kraken_reading import Ladder, drain, let_pass, subscribe

START_NS = 1_790_000_010_000_000_000
"""2026-09-21T14:13:30Z: in the middle of a minute."""


@asynccontextmanager
async def connected(
    *faults: dict[str, Any], pace: float = 1.0
) -> AsyncIterator[tuple[KrakenSimulation, ManualClock, aiohttp.ClientWebSocketResponse]]:
    clock = ManualClock(START_NS)
    async with (
        start(clock, seed=7, instruments=24, faults=faults, pace=pace) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url, max_msg_size=0) as socket,
    ):
        status = await socket.receive_json(timeout=5)
        assert (status["channel"], status["data"][0]["system"]) == ("status", "online")
        yield venue, clock, socket


def of(frames: list[dict[str, Any]], channel: str) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame.get("channel") == channel]


def shape(value: Any) -> Any:
    """Names in their order and the types under them; all rows of a list, which must be alike."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        shapes = [shape(inner) for inner in value]
        assert all(each == shapes[0] for each in shapes)
        return shapes[:1]
    return "float" if isinstance(value, float) else type(value).__name__


@pytest.mark.data
async def test_book_frames_have_the_shape_of_recorded_ones(data_dir: Path) -> None:
    recorded = json.loads(gzip.decompress((data_dir / "kraken" / "orderbook-v2.json.gz").read_bytes()))
    theirs = {
        side: next(frame for frame in recorded["updates"] if frame["data"][0][side])
        for side in ("bids", "asks")
    }
    async with connected() as (venue, clock, socket):
        await subscribe(socket, "book", "BTC/USD", depth=10)
        await let_pass(venue, clock, 20)
        books = of(await drain(socket), "book")
    assert shape(books[0]) == shape(recorded["init"])
    for side, their in theirs.items():
        ours = next(frame for frame in books[1:] if frame["data"][0][side])
        other = "asks" if side == "bids" else "bids"
        assert their["data"][0][other] == []  # the recording has no change of both sides
        ours["data"][0][other] = []
        assert shape(ours) == shape(their)
        assert list(ours["data"][0]) == list(their["data"][0])
        assert len(ours["data"][0]["timestamp"]) == len(their["data"][0]["timestamp"])


@pytest.mark.parametrize("depth", [10, 25, 100, 500, 1_000])
async def test_a_client_that_applies_every_push_holds_the_true_book_and_every_checksum(depth: int) -> None:
    async with connected() as (venue, clock, socket):
        listing = venue.model.find("spot", "SOL/USD")
        assert listing is not None
        await subscribe(socket, "book", "SOL/USD", depth=depth)
        ladder = Ladder(depth)
        for _ in range(30):
            await let_pass(venue, clock, 1)
            for frame in of(await drain(socket), "book"):
                ladder.apply(frame)
            for ours, truth in zip((ladder.bids, ladder.asks), venue.book("SOL/USD", depth), strict=True):
                assert sorted(ours.values()) == sorted(
                    (price_text(listing, ticks), size_text(listing, lots)) for ticks, lots in truth
                )
        assert ladder.checked > 25
        assert ladder.wrong == 0


async def test_each_symbol_is_acknowledged_by_itself_and_an_unknown_one_refused() -> None:
    async with connected() as (_, _, socket):
        await subscribe(socket, "trade", "BTC/USD", "ZZZ/USD", "ETH/USD")
        answers = await drain(socket)
        assert [(each["success"], each["req_id"]) for each in answers] == [(True, 1), (False, 1), (True, 1)]
        assert answers[0]["result"] == {"channel": "trade", "symbol": "BTC/USD", "snapshot": False}
        assert answers[1]["error"] == "Currency pair not supported ZZZ/USD"
        await subscribe(socket, "trade", "BTC/USD")
        assert [each["error"] for each in await drain(socket)] == ["Already subscribed"]
        left = {"method": "unsubscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}}
        await socket.send_json(left)
        await socket.send_json(left)
        assert [each.get("error") for each in await drain(socket)] == [None, "Subscription Not Found"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"channel": "book", "symbol": ["BTC/USD"], "depth": 11}, "Subscription depth not supported"),
        (
            {"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 2},
            "Subscription ohlc interval not supported",
        ),
        ({"channel": "level9", "symbol": ["BTC/USD"]}, "Subscription name invalid"),
        ({"channel": "book"}, "Symbol(s) required"),
    ],
)
async def test_a_wrong_request_is_refused_as_a_whole(params: dict[str, Any], words: str) -> None:
    async with connected() as (_, _, socket):
        await socket.send_json({"method": "subscribe", "params": params})
        [answer] = await drain(socket)
        assert (answer["success"], answer["error"]) == (False, words)


async def test_trades_facts_and_bars_tell_one_story() -> None:
    async with connected() as (venue, clock, socket):
        await subscribe(socket, "trade", "BTC/USD", snapshot=True)
        await subscribe(socket, "ticker", "BTC/USD", event_trigger="bbo")
        await subscribe(socket, "ohlc", "BTC/USD", interval=1)
        await let_pass(venue, clock, 95)
        frames = await drain(socket)
    trades = of(frames, "trade")
    assert (trades[0]["type"], len(trades[0]["data"])) == ("snapshot", 50)
    rows = [row for frame in trades for row in frame["data"]]
    names = [row["trade_id"] for row in rows]
    assert names == sorted(set(names))
    for facts, told in zip(of(frames, "ticker")[1:], trades[1:], strict=True):
        row = facts["data"][0]
        assert row["last"] == told["data"][-1]["price"]
        assert row["bid"] < row["ask"]
        assert row["low"] <= row["last"] <= row["high"]
    bars = of(frames, "ohlc")
    assert [bars[0]["type"], len(bars[0]["data"])] == ["snapshot", 10]
    minute = bars[0]["data"][-1]["interval_begin"]
    following = next(row for frame in bars for row in frame["data"] if row["interval_begin"] > minute)[
        "interval_begin"
    ]
    last = [row for frame in bars for row in frame["data"] if row["interval_begin"] == following][-1]
    of_minute = [row for row in rows if row["timestamp"][:16] == following[:16]]
    assert last["open"] == pytest.approx(float(last["open"]))
    assert last["high"] == max(row["price"] for row in of_minute)
    assert last["low"] == min(row["price"] for row in of_minute)
    assert last["close"] == of_minute[-1]["price"]
    assert float(last["volume"]) == pytest.approx(sum(float(row["qty"]) for row in of_minute), rel=1e-9)
    assert last["low"] <= last["vwap"] <= last["high"]


async def test_a_quiet_connection_has_heartbeats_once_it_follows_anything() -> None:
    async with connected(pace=0.05) as (venue, clock, socket):
        await let_pass(venue, clock, 5)
        assert of(await drain(socket), "heartbeat") == []
        await socket.send_json({"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}})
        await drain(socket)
        await let_pass(venue, clock, 30)
        frames = await drain(socket)
        trades = len(of(frames, "trade"))
        assert 2 <= trades <= 4  # one in ten seconds
        assert 30 - 2 * trades <= len(of(frames, "heartbeat")) <= 30 - trades


async def test_the_reference_channel_lists_every_pair() -> None:
    async with connected() as (_, _, socket):
        await socket.send_json({"method": "subscribe", "params": {"channel": "instrument"}})
        [answer, told] = await drain(socket)
        assert answer["success"]
        row = told["data"]["pairs"][0]
        assert (row["symbol"], row["price_increment"].text, row["qty_precision"]) == ("BTC/USD", "0.1", 8)
        assert row["qty_increment"].text == "0.00000001"
        assert len(told["data"]["pairs"]) == 4


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [({"fault": "gap"}, True), ({"fault": "drift", "field": "data.0.checksum", "value": 1}, True)],
)
async def test_a_lost_or_bent_push_shows_in_the_checksum(fault: dict[str, Any], wrong: bool) -> None:
    at = {"topic": "book-10:BTC/USD", "message": 5}
    async with connected({"at": at, **fault}) as (venue, clock, socket):
        await subscribe(socket, "book", "BTC/USD", depth=10)
        await let_pass(venue, clock, 12)
        ladder = Ladder(10)
        for frame in of(await drain(socket), "book"):
            ladder.apply(_digits(frame))
        assert (ladder.wrong > 0) is wrong
        assert venue.plan.history == [("push 5 book-10:BTC/USD", fault["fault"])]


def _digits(frame: dict[str, Any]) -> dict[str, Any]:
    """The frame with all digits of its numbers, which a drifted one has lost."""
    for side in ("bids", "asks"):
        for level in frame["data"][0][side]:
            level["price"].text = f"{level['price']:.1f}"
            level["qty"].text = f"{level['qty']:.8f}"
    return frame


async def test_maintenance_is_announced_and_ends_by_itself() -> None:
    async with connected({"at": {"after_s": 2}, "fault": "maintenance", "seconds": 5}) as (
        venue,
        clock,
        socket,
    ):
        await let_pass(venue, clock, 10)
        states = [frame["data"][0]["system"] for frame in of(await drain(socket), "status")]
        assert states == ["maintenance", "online"]


async def test_an_address_may_connect_150_times_in_ten_minutes() -> None:
    clock = ManualClock(START_NS)
    async with start(clock, seed=7, instruments=12) as venue, aiohttp.ClientSession() as http:
        for _ in range(150):
            async with http.ws_connect(venue.socket_url):
                pass
        with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
            await http.ws_connect(venue.socket_url)
        clock.advance(601)
        async with http.ws_connect(venue.socket_url) as socket:
            assert (await socket.receive_json(timeout=5))["channel"] == "status"


async def test_the_same_seed_and_script_give_the_same_bytes() -> None:
    heard = []
    for _ in range(2):
        script = {"at": {"topic": "book-25:ETH/USD", "message": 3}, "fault": "swap", "messages": 2}
        async with connected(script) as (venue, clock, socket):
            for channel in ("book", "trade", "ticker", "ohlc"):
                more = {"depth": 25} if channel == "book" else {}
                await subscribe(socket, channel, "BTC/USD", "ETH/USD", **more)
            await drain(socket)
            await let_pass(venue, clock, 10)
            await socket.send_json({"method": "ping", "req_id": 987})
            texts = []
            while '"req_id":987' not in (text := await socket.receive_str(timeout=5)):
                texts.append(text)
            heard.append(texts)
    assert len(heard[0]) > 60
    assert heard[0] == heard[1]
