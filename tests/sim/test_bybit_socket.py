"""The public sockets keep the documented rules, and what they push is the truth of the market."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import zstandard

from sextant.kit.clock import ManualClock
from sextant.sim.bybit import Simulation, start
from sextant.sim.paths import fold
from sextant.sim.wire import price_text, size_text
from support.bybit_reading import Ladder, drain, let_pass, subscribe

START_NS = 1_790_000_010_000_000_000
"""2026-09-21T14:13:30Z: in the middle of a minute."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_NS)


@pytest.fixture
async def venue(clock: ManualClock) -> AsyncIterator[Simulation]:
    async with start(clock, seed=7, instruments=24) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def _recorded(data_dir: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The first recorded frame of each connection, topic kind and type."""
    place = data_dir / "cryptofeed" / "v3" / "BYBIT_btc_eth.jsonl.zst"
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    with place.open("rb") as raw:
        text = zstandard.ZstdDecompressor().stream_reader(raw).read().decode()
    for line in text.splitlines():
        row = json.loads(line)
        if row["t"] != "recv":
            continue
        frame = json.loads(row["data"])
        category = "linear" if row["conn"].endswith("2") else "spot"
        kind = frame["topic"].split(".")[0] if "topic" in frame else str(frame.get("op"))
        found.setdefault((category, kind, str(frame.get("type"))), frame)
    return found


def _shape(value: Any) -> Any:
    """Names in their order and the types under them; rows of a list by their first."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return type(value).__name__


@pytest.mark.data
@pytest.mark.parametrize("category", ["linear", "spot"])
async def test_frames_have_the_shape_of_recorded_ones(
    data_dir: Path, venue: Simulation, clock: ManualClock, http: aiohttp.ClientSession, category: str
) -> None:
    recorded = _recorded(data_dir)
    url = venue.socket_url("spot" if category == "spot" else "linear")
    async with http.ws_connect(url, max_msg_size=0) as socket:
        names = ("orderbook.200", "publicTrade", "tickers", "kline.1")
        answer = await subscribe(socket, *(f"{name}.BTCUSDT" for name in names))
        await let_pass(venue, clock, 5)
        frames = await drain(socket)
    if category == "linear":
        assert _shape(answer) == _shape(recorded["linear", "subscribe", "None"])
    compared = 0
    for (kind_of, name, kind), theirs in recorded.items():
        if kind_of != category or "topic" not in theirs:
            continue
        ours = next(frame for frame in frames if frame["topic"].startswith(name) and frame["type"] == kind)
        if name == "tickers" and kind == "delta":
            known = set(recorded[category, "tickers", "snapshot"]["data"])
            assert set(ours["data"]) <= known
            assert [key for key in ours if key != "data"] == [key for key in theirs if key != "data"]
        else:
            assert _shape(ours) == _shape(theirs)
            assert list(ours) == list(theirs)
        compared += 1
    assert compared == (6 if category == "linear" else 5)


@pytest.mark.parametrize("depth", [1, 50, 200, 1000])
async def test_a_client_that_applies_every_push_holds_the_true_book(
    venue: Simulation, clock: ManualClock, http: aiohttp.ClientSession, depth: int
) -> None:
    listing = venue.model.find("linear", "SOLUSDT")
    assert listing is not None
    ladder, compared = Ladder(), 0
    async with http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket:
        await subscribe(socket, f"orderbook.{depth}.SOLUSDT")
        for _ in range(40):
            await let_pass(venue, clock, 1)
            for frame in await drain(socket):
                ladder.apply(frame)
            u, bids, asks = venue.book("SOLUSDT", depth)
            assert ladder.u == u
            truth = [
                [
                    (Decimal(price_text(listing, ticks)), Decimal(size_text(listing, lots)))
                    for ticks, lots in side
                ]
                for side in (bids, asks)
            ]
            assert sorted(ladder.bids.items(), reverse=True) == truth[0]
            assert sorted(ladder.asks.items()) == truth[1]
            assert max(ladder.bids) < min(ladder.asks)
            assert len(bids) == len(asks) == depth
            compared += 1
    assert compared == 40
    assert ladder.gaps == 0


async def test_trades_fold_to_the_bar_and_the_bar_is_the_one_of_history(
    venue: Simulation, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket:
        await subscribe(socket, "publicTrade.ETHUSDT", "kline.1.ETHUSDT", "kline.5.ETHUSDT")
        await let_pass(venue, clock, 150)
        frames = await drain(socket)
    minute = START_NS // 60_000_000_000 + 1
    start_ms = minute * 60_000
    rows = [row for frame in frames if frame["topic"].startswith("publicTrade") for row in frame["data"]]
    inside = [row for row in rows if start_ms <= row["T"] < start_ms + 60_000]
    finals = [
        frame["data"][0]
        for frame in frames
        if frame["topic"] == "kline.1.ETHUSDT"
        and frame["data"][0]["confirm"]
        and frame["data"][0]["start"] == start_ms
    ]
    assert len(finals) == 1
    bar = finals[0]
    assert max(Decimal(row["p"]) for row in inside) == Decimal(bar["high"])
    assert min(Decimal(row["p"]) for row in inside) == Decimal(bar["low"])
    assert Decimal(inside[-1]["p"]) == Decimal(bar["close"])
    assert sum(Decimal(row["v"]) for row in inside) == Decimal(bar["volume"])
    turnover = sum(Decimal(row["v"]) * Decimal(row["p"]) for row in inside)
    assert abs(turnover / Decimal(bar["turnover"]) - 1) < Decimal("0.003")
    assert [row["T"] for row in rows] == sorted(row["T"] for row in rows)
    assert len({row["i"] for row in rows}) == len(rows)
    url = f"{venue.base_url}/v5/market/kline?category=linear&symbol=ETHUSDT&interval=1&start={start_ms}&end={start_ms}"
    async with http.get(url) as reply:
        row = (await reply.json())["result"]["list"][0]
    assert row == [
        str(start_ms),
        *(bar[name] for name in ("open", "high", "low", "close", "volume", "turnover")),
    ]
    ended = [
        frame["data"][0]
        for frame in frames
        if frame["topic"] == "kline.5.ETHUSDT" and frame["data"][0]["confirm"]
    ]
    listing = venue.model.find("linear", "ETHUSDT")
    assert listing is not None
    assert len(ended) == 1
    first = ended[0]["start"] // 60_000
    five = fold(venue.model.minute_span(listing, first, first + 5), 5)
    assert Decimal(ended[0]["high"]) == Decimal(price_text(listing, int(five.high[0])))
    assert Decimal(ended[0]["volume"]) == Decimal(size_text(listing, int(five.lots[0])))


async def test_deltas_of_the_summary_lead_to_the_present_summary(
    venue: Simulation, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    fields: dict[str, str] = {}
    kinds = []
    async with http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket:
        await subscribe(socket, "tickers.BTCUSDT")
        await let_pass(venue, clock, 61)
        for frame in await drain(socket):
            kinds.append(frame["type"])
            fields |= frame["data"]
            assert Decimal(fields["bid1Price"]) < Decimal(fields["ask1Price"])
    assert kinds[0] == "snapshot"
    assert set(kinds[1:]) == {"delta"}
    assert fields["preOpenPrice"] == ""
    assert Decimal(fields["lowPrice24h"]) <= Decimal(fields["lastPrice"]) <= Decimal(fields["highPrice24h"])
    assert int(fields["nextFundingTime"]) % 28_800_000 == 0


async def test_a_second_subscriber_starts_from_what_the_first_was_told(
    venue: Simulation, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    url = venue.socket_url("linear")
    async with http.ws_connect(url, max_msg_size=0) as first, http.ws_connect(url, max_msg_size=0) as second:
        ladders = Ladder(), Ladder()
        await subscribe(first, "orderbook.50.BTCUSDT")
        await let_pass(venue, clock, 3.3)
        await subscribe(second, "orderbook.50.BTCUSDT")
        await let_pass(venue, clock, 5)
        for ladder, socket in zip(ladders, (first, second), strict=True):
            for frame in await drain(socket):
                ladder.apply(frame)
    assert ladders[0].u == ladders[1].u
    assert ladders[0].bids == ladders[1].bids
    assert ladders[0].asks == ladders[1].asks
    assert ladders[0].gaps == ladders[1].gaps == 0


async def test_requests_are_refused_in_the_words_of_the_venue(
    venue: Simulation, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(venue.socket_url("spot")) as socket:
        answer = await subscribe(socket, *(f"tickers.X{number}USDT" for number in range(11)))
        assert (answer["success"], answer["ret_msg"]) == (False, "args size >10")
        answer = await subscribe(socket, "allLiquidation.BTCUSDT")
        assert answer["ret_msg"] == "error:handler not found,topic:allLiquidation.BTCUSDT"
    async with http.ws_connect(venue.socket_url("linear")) as socket:
        assert (await subscribe(socket, "orderbook.50.NOPEUSDT"))["success"] is False
        assert (await subscribe(socket, "kline.7.BTCUSDT"))["success"] is False
        assert (await subscribe(socket, "publicTrade.BTCUSDT"))["success"] is True
        again = await subscribe(socket, "publicTrade.BTCUSDT")
        assert again["ret_msg"] == "error:already subscribed,topic:publicTrade.BTCUSDT"
        await socket.send_str("no json")
        assert (await socket.receive_json(timeout=5))["success"] is False


async def test_ping_is_answered_as_documented(venue: Simulation, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect(venue.socket_url("linear")) as socket:
        await socket.send_json({"op": "ping", "req_id": "100001"})
        answer = await socket.receive_json(timeout=5)
    assert answer == {
        "success": True,
        "ret_msg": "pong",
        "conn_id": answer["conn_id"],
        "req_id": "100001",
        "op": "ping",
    }


async def test_after_unsubscribing_nothing_is_pushed(
    venue: Simulation, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket:
        await subscribe(socket, "orderbook.50.BTCUSDT", "publicTrade.BTCUSDT")
        await let_pass(venue, clock, 2)
        assert await drain(socket)
        await socket.send_json({"op": "unsubscribe", "args": ["orderbook.50.BTCUSDT", "publicTrade.BTCUSDT"]})
        assert (await socket.receive_json(timeout=5))["op"] == "unsubscribe"
        await let_pass(venue, clock, 5)
        assert await drain(socket) == []


async def test_leaving_and_joining_again_at_once_does_not_push_twice(
    venue: Simulation, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    topics = ["publicTrade.BTCUSDT", "orderbook.50.BTCUSDT", "kline.1.BTCUSDT"]
    async with http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket:
        await subscribe(socket, *topics)
        for _ in range(3):
            await socket.send_json({"op": "unsubscribe", "args": topics})
            await subscribe(socket, *topics)
        await drain(socket)
        await let_pass(venue, clock, 100)
        frames = await drain(socket)
    ids = [row["i"] for frame in frames if frame["topic"].startswith("publicTrade") for row in frame["data"]]
    assert len(ids) == len(set(ids)) > 100
    stamps = [frame["ts"] for frame in frames if frame["topic"].startswith("orderbook")]
    assert len(stamps) == len(set(stamps))
    finals = [
        frame["data"][0]["start"]
        for frame in frames
        if frame["topic"].startswith("kline") and frame["data"][0]["confirm"]
    ]
    assert len(finals) == len(set(finals)) == 2


async def test_more_than_21000_characters_of_topics_are_refused(
    venue: Simulation, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(venue.socket_url("linear")) as socket:
        answer = await subscribe(socket, *(f"publicTrade.{'X' * 500}{number}USDT" for number in range(41)))
        assert "21000" in answer["ret_msg"]


async def test_an_unknown_operation_and_empty_topics_are_refused(
    venue: Simulation, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(venue.socket_url("linear")) as socket:
        for asked in (
            {"op": "order.create", "args": []},
            {"op": "subscribe"},
            {"op": "subscribe", "args": [5]},
            {"op": 7},
        ):
            await socket.send_json(asked)
            assert (await socket.receive_json(timeout=5))["success"] is False


async def test_level_one_repeats_its_snapshot_and_number_after_three_quiet_seconds(
    venue: Simulation, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket:
        await subscribe(socket, "orderbook.1.BTCUSDT")
        await let_pass(venue, clock, 20)
        frames = await drain(socket)
    assert {frame["type"] for frame in frames} == {"snapshot"}
    numbers = [frame["data"]["u"] for frame in frames]
    assert all(after - before in (0, 1) for before, after in pairwise(numbers))


async def test_a_silent_client_is_cut_after_ten_minutes(
    venue: Simulation, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(venue.socket_url("linear")) as socket:
        await drain(socket)
        clock.advance(601)
        venue.pump()
        message = await socket.receive(timeout=5)
        assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)


async def _history(seed: int) -> list[dict[str, Any]]:
    clock = ManualClock(START_NS)
    script = [{"seed": 7, "at": {"topic": "orderbook.50.BTCUSDT", "message": 5}, "fault": "gap"}]
    async with (
        start(clock, seed=seed, instruments=12, faults=script) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket,
    ):
        names = ("orderbook.50", "publicTrade", "tickers", "kline.1", "allLiquidation")
        await subscribe(socket, *(f"{name}.{base}USDT" for base in ("BTC", "SOL") for name in names))
        await let_pass(venue, clock, 45)
        return await drain(socket)


async def test_one_seed_and_script_give_the_same_history_twice() -> None:
    first, second, other = await _history(7), await _history(7), await _history(8)
    assert json.dumps(first) == json.dumps(second)
    assert json.dumps(first) != json.dumps(other)
    assert len(first) > 300
