"""The socket keeps the documented rules, and what it pushes is the truth of the market."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import zstandard

from sextant.kit.clock import ManualClock
from sextant.sim.coinbase import CoinbaseSimulation, start
from sextant.sim.coinbase_wire import price_text, size_text
from support.coinbase_reading import Ladder, drain, subscribe
from support.kraken_reading import let_pass

START_NS = 1_790_000_010_000_000_000
"""2026-09-21T14:13:30Z: in the middle of a minute."""


@asynccontextmanager
async def connected(
    *faults: dict[str, Any], pace: float = 1.0
) -> AsyncIterator[tuple[CoinbaseSimulation, ManualClock, aiohttp.ClientWebSocketResponse]]:
    clock = ManualClock(START_NS)
    async with (
        start(clock, seed=7, instruments=24, faults=faults, pace=pace) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url, max_msg_size=0) as socket,
    ):
        yield venue, clock, socket


def of(frames: list[dict[str, Any]], channel: str) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame.get("channel") == channel]


def rows(frames: list[dict[str, Any]], channel: str, name: str) -> list[dict[str, Any]]:
    return [row for frame in of(frames, channel) for event in frame["events"] for row in event[name]]


def shape(value: Any) -> Any:
    """Names in their order and the types under them; rows of a list by their first."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def recorded(data_dir: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The first recorded frame of each channel and type."""
    place = data_dir / "cryptofeed" / "v3" / "COINBASE.jsonl.zst"
    found: dict[tuple[str, str], dict[str, Any]] = {}
    with place.open("rb") as raw:
        text = zstandard.ZstdDecompressor().stream_reader(raw).read().decode()
    for line in text.splitlines():
        row = json.loads(line)
        if row["t"] == "recv":
            frame = json.loads(row["data"])
            found.setdefault((frame["channel"], frame["events"][0].get("type", "")), frame)
    return found


@pytest.mark.data
async def test_frames_have_the_shape_of_recorded_ones(data_dir: Path) -> None:
    theirs = recorded(data_dir)
    async with connected() as (venue, clock, socket):
        for channel in ("market_trades", "candles", "ticker", "level2", "heartbeats"):
            await subscribe(socket, channel, "BTC-USD", "ETH-USD")
        await let_pass(venue, clock, 4)
        frames = await drain(socket)
    assert len(theirs) == 10
    for (channel, kind), their in theirs.items():
        ours = next(
            frame
            for frame in frames
            if (frame["channel"], frame["events"][0].get("type", "")) == (channel, kind)
        )
        if channel == "subscriptions":
            assert shape(ours)[:3] == shape(their)[:3]
            continue
        assert shape(ours) == shape(their)
        assert len(ours["timestamp"]) in (len(their["timestamp"]), len(their["timestamp"]) + 1)


async def test_a_client_that_applies_every_push_holds_the_true_book_and_misses_no_number() -> None:
    async with connected() as (venue, clock, socket):
        listing = venue.model.find("spot", "SOL-USD")
        assert listing is not None
        await subscribe(socket, "level2", "SOL-USD")
        await subscribe(socket, "heartbeats")
        ladder, numbers = Ladder(), []
        for _ in range(20):
            await let_pass(venue, clock, 1)
            for frame in await drain(socket):
                numbers.append(frame["sequence_num"])
                if frame["channel"] == "l2_data":
                    ladder.apply(frame)
            for side, truth in zip(("bid", "offer"), venue.book("SOL-USD", 1_000), strict=True):
                assert ladder.sides[side] == {
                    Decimal(price_text(listing, ticks)): Decimal(size_text(listing, lots))
                    for ticks, lots in truth
                }
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 35
        assert len(ladder.sides["bid"]) == 1_000


async def test_who_never_subscribes_is_cut_after_five_seconds() -> None:
    async with connected() as (venue, clock, socket):
        await let_pass(venue, clock, 4.75)
        assert await drain(socket) == []
        await let_pass(venue, clock, 1)
        assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSED


