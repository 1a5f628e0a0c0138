from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sextant.api import streaming
from sextant.api.scans import results_body
from sextant.scans import transitions
from support.api import Api, api_on
from support.asgi import Reader
from support.database import sqlite

SCANS = "/api/v1/scans"
RESULTS = "/api/v1/opportunities/results"
FRAME = re.compile(r"id: (\d+)\nevent: (\w+)\ndata: (\{.*\})\n\n")


@pytest.fixture
async def working(tmp_path: Path) -> AsyncIterator[Api]:
    async with sqlite(tmp_path) as db, api_on(db, working=True) as api:
        yield api


def frames(text: str) -> list[tuple[int, str, dict[str, Any]]]:
    return [(int(number), event, json.loads(data)) for number, event, data in FRAME.findall(text)]


async def ended_scan(api: Api) -> tuple[dict[str, str], str]:
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    await api.ended(user, scan_id)
    return bearer, scan_id


async def test_the_events_of_a_scan_tell_its_whole_life_once_and_in_order(working: Api) -> None:
    api = working
    bearer, scan_id = await ended_scan(api)
    answer = await api.client.get(f"{SCANS}/{scan_id}/events", headers=bearer)
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.text.startswith("retry: 2000\n\n")
    events = frames(answer.text)
    numbers = [number for number, _, _ in events]
    assert numbers == sorted(set(numbers))
    assert all(data["version"] == number and data["scan_id"] == scan_id for number, _, data in events)
    assert all((data["feed"], data["simulated"]) == ("demo", True) for _, _, data in events)
    assert events[0][1] == "phase"
    assert events[-1][1] == "done"
    assert sum(event == "done" for _, event, _ in events) == 1
    results = (await api.client.get(f"{RESULTS}/{scan_id}", headers=bearer)).json()
    told = {data["strategy_id"]: data["opportunities"] for _, event, data in events if event == "strategy"}
    assert told == {name: row["count"] for name, row in results["strategy_performance"].items()}
    found = {data["opportunity_id"] for _, event, data in events if event == "opportunity"}
    assert found == {row["opportunity_id"] for row in results["opportunities"]}
    shares = [data["progress"]["percentage"] for _, event, data in events if event == "progress"]
    assert shares == sorted(shares)
    assert events[-1][2]["total_opportunities"] == results["total_opportunities"]


async def test_a_stream_cut_anywhere_resumes_with_each_id_once(working: Api) -> None:
    api = working
    bearer, scan_id = await ended_scan(api)
    path = f"{SCANS}/{scan_id}/events"
    whole = frames((await api.client.get(path, headers=bearer)).text)
    for position, (number, _, _) in enumerate(whole[:-1]):
        rest = await api.client.get(path, headers=bearer | {"Last-Event-ID": str(number)})
        assert frames(rest.text) == whole[position + 1 :]


@pytest.mark.parametrize("wrong", ["x", "-1", "1.5", "999999", "9" * 40])
async def test_an_event_id_that_is_not_of_the_scan_is_422(api: Api, wrong: str) -> None:
    _, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    answer = await api.client.get(f"{SCANS}/{scan_id}/events", headers=bearer | {"Last-Event-ID": wrong})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/Last-Event-ID")


async def test_events_arrive_while_the_scan_runs(api: Api) -> None:
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    reader = Reader(api.app, f"{SCANS}/{scan_id}/events", bearer)
    assert await reader.frame() == b"retry: 2000\n\n"
    first = await reader.frame()
    assert first is not None
    assert b'"phase":"started"' in first
    assert reader.status == 200
    status = await api.rows.status(scan_id, user.user_id)
    await api.rows.change(
        scan_id, status.version, api.clock.now_ns(), transitions.entered("portfolio_fetch", "On.")
    )
    second = await reader.frame()
    assert second is not None
    assert b'"phase":"portfolio_fetch"' in second
    await api.client.post(f"{SCANS}/{scan_id}/cancel", headers=bearer)
    rest = frames((await reader.rest()).decode())
    assert rest[-1][1] == "done"
    assert rest[-1][2]["error"]["reason"] == "cancelled"


