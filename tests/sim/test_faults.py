"""Every fault of a script happens at its place, and only there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.sim.bybit import Simulation, start
from sextant.sim.faults import MOMENT_FAULTS, PUSH_FAULTS, REST_FAULTS, parse
from support.bybit_reading import Ladder, drain, let_pass, subscribe

START_NS = 1_790_000_010_000_000_000
TOPIC = "orderbook.50.BTCUSDT"
TIME = "/v5/market/time"


def _at_push(fault: str, message: int = 5, **details: Any) -> dict[str, Any]:
    return {"seed": 7, "at": {"topic": TOPIC, "message": message}, "fault": fault, **details}


async def _book_frames(
    fault: Mapping[str, Any], seconds: float = 8
) -> tuple[list[dict[str, Any]], Simulation]:
    clock = ManualClock(START_NS)
    async with (
        start(clock, instruments=4, faults=[fault]) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket,
    ):
        await subscribe(socket, TOPIC)
        await let_pass(venue, clock, seconds)
        return await drain(socket), venue


def _numbers(frames: list[dict[str, Any]]) -> list[int]:
    return [frame["data"]["u"] - frames[0]["data"]["u"] for frame in frames]


async def test_a_gap_loses_one_number() -> None:
    frames, venue = await _book_frames(_at_push("gap"))
    assert _numbers(frames)[:7] == [0, 1, 2, 3, 4, 6, 7]
    assert venue.plan.history == [(f"push 5 {TOPIC}", "gap")]


async def test_a_duplicate_comes_twice_in_the_same_bytes() -> None:
    frames, _ = await _book_frames(_at_push("duplicate"))
    assert _numbers(frames)[:8] == [0, 1, 2, 3, 4, 5, 5, 6]
    assert frames[5] == frames[6]


async def test_swapped_frames_change_places() -> None:
    frames, _ = await _book_frames(_at_push("swap"))
    assert _numbers(frames)[:8] == [0, 1, 2, 3, 4, 6, 5, 7]


async def test_a_second_snapshot_replaces_the_book() -> None:
    frames, venue = await _book_frames(_at_push("snapshot"))
    assert [frame["type"] for frame in frames[:7]] == ["snapshot", *["delta"] * 4, "snapshot", "delta"]
    ladder = Ladder()
    for frame in frames:
        ladder.apply(frame)
    u, bids, asks = venue.book("BTCUSDT", 50)
    assert (ladder.u, ladder.gaps, len(ladder.bids), len(ladder.asks)) == (u, 0, len(bids), len(asks))


async def test_a_restarted_service_counts_from_one() -> None:
    frames, venue = await _book_frames(_at_push("restart"))
    assert [frame["data"]["u"] for frame in frames[5:8]] == [1, 2, 3]
    assert frames[5]["type"] == "snapshot"
    ladder = Ladder()
    for frame in frames:
        ladder.apply(frame)
    assert (ladder.u, ladder.gaps) == (venue.book("BTCUSDT", 50)[0], 0)


async def test_a_crossed_book_lasts_one_message_and_is_then_true_again() -> None:
    frames, venue = await _book_frames(_at_push("crossed"))
    ladder, crossed = Ladder(), []
    for number, frame in enumerate(frames):
        ladder.apply(frame)
        if max(ladder.bids) >= min(ladder.asks):
            crossed.append(number)
    assert crossed == [5]
    _, bids, asks = venue.book("BTCUSDT", 50)
    assert (len(ladder.bids), len(ladder.asks)) == (len(bids), len(asks))


async def test_a_frozen_topic_repeats_itself() -> None:
    frames, _ = await _book_frames(_at_push("frozen", times=4))
    assert _numbers(frames)[:10] == [0, 1, 2, 3, 4, 4, 4, 4, 4, 9]
    assert len({frame["cts"] for frame in frames[4:9]}) == 1


async def test_raw_text_and_binary_reach_the_client() -> None:
    clock = ManualClock(START_NS)
    script = [_at_push("raw", 2, text='{"topic":'), _at_push("binary", 3, hex="ff00")]
    async with (
        start(clock, instruments=4, faults=script) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket,
    ):
        await subscribe(socket, TOPIC)
        await let_pass(venue, clock, 2)
        got = [(await socket.receive(timeout=5)) for _ in range(4)]
    assert got[2].data == '{"topic":'
    assert (got[3].type, got[3].data) == (aiohttp.WSMsgType.BINARY, b"\xff\x00")


async def test_a_fragmented_message_is_joined_by_the_client() -> None:
    frames, _ = await _book_frames(_at_push("fragments", times=3))
    assert _numbers(frames)[:10] == list(range(10))


async def test_text_that_is_not_utf_8_reaches_the_client() -> None:
    clock = ManualClock(START_NS)
    async with (
        start(clock, instruments=4, faults=[_at_push("broken_text", 2)]) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket,
    ):
        await subscribe(socket, TOPIC)
        await let_pass(venue, clock, 2)
        kinds = [(await socket.receive(timeout=5)).type for _ in range(3)]
    assert kinds == [aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.ERROR]


@pytest.mark.parametrize(("kind", "details"), [("reset", {}), ("close", {"code": 1012})])
@pytest.mark.parametrize("place", [{"topic": TOPIC, "message": 3}, {"after_s": 2}])
async def test_a_connection_ends_as_told_and_a_second_one_is_served(
    kind: str, details: dict[str, Any], place: dict[str, Any]
) -> None:
    clock = ManualClock(START_NS)
    script = [{"at": place, "fault": kind, **details}]
    async with start(clock, instruments=4, faults=script) as venue, aiohttp.ClientSession() as http:
        async with http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket:
            await subscribe(socket, TOPIC)
            await let_pass(venue, clock, 4)
            last = await socket.receive(timeout=5)
            while last.type is aiohttp.WSMsgType.TEXT:
                last = await socket.receive(timeout=5)
            if kind == "close":
                assert (last.type, last.data, last.extra) == (
                    aiohttp.WSMsgType.CLOSE,
                    1012,
                    "service restart",
                )
            else:
                assert last.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
                assert socket.close_code == 1006
        async with http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as again:
            await subscribe(again, TOPIC)
            await let_pass(venue, clock, 2)
            assert len(await drain(again)) > 2


async def _until_quiet(socket: aiohttp.ClientWebSocketResponse) -> int:
    """How many messages come until none comes for a while."""
    found = 0
    while True:
        try:
            await socket.receive(timeout=0.2)
        except TimeoutError:
            return found
        found += 1


async def test_silence_keeps_the_connection_and_answers_nothing_for_a_while() -> None:
    clock = ManualClock(START_NS)
    script = [{"at": {"after_s": 2}, "fault": "silence", "seconds": 30}]
    async with (
        start(clock, instruments=4, faults=script) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url("linear"), max_msg_size=0) as socket,
    ):
        await subscribe(socket, TOPIC)
        await let_pass(venue, clock, 3)
        await socket.send_json({"op": "ping"})
        await let_pass(venue, clock, 20)
        before = await _until_quiet(socket)
        assert 0 < before < 8
        await let_pass(venue, clock, 15)
        assert len(await drain(socket)) > 5


async def _replies(script: list[dict[str, Any]], calls: int) -> list[Any]:
    """Status, type and text of each call, or the name of what went wrong."""
    found: list[Any] = []
    async with start(ManualClock(START_NS), instruments=4, faults=script) as venue:
        for _ in range(calls):
            try:
                async with (
                    aiohttp.ClientSession() as http,
                    http.get(venue.base_url + TIME, allow_redirects=False) as reply,
                ):
                    found.append(
                        (
                            reply.status,
                            reply.content_type,
                            await reply.text(),
                            reply.headers.get("Retry-After"),
                        )
                    )
            except aiohttp.ClientError as error:
                found.append(type(error).__name__)
    return found


@pytest.mark.parametrize(
    ("details", "status", "kind", "text"),
    [
        ({"fault": "status", "status": 502}, 502, "text/plain", "Bad Gateway"),
        ({"fault": "html"}, 200, "text/html", "<html>"),
        ({"fault": "html", "status": 503}, 503, "text/html", "503 Service Temporarily Unavailable"),
        ({"fault": "limited", "retry_after": 30}, 429, "text/plain", "Too Many Requests"),
        ({"fault": "banned"}, 403, "text/plain", "access too frequent"),
        ({"fault": "body", "text": '{"retCode":0}'}, 200, "application/json", '{"retCode":0}'),
        ({"fault": "redirect", "location": "http://127.0.0.9/"}, 302, "application/octet-stream", ""),
    ],
)
async def test_a_call_is_answered_wrongly_as_told(
    details: dict[str, Any], status: int, kind: str, text: str
) -> None:
    replies = await _replies([{"at": {"call": 2}, **details}], 3)
    assert replies[0][0] == 200
    assert (replies[1][0], replies[1][1]) == (status, kind)
    assert text in replies[1][2]
    assert replies[1][3] == ("30" if "retry_after" in details else None)
    assert replies[2][0] == (403 if details["fault"] == "banned" else 200)


@pytest.mark.parametrize(
    "details", [{"fault": "reset", "byte": 20}, {"fault": "reset"}, {"fault": "truncated"}]
)
async def test_a_body_ends_too_early(details: dict[str, Any]) -> None:
    replies = await _replies([{"seed": 3, "at": {"call": 2, "path": TIME}, **details}], 3)
    assert replies[0][0] == replies[2][0] == 200
    assert replies[1] in (
        "ClientPayloadError",
        "ClientOSError",
        "ServerDisconnectedError",
        "ClientConnectionResetError",
    )


async def test_a_dripping_body_outlives_a_total_deadline() -> None:
    script = [{"at": {"call": 1}, "fault": "drip", "bytes_a_second": 20}]
    async with (
        start(ManualClock(START_NS), instruments=4, faults=script) as venue,
        aiohttp.ClientSession() as http,
    ):
        with pytest.raises(TimeoutError):
            async with http.get(venue.base_url + TIME, timeout=aiohttp.ClientTimeout(total=0.3)) as reply:
                await reply.read()


async def test_a_storm_lasts_as_many_calls_as_told_and_counts_the_impatient() -> None:
    script = [{"at": {"call": 1}, "fault": "limited", "retry_after": 30, "times": 3}]
    clock = ManualClock(START_NS)
    async with start(clock, instruments=4, faults=script) as venue, aiohttp.ClientSession() as http:
        seen = []
        for wait in (0, 31, 5, 31):
            clock.advance(wait)
            async with http.get(venue.base_url + TIME) as reply:
                seen.append(reply.status)
        assert seen == [429, 429, 429, 200]
        assert venue.counters.after_retry_after == 1


async def test_a_skewed_clock_shows_in_the_venues_time() -> None:
    clock = ManualClock(START_NS)
    script = [{"at": {"after_s": 1}, "fault": "skew", "seconds": 600}]
    async with start(clock, instruments=4, faults=script) as venue, aiohttp.ClientSession() as http:
        shown = []
        for _ in range(2):
            async with http.get(venue.base_url + TIME) as reply:
                shown.append(int((await reply.json())["result"]["timeSecond"]))
            clock.advance(1)
            venue.pump()
        assert shown == [START_NS // 10**9, START_NS // 10**9 + 601 - 600 + 600]


async def test_a_ban_at_a_moment_and_a_skew_at_a_call() -> None:
    clock = ManualClock(START_NS)
    script: list[dict[str, Any]] = [
        {"at": {"call": 1}, "fault": "skew", "seconds": -600},
        {"at": {"after_s": 10}, "fault": "banned"},
    ]
    async with start(clock, instruments=4, faults=script) as venue, aiohttp.ClientSession() as http:
        async with http.get(venue.base_url + TIME) as reply:
            assert (await reply.json())["time"] == START_NS // 10**6 - 600_000
        clock.advance(10)
        venue.pump()
        async with http.get(venue.base_url + TIME) as reply:
            assert reply.status == 403


async def test_raw_text_at_a_moment_reaches_every_client() -> None:
    clock = ManualClock(START_NS)
    script: list[dict[str, Any]] = [
        {"at": {"after_s": 1}, "fault": "raw", "text": "[", "repeat": 100_000},
        {"at": {"after_s": 2}, "fault": "binary", "hex": "00"},
    ]
    async with (
        start(clock, instruments=4, faults=script) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url("spot")) as first,
        http.ws_connect(venue.socket_url("linear")) as second,
    ):
        for socket in (first, second):
            await drain(socket)
        await let_pass(venue, clock, 3)
        for socket in (first, second):
            assert await socket.receive_str(timeout=5) == "[" * 100_000
            assert await socket.receive_bytes(timeout=5) == b"\x00"


async def _bytes_of_a_bad_day(script: list[dict[str, Any]]) -> list[bytes]:
    found = []
    clock = ManualClock(START_NS)
    async with start(clock, instruments=6, faults=script) as venue, aiohttp.ClientSession() as http:
        for path in (
            TIME,
            "/v5/market/tickers?category=linear",
            "/v5/market/orderbook?category=linear&symbol=ETHUSDT",
        ):
            for _ in range(3):
                clock.advance(1.5)
                try:
                    async with http.get(venue.base_url + path) as reply:
                        found.append(await reply.read())
                except aiohttp.ClientError as error:
                    found.append(type(error).__name__.encode())
        found.append(repr(venue.plan.history).encode())
    return found


async def test_one_script_gives_the_same_bytes_twice_over_rest() -> None:
    script: list[dict[str, Any]] = [
        {"seed": 5, "at": {"call": 2}, "fault": "reset"},
        {"seed": 5, "at": {"call": 4}, "fault": "html", "status": 502},
        {"seed": 5, "at": {"call": 6}, "fault": "truncated"},
    ]
    first, second = await _bytes_of_a_bad_day(script), await _bytes_of_a_bad_day(script)
    assert first == second
    assert len(first) == 10


@pytest.mark.parametrize(
    "line",
    [
        {"fault": "gap"},
        {"at": {"call": 1}, "fault": "gap"},
        {"at": {"topic": TOPIC}, "fault": "gap"},
        {"at": {"topic": TOPIC, "message": 1}, "fault": "html"},
        {"at": {"call": 1, "moon": 2}, "fault": "reset"},
        {"at": {"call": 1}, "fault": "reset", "bites": 3},
        {"at": {"call": 1}, "fault": "earthquake"},
    ],
)
def test_a_malformed_script_is_refused(line: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        parse([line])


def test_the_page_about_faults_names_every_fault_at_its_places() -> None:
    page = Path(__file__).parents[2] / "docs" / "how_to" / "script_a_fault.md"
    told: dict[str, set[str]] = {"call": set(), "push": set(), "moment": set()}
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and set(cells[0].split(", ")) <= set(told):
            for place in cells[0].split(", "):
                told[place] |= set(re.findall(r"`(\w+)`", cells[1]))
    assert told == {"call": set(REST_FAULTS), "push": set(PUSH_FAULTS), "moment": set(MOMENT_FAULTS)}


async def test_the_first_push_of_a_topic_after_a_moment_is_hit_and_no_other() -> None:
    fault = {"at": {"topic": TOPIC, "after_s": 3}, "fault": "gap"}
    frames, venue = await _book_frames(fault)
    numbers = _numbers(frames)
    (lost,) = sorted(set(range(numbers[-1])) - set(numbers))
    before = next(frame for frame in frames if frame["data"]["u"] - frames[0]["data"]["u"] == lost - 1)
    assert before["ts"] < START_NS // 10**6 + 3_050
    assert frames[numbers.index(lost + 1)]["ts"] > START_NS // 10**6 + 3_000
    assert [kind for _, kind in venue.plan.history] == ["gap"]


@pytest.mark.parametrize(
    ("path", "statuses"), [("*", [502, 200]), (TIME, [502, 200]), ("/other", [200, 200])]
)
async def test_the_first_call_after_a_moment_is_hit_and_no_other(path: str, statuses: list[int]) -> None:
    clock = ManualClock(START_NS)
    script = [{"at": {"path": path, "after_s": 1}, "fault": "status", "status": 502}]
    async with start(clock, instruments=4, faults=script) as venue, aiohttp.ClientSession() as http:

        async def status() -> int:
            async with http.get(venue.base_url + TIME) as answer:
                return answer.status

        assert await status() == 200
        clock.advance(1.5)
        venue.pump()
        assert [await status() for _ in range(2)] == statuses