async def test_a_quiet_channel_is_closed_unless_heartbeats_keep_it_open() -> None:
    async with connected(pace=0.05) as (venue, clock, socket):
        await subscribe(socket, "status", "BTC-USD")
        assert len(await drain(socket)) == 2
        await let_pass(venue, clock, 74)
        assert len(venue.hub.sessions) == 1
        await let_pass(venue, clock, 2)
        message = await socket.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1000)
    async with connected(pace=0.05) as (venue, clock, socket):
        await subscribe(socket, "status", "BTC-USD")
        await subscribe(socket, "heartbeats")
        await drain(socket)
        await let_pass(venue, clock, 90)
        counts = [row["events"][0]["heartbeat_counter"] for row in await drain(socket)]
        assert counts == list(range(counts[0], counts[0] + 90))


async def test_a_ninth_message_within_a_second_is_refused() -> None:
    async with connected() as (_, clock, socket):
        for _ in range(9):
            await subscribe(socket, "heartbeats")
        answers = [json.loads(await socket.receive_str(timeout=5)) for _ in range(9)]
        assert [each.get("channel") for each in answers] == ["subscriptions"] * 8 + [None]
        assert answers[8]["message"] == "rate limit exceeded"
        clock.advance(1)
        await subscribe(socket, "heartbeats")
        told = [(await socket.receive_json(timeout=5))["channel"] for _ in range(2)]
        assert told == ["heartbeats", "subscriptions"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"type": "subscribe", "channel": ["level2", "ticker"]}, "one channel in a message"),
        ({"type": "subscribe", "channel": "user"}, "authentication failure"),
        ({"type": "subscribe", "channel": "ticker", "product_ids": "BTC-USD"}, "product_ids must be a list"),
        ({"channel": "ticker"}, "failure to parse message"),
    ],
)
async def test_a_wrong_request_is_refused(asked: dict[str, Any], words: str) -> None:
    async with connected() as (_, _, socket):
        await socket.send_json(asked)
        answer = await socket.receive_json(timeout=5)
        assert answer["type"] == "error"
        assert words in answer["message"]


async def test_the_second_name_of_a_market_brings_the_data_of_the_first() -> None:
    async with connected() as (_, _, socket):
        await subscribe(socket, "ticker", "BTC-USDC", "NONE-USD")
        [facts, held] = await drain(socket)
        assert facts["events"][0]["tickers"][0]["product_id"] == "BTC-USD"
        assert held["events"] == [{"subscriptions": {"ticker": ["BTC-USD"]}}]
        await socket.send_json({"type": "unsubscribe", "channel": "ticker", "product_ids": ["BTC-USD"]})
        [held] = await drain(socket)
        assert held["events"] == [{"subscriptions": {}}]


async def test_trades_facts_and_bars_tell_one_story() -> None:
    async with connected() as (venue, clock, socket):
        for channel in ("market_trades", "ticker", "ticker_batch", "candles"):
            await subscribe(socket, channel, "ETH-USD")
        await let_pass(venue, clock, 120)
        frames = await drain(socket)
    assert len(of(frames, "market_trades")[0]["events"][0]["trades"]) == 50
    trades = rows(frames, "market_trades", "trades")
    assert len({row["trade_id"] for row in trades}) == len(trades)
    facts, told = of(frames, "ticker"), of(frames, "market_trades")
    for fact, trade in zip(facts[1:], told[1:], strict=True):
        row = fact["events"][0]["tickers"][0]
        assert row["price"] == trade["events"][0]["trades"][0]["price"]  # newest first
        assert float(row["best_bid"]) < float(row["best_ask"])
        assert float(row["low_52_w"]) <= float(row["low_24_h"]) <= float(row["price"])
    batches = of(frames, "ticker_batch")
    assert 20 <= len(batches) <= 26
    assert "best_bid" not in batches[1]["events"][0]["tickers"][0]
    bars = rows(frames, "candles", "candles")
    assert len(bars) >= 100
    begun = bars[99]["start"]
    following = [row for row in bars if row["start"] > begun][-1]
    inside = [row for row in trades if row["time"] >= "2026-09-21T14:15:00"]
    assert following["start"] == "1790000100"
    assert Decimal(following["volume"]) == sum(Decimal(row["size"]) for row in inside)
    assert Decimal(following["high"]) == max(Decimal(row["price"]) for row in inside)