async def test_a_stream_ends_with_the_token(api: Api) -> None:
    _, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    reader = Reader(api.app, f"{SCANS}/{scan_id}/events", bearer)
    await reader.frame()
    await reader.frame()
    api.clock.advance(901)
    rest = await reader.rest()
    assert rest.endswith(b"event: reauth\ndata: {}\n\n")


async def test_a_stopping_server_says_bye(api: Api) -> None:
    _, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    reader = Reader(api.app, f"{SCANS}/{scan_id}/events", bearer)
    await reader.frame()
    await reader.frame()
    api.rooms.closing.set()
    assert (await reader.rest()).endswith(b"event: bye\ndata: {}\n\n")


async def test_five_streams_of_a_user_and_those_that_leave_make_room(api: Api) -> None:
    _, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    path = f"{SCANS}/{scan_id}/events"
    readers = [Reader(api.app, path, bearer) for _ in range(5)]
    for reader in readers:
        await reader.frame()
    refused = await api.client.get(path, headers=bearer)
    assert (refused.status_code, refused.json()["reason"]) == (429, "concurrency")
    await readers[0].leave()
    another = Reader(api.app, path, bearer)
    assert await another.frame() == b"retry: 2000\n\n"
    for reader in [*readers[1:], another]:
        await reader.leave()


async def test_a_client_that_stops_reading_is_cut_and_the_scan_goes_on(
    working: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "SEND_S", 0.05)
    api = working
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    path = f"{SCANS}/{scan_id}/events"
    readers = [Reader(api.app, path, bearer, reads=1) for _ in range(5)]
    await asyncio.wait_for(asyncio.gather(*(reader.task for reader in readers)), 20)
    await api.ended(user, scan_id)
    assert frames((await api.client.get(path, headers=bearer)).text)[-1][1] == "done"


async def test_a_cancelled_scan_is_failed_and_an_ended_one_is_told_as_it_is(working: Api, api: Api) -> None:
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    answer = await api.client.post(f"{SCANS}/{scan_id}/cancel", headers=bearer)
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert answer.json()["error"] == {
        "code": "conflict",
        "reason": "cancelled",
        "detail": "The caller cancelled the scan.",
    }
    again = await api.client.post(f"{SCANS}/{scan_id}/cancel", headers=bearer)
    assert again.json() == answer.json()
    assert user.user_id


async def test_history_is_paged_filtered_and_only_the_callers_own(api: Api) -> None:
    _, bearer = await api.onboarded()
    _, other = await api.onboarded("eve@example.org")
    made = []
    for _ in range(5):
        scan_id = await api.discover(bearer)
        await api.client.post(f"{SCANS}/{scan_id}/cancel", headers=bearer)
        made.append(scan_id)
        api.clock.advance(60)
    made.append(await api.discover(bearer))
    first = (await api.client.get(f"{SCANS}?limit=4", headers=bearer)).json()
    assert [row["scan_id"] for row in first["scans"]] == made[:-5:-1]
    cursor = first["next_cursor"]
    second = (await api.client.get(f"{SCANS}?limit=4&cursor={cursor}", headers=bearer)).json()
    assert [row["scan_id"] for row in second["scans"]] == [made[1], made[0]]
    assert second["next_cursor"] is None
    running = (await api.client.get(f"{SCANS}?status=scanning", headers=bearer)).json()["scans"]
    assert [row["scan_id"] for row in running] == [made[-1]]
    between = "since=2026-03-01T12:01:00Z&until=2026-03-01T12:03:00Z"
    some = (await api.client.get(f"{SCANS}?{between}", headers=bearer)).json()["scans"]
    assert [row["scan_id"] for row in some] == [made[2], made[1]]
    assert (await api.client.get(SCANS, headers=other)).json() == {"scans": [], "next_cursor": None}
    for path, headers in (
        (f"{SCANS}?limit=4&cursor={cursor}", other),
        (f"{SCANS}?status=failed&cursor={cursor}", bearer),
        (f"{SCANS}?cursor=nonsense", bearer),
    ):
        refused = await api.client.get(path, headers=headers)
        assert (refused.status_code, refused.json()["reason"]) == (422, "bad_cursor")
    for query in ("limit=0", "limit=201", "limit=x", "status=gone", "since=yesterday"):
        assert (await api.client.get(f"{SCANS}?{query}", headers=bearer)).status_code == 422


