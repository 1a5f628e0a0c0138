"""The simulated Deribit, read by a client written from the documentation that shares nothing with the product."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.sim.deribit import DeribitSimulation, start

NOW_NS = 1_782_552_420_000_000_000  # 2026-06-27T09:27:00Z


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


@pytest.fixture
async def venue(clock: ManualClock) -> AsyncIterator[DeribitSimulation]:
    async with start(clock, seed=7, instruments=24) as running:
        yield running


async def get(venue: DeribitSimulation, call: str, **params: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{venue.base_url}/api/v2/public/{call}", params=params) as answer,
    ):
        return answer.status, await answer.json()


async def call(socket: aiohttp.ClientWebSocketResponse, method: str, **params: Any) -> Any:
    """Ask and give the answer, passing over notifications."""
    await socket.send_json({"jsonrpc": "2.0", "id": 42, "method": method, "params": params})
    while True:
        message = await socket.receive_json(timeout=5)
        if message.get("id") == 42:
            return message


async def told(socket: aiohttp.ClientWebSocketResponse) -> list[Any]:
    """Every notification sent before now: a call is answered after them."""
    await socket.send_json({"jsonrpc": "2.0", "id": 7, "method": "public/test", "params": {}})
    found: list[Any] = []
    while True:
        message = json.loads(await socket.receive_str(timeout=5))
        if message.get("id") == 7:
            return found
        found.append(message["params"])


async def pass_time(venue: DeribitSimulation, clock: ManualClock, seconds: float) -> None:
    for _ in range(round(seconds / 0.25)):
        clock.advance(0.25)
        venue.pump()


async def test_instruments_are_listed_with_their_rules(venue: DeribitSimulation) -> None:
    status, body = await get(venue, "get_instruments", currency="BTC", expired="false")
    assert status == 200
    rows = {row["instrument_name"]: row for row in body["result"]}
    assert rows["BTC-PERPETUAL"]["settlement_period"] == "perpetual"
    option = next(row for row in rows.values() if row["kind"] == "option")
    assert (option["instrument_type"], option["quote_currency"], option["counter_currency"]) == (
        "reversed",
        "BTC",
        "USD",
    )
    assert option["expiration_timestamp"] > NOW_NS // 1_000_000
    assert len(rows) == len(body["result"])
    assert (await get(venue, "get_instruments", currency="USDC"))[1]["result"] == []


async def test_summaries_agree_with_the_single_answer(venue: DeribitSimulation) -> None:
    _, body = await get(venue, "get_book_summary_by_currency", currency="ETH", kind="option")
    row = body["result"][30]
    _, single = await get(venue, "ticker", instrument_name=row["instrument_name"])
    assert single["result"]["mark_price"] == row["mark_price"]
    assert single["result"]["best_ask_price"] == row["ask_price"]
    assert row["quote_currency"] == "ETH"


async def test_bars_of_the_perpetual_end_with_the_last_whole_one(venue: DeribitSimulation) -> None:
    day = 86_400_000
    now = NOW_NS // 1_000_000
    _, body = await get(
        venue,
        "get_tradingview_chart_data",
        instrument_name="BTC-PERPETUAL",
        start_timestamp=str(now - 40 * day),
        end_timestamp=str(now),
        resolution="1D",
    )
    bars = body["result"]
    assert bars["ticks"][-1] == now - now % day - day
    assert len(bars["ticks"]) == len(bars["close"]) == 39
    assert all(low <= min(first, last) <= max(first, last) <= high for first, high, low, last in zip(bars["open"], bars["high"], bars["low"], bars["close"], strict=True))  # fmt: skip
    _, hours = await get(
        venue,
        "get_tradingview_chart_data",
        instrument_name="BTC-PERPETUAL",
        start_timestamp=str(bars["ticks"][-1]),
        end_timestamp=str(bars["ticks"][-1] + day - 1),
        resolution="60",
    )
    assert max(hours["result"]["high"]) == bars["high"][-1]
    assert sum(hours["result"]["volume"]) == pytest.approx(bars["volume"][-1], rel=1e-6)


async def test_funding_is_told_by_the_hour(venue: DeribitSimulation) -> None:
    now = NOW_NS // 1_000_000
    _, body = await get(
        venue, "get_funding_rate_history", instrument_name="ETH-PERPETUAL", start_timestamp=str(now - 10 * 3_600_000), end_timestamp=str(now)
    )  # fmt: skip
    rows = body["result"]
    assert [row["timestamp"] % 3_600_000 for row in rows] == [0] * len(rows)
    assert 10 <= len(rows) <= 11
    assert rows[0]["interest_8h"] == pytest.approx(8 * rows[0]["interest_1h"])


@pytest.mark.parametrize(
    ("name", "params", "code"),
    [
        ("ticker", {"instrument_name": "BTC-1JAN30-1-C"}, -32_602),
        ("get_book_summary_by_currency", {}, -32_602),
        ("get_order_book", {"instrument_name": "BTC-PERPETUAL", "depth": "7"}, -32_602),
        ("get_index_price", {"index_name": "nope_usd"}, -32_602),
        ("get_tradingview_chart_data", {"instrument_name": "BTC-PERPETUAL", "resolution": "7"}, -32_602),
        ("nothing", {}, -32_601),
    ],
)
async def test_refusals_carry_the_venues_codes(
    venue: DeribitSimulation, name: str, params: dict[str, str], code: int
) -> None:
    status, body = await get(venue, name, **params)
    assert (status, body["error"]["code"]) == (400, code)


async def test_private_calls_are_refused_and_counted(venue: DeribitSimulation) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{venue.base_url}/api/v2/private/buy") as answer,
    ):
        assert answer.status == 401
    assert venue.counters.forbidden == 1


async def test_a_hundred_reads_at_once_are_the_most(venue: DeribitSimulation, clock: ManualClock) -> None:
    url = f"{venue.base_url}/api/v2/public/test"
    async with aiohttp.ClientSession() as client:
        statuses = []
        for _ in range(101):
            async with client.get(url) as answer:
                statuses.append(answer.status)
        clock.advance(0.05)
        async with client.get(url) as answer:
            statuses.append(answer.status)
    assert statuses == [*[200] * 100, 429, 200]


async def test_a_book_goes_on_by_change_ids_that_are_not_counted_by_one(
    venue: DeribitSimulation, clock: ManualClock
) -> None:
    async with aiohttp.ClientSession() as client, client.ws_connect(venue.socket_url) as socket:
        answer = await call(socket, "public/subscribe", channels=["book.BTC-PERPETUAL.100ms"])
        assert answer["result"] == ["book.BTC-PERPETUAL.100ms"]
        await pass_time(venue, clock, 5.0)
        messages = [note["data"] for note in await told(socket)]
    first, *changes = messages
    assert first["type"] == "snapshot"
    assert len(changes) >= 8
    sides: dict[str, dict[float, float]] = {"bids": {}, "asks": {}}
    last = 0
    for message in messages:
        if message["type"] == "change":
            assert message["prev_change_id"] == last
            assert message["change_id"] > last + 1
        last = message["change_id"]
        for side in ("bids", "asks"):
            for action, price, amount in message[side]:
                if action == "delete":
                    del sides[side][price]
                else:
                    sides[side][price] = amount
        assert max(sides["bids"]) < min(sides["asks"])
    assert all(amount % 10 == 0 for side in sides.values() for amount in side.values())
    assert len(sides["bids"]) == len(sides["asks"]) == 20


async def test_options_are_told_at_once_and_then_every_two_seconds(
    venue: DeribitSimulation, clock: ManualClock
) -> None:
    _, body = await get(venue, "get_instruments", currency="BTC", kind="option")
    name = body["result"][60]["instrument_name"]
    async with aiohttp.ClientSession() as client, client.ws_connect(venue.socket_url) as socket:
        await call(socket, "public/subscribe", channels=[f"ticker.{name}.agg2"])
        await pass_time(venue, clock, 20.0)
        notes = [note["data"] for note in await told(socket)]
    times = [note["timestamp"] for note in notes]
    assert 5 <= len(notes) <= 11
    assert all(later - before >= 2_000 for before, later in itertools.pairwise(times[1:]))
    assert all({"mark_iv", "greeks", "underlying_price", "open_interest"} <= set(note) for note in notes)


async def test_trades_of_the_perpetual_are_those_of_the_market(
    venue: DeribitSimulation, clock: ManualClock
) -> None:
    async with aiohttp.ClientSession() as client, client.ws_connect(venue.socket_url) as socket:
        await call(socket, "public/subscribe", channels=["trades.BTC-PERPETUAL.100ms"])
        await pass_time(venue, clock, 10.0)
        rows = [row for note in await told(socket) for row in note["data"]]
    assert len({row["trade_id"] for row in rows}) == len(rows) > 5
    assert {row["direction"] for row in rows} <= {"buy", "sell"}
    index = venue.derivatives.index("BTC", venue.now_ms())
    assert all(abs(row["price"] / index - 1) < 0.01 for row in rows)


async def test_what_cannot_be_subscribed_is_left_out_or_refused(venue: DeribitSimulation) -> None:
    async with aiohttp.ClientSession() as client, client.ws_connect(venue.socket_url) as socket:
        some = ["ticker.BTC-PERPETUAL.100ms", "ticker.NOPE-PERPETUAL.100ms", "chart.trades.BTC-PERPETUAL.1"]
        assert (await call(socket, "public/subscribe", channels=some))["result"] == some[:1]
        raw = await call(socket, "public/subscribe", channels=["book.BTC-PERPETUAL.raw"])
        assert raw["error"]["code"] == 13_778
        assert (await call(socket, "public/unsubscribe", channels=some))["result"] == some[:1]
        assert (await call(socket, "public/subscribe", channels="x"))["error"]["code"] == -32_602
        assert (await call(socket, "public/nope"))["error"]["code"] == -32_601
        assert (await call(socket, "public/set_heartbeat", interval=30))["result"] == "ok"
        await socket.send_str("no json")
        assert (await socket.receive_json(timeout=5))["error"]["code"] == -32_600


async def test_too_many_subscription_messages_close_the_connection(venue: DeribitSimulation) -> None:
    async with aiohttp.ClientSession() as client, client.ws_connect(venue.socket_url) as socket:
        for _ in range(10):
            await call(socket, "public/subscribe", channels=[])
        assert (await call(socket, "public/subscribe", channels=[]))["error"]["code"] == 10_028
        assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE


async def test_scripted_faults_lose_and_repeat_messages_and_cut_connections(clock: ManualClock) -> None:
    channel = "book.BTC-PERPETUAL.100ms"
    faults = [
        {"seed": 1, "at": {"topic": channel, "message": 3}, "fault": "gap"},
        {"seed": 1, "at": {"topic": channel, "message": 5}, "fault": "duplicate"},
        {"seed": 1, "at": {"path": "/api/v2/public/test", "call": 1}, "fault": "status", "status": 503},
        {"seed": 1, "at": {"after_s": 60.0}, "fault": "close"},
    ]
    async with start(clock, seed=7, instruments=24, faults=faults) as venue:
        assert (await _status(venue)) == 503
        assert (await _status(venue)) == 200
        async with aiohttp.ClientSession() as client, client.ws_connect(venue.socket_url) as socket:
            await call(socket, "public/subscribe", channels=[channel])
            await pass_time(venue, clock, 6.0)
            notes = [note["data"] for note in await told(socket)]
            broken = [
                note["change_id"]
                for before, note in itertools.pairwise(notes)
                if note["prev_change_id"] != before["change_id"]
            ]
            assert len(broken) == 2  # behind the gap, and the repeated one
            await pass_time(venue, clock, 60.0)
            while (message := await socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
                pass
            assert message.type is aiohttp.WSMsgType.CLOSE


async def _status(venue: DeribitSimulation) -> int:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{venue.base_url}/api/v2/public/test") as answer,
    ):
        return answer.status


@pytest.mark.parametrize(
    ("now_ns", "scene", "told_of"), [(0, {}, "The clock shows day 0"), (NOW_NS, {"pace": 9.0}, "Pace 9.0")]
)
async def test_a_scene_that_cannot_be_played_is_refused(now_ns: int, scene: Any, told_of: str) -> None:
    with pytest.raises(InputError, match=told_of):
        async with start(ManualClock(now_ns), **scene):
            pass


BOOK = "book.BTC-PERPETUAL.100ms"


async def changes_of(clock: ManualClock, seconds: float, *faults: dict[str, Any]) -> list[Any]:
    """What a listener of a book was told while a script was played."""
    async with (
        start(clock, seed=7, instruments=24, faults=faults) as venue,
        aiohttp.ClientSession() as client,
        client.ws_connect(venue.socket_url) as socket,
    ):
        await call(socket, "public/subscribe", channels=[BOOK])
        await pass_time(venue, clock, seconds)
        return [each["data"] for each in await told(socket)]


@pytest.mark.parametrize(("fault", "broken"), [("gap", 1), ("duplicate", 1), ("swap", 3), ("restart", 0)])
async def test_changes_of_a_book_are_lost_repeated_and_swapped_by_a_script(
    clock: ManualClock, fault: str, broken: int
) -> None:
    script = {"at": {"topic": BOOK, "message": 3}, "fault": fault}
    frames = await changes_of(clock, 6.0, script)
    joints = [
        frame["type"] == "snapshot" or frame["prev_change_id"] == before["change_id"]
        for before, frame in itertools.pairwise(frames)
    ]
    assert joints.count(False) == broken
    assert sum(frame["type"] == "snapshot" for frame in frames) == 1 + (fault == "restart")


async def test_a_crossed_bid_is_taken_back_by_the_next_change(clock: ManualClock) -> None:
    frames = await changes_of(clock, 6.0, {"at": {"topic": BOOK, "message": 3}, "fault": "crossed"})
    wrong = frames[3]["bids"][-1]
    asks = {price for price, size in held(frames[:4], "asks").items() if size}
    assert wrong[1] == min(asks)
    assert held(frames[:5], "bids").get(wrong[1], 0.0) != wrong[2]
    for count in range(1, len(frames) + 1):
        if count != 4:
            bids, asks_now = held(frames[:count], "bids"), held(frames[:count], "asks")
            assert max(price for price, size in bids.items() if size) < min(
                price for price, size in asks_now.items() if size
            )


def held(frames: list[Any], side: str) -> dict[float, float]:
    """Sizes by price after the frames, 0 where a level is gone."""
    sizes: dict[float, float] = {}
    for frame in frames:
        if frame["type"] == "snapshot":
            sizes = {}
        sizes |= {price: size for _, price, size in frame[side]}
    return sizes


async def test_the_book_as_of_a_change_is_the_one_that_was_told(clock: ManualClock) -> None:
    async with (
        start(clock, seed=7, instruments=24) as venue,
        aiohttp.ClientSession() as client,
        client.ws_connect(venue.socket_url) as socket,
    ):
        await call(socket, "public/subscribe", channels=[BOOK])
        await pass_time(venue, clock, 3.0)
        frames = [each["data"] for each in await told(socket)]
        truth = venue.book_at("BTC-PERPETUAL", frames[-1]["change_id"])
        assert truth is not None
        for side, levels in zip(("bids", "asks"), truth, strict=True):
            sizes = {price: size for price, size in held(frames, side).items() if size}
            assert sorted(sizes.values()) == sorted(lots * 10.0 for _, lots in levels)
        assert venue.book_at("BTC-PERPETUAL", frames[-1]["change_id"] + 1) is None
        assert venue.book_at("SOL-PERPETUAL", 7) is None


async def test_whoever_calls_before_the_time_that_was_asked_for_is_counted(clock: ManualClock) -> None:
    script = [{"at": {"call": 1}, "fault": "limited", "retry_after": 30}]
    async with (
        start(clock, seed=7, instruments=24, faults=script) as venue,
        aiohttp.ClientSession() as client,
    ):

        async def status() -> int:
            async with client.get(f"{venue.base_url}/api/v2/public/get_time") as answer:
                return answer.status

        assert await status() == 429
        clock.advance(29.0)
        assert (await status(), venue.counters.after_retry_after) == (200, 1)
        clock.advance(2.0)
        assert (await status(), venue.counters.after_retry_after) == (200, 1)


async def test_a_venue_that_is_away_answers_nobody_until_it_is_back(clock: ManualClock) -> None:
    script = [{"at": {"after_s": 1}, "fault": "away", "seconds": 5}]
    async with (
        start(clock, seed=7, instruments=24, faults=script) as venue,
        aiohttp.ClientSession() as client,
    ):
        await pass_time(venue, clock, 1.5)
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get(f"{venue.base_url}/api/v2/public/get_time")
        assert venue.counters.while_away >= 1
        await pass_time(venue, clock, 5.0)
        async with client.get(f"{venue.base_url}/api/v2/public/get_time") as answer:
            assert answer.status == 200