async def test_the_side_of_a_trade_is_the_makers() -> None:
    async with connected() as (venue, clock, socket):
        await subscribe(socket, "ticker", "BTC-USD")
        await subscribe(socket, "market_trades", "BTC-USD")
        await let_pass(venue, clock, 60)
        frames = await drain(socket)
    sides = 0
    for fact, trade in zip(of(frames, "ticker")[1:], of(frames, "market_trades")[1:], strict=True):
        row, last = fact["events"][0]["tickers"][0], trade["events"][0]["trades"][0]
        # The last trade of a slot met the side of the book that its maker stood on.
        assert last["price"] == (row["best_ask"] if last["side"] == "SELL" else row["best_bid"])
        sides += 1
    assert sides > 50


@pytest.mark.parametrize(("kind", "missing"), [("gap", 1), ("duplicate", 0)])
async def test_a_lost_frame_is_a_missing_number(kind: str, missing: int) -> None:
    at = {"topic": "ticker:BTC-USD", "message": 3}
    async with connected({"at": at, "fault": kind}) as (venue, clock, socket):
        await subscribe(socket, "ticker", "BTC-USD")
        await let_pass(venue, clock, 10)
        numbers = [frame["sequence_num"] for frame in await drain(socket)]
    assert set(range(numbers[-1] + 1)) - set(numbers) == (set() if not missing else {4})
    assert len(numbers) - len(set(numbers)) == (kind == "duplicate")


@pytest.mark.parametrize("fault", [{"fault": "snapshot"}, {"fault": "crossed"}])
async def test_a_book_can_be_sent_whole_again_or_crossed(fault: dict[str, Any]) -> None:
    at = {"topic": "level2:BTC-USD", "message": 3}
    async with connected({"at": at, **fault}) as (venue, clock, socket):
        await subscribe(socket, "level2", "BTC-USD")
        await let_pass(venue, clock, 6)
        books = of(await drain(socket), "l2_data")
    ladder = Ladder()
    for frame in books[:4]:
        ladder.apply(frame)
    crossed = max(ladder.sides["bid"]) >= min(ladder.sides["offer"])
    assert crossed == (fault["fault"] == "crossed")
    assert (books[3]["events"][0]["type"] == "snapshot") == (fault["fault"] == "snapshot")


@pytest.mark.parametrize("field", ["channel", "events", "sequence_num", "events.0.updates.0.side"])
async def test_any_field_of_a_frame_can_drift(field: str) -> None:
    at = {"topic": "level2:BTC-USD", "message": 2}
    async with connected({"at": at, "fault": "drift", "field": field, "renamed": "other"}) as (
        venue,
        clock,
        socket,
    ):
        await subscribe(socket, "level2", "BTC-USD")
        await let_pass(venue, clock, 4)
        texts = [json.dumps(frame) for frame in await drain(socket)]
        assert sum('"other"' in text for text in texts) == 1


async def test_the_same_seed_and_script_give_the_same_bytes() -> None:
    heard = []
    for _ in range(2):
        script = {"at": {"topic": "ticker:ETH-USD", "message": 3}, "fault": "duplicate"}
        async with connected(script) as (venue, clock, socket):
            for channel in ("level2", "market_trades", "ticker", "candles", "heartbeats"):
                await subscribe(socket, channel, "BTC-USD", "ETH-USD")
            await drain(socket)
            await let_pass(venue, clock, 8)
            heard.append([json.dumps(frame) for frame in await drain(socket)])
    assert len(heard[0]) > 60
    assert heard[0] == heard[1]