async def every_candidate(api: Api, bearer: dict[str, str], path: str, limit: int) -> list[Any]:
    """All candidates of a scan, page by page."""
    paged, query = [], f"limit={limit}"
    while query:
        page = (await api.client.get(f"{path}?{query}", headers=bearer)).json()
        paged += page["candidates"]
        query = "" if page["next_cursor"] is None else f"limit={limit}&cursor={page['next_cursor']}"
    return paged


async def test_the_dispositions_of_each_strategy_sum_to_its_candidates(working: Api) -> None:
    api = working
    bearer, scan_id = await ended_scan(api)
    path = f"{SCANS}/{scan_id}/coverage"
    body = (await api.client.get(f"{path}?limit=200", headers=bearer)).json()
    assert body["universe"] == 24
    for row in body["strategies"]:
        assert sum(row["dispositions"].values()) == row["candidates"]
        assert row["funnel"][0]["in"] == row["candidates"]
        assert row["funnel"][-1]["out"] == row["dispositions"]["opportunity"]
        for before, after in zip(row["funnel"], row["funnel"][1:], strict=False):
            assert before["out"] == after["in"]
    small, large = [await every_candidate(api, bearer, path, limit) for limit in (50, 200)]
    assert len(small) == sum(row["candidates"] for row in body["strategies"])
    assert small == large
    assert large[: len(body["candidates"])] == body["candidates"]
    found = (await api.client.get(f"{path}?disposition=opportunity&limit=200", headers=bearer)).json()
    assert {row["disposition"] for row in found["candidates"]} == {"opportunity"}
    one = (await api.client.get(f"{path}?instrument=binance:c001-usdt:spot", headers=bearer)).json()
    assert {row["unit"] for row in one["candidates"]} == {"binance:C001-USDT:spot"}
    strategy = "ai_spot_momentum_strategy"
    only = (await api.client.get(f"{path}?strategy_id={strategy}", headers=bearer)).json()
    assert [row["strategy_id"] for row in only["strategies"]] == [strategy]
    refused = await api.client.get(f"{path}?strategy_id=none", headers=bearer)
    assert (refused.status_code, refused.json()["reason"]) == (422, "not_a_choice")


@pytest.mark.parametrize("route", ["events", "coverage"])
async def test_foreign_and_unknown_scans_are_one_404(api: Api, route: str) -> None:
    _, bearer = await api.onboarded()
    _, other = await api.onboarded("eve@example.org")
    scan_id = await api.discover(bearer)
    for name in (scan_id, "scan_" + "0" * 32, "latest", "plan_" + "0" * 32):
        answer = await api.client.get(f"{SCANS}/{name}/{route}", headers=other)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    foreign = await api.client.post(f"{SCANS}/{scan_id}/cancel", headers=other)
    assert foreign.status_code == 404
    status = (await api.client.get(f"/api/v1/opportunities/status/{scan_id}", headers=bearer)).json()
    assert status["status"] == "scanning"


async def test_the_results_of_a_scan_without_a_server_have_the_same_shape(working: Api) -> None:
    api = working
    bearer, scan_id = await ended_scan(api)
    served = (await api.client.get(f"{RESULTS}/{scan_id}", headers=bearer)).json()
    user_id = served["user_id"]
    offline = json.loads(results_body(await api.rooms.scans.results(user_id, scan_id)))
    assert offline["age_s"] == 0
    assert set(offline) == set(served)
    assert [row["opportunity_id"] for row in offline["opportunities"]] == [
        row["opportunity_id"] for row in served["opportunities"]
    ]
