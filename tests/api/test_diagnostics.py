from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sextant.strategies.catalog import strategies
from support.api import Api, api_on
from support.database import sqlite

BASE = "/api/v1/scan-diagnostics"


@pytest.fixture
async def working(tmp_path: Path) -> AsyncIterator[Api]:
    async with sqlite(tmp_path) as db, api_on(db, working=True) as api:
        yield api


async def test_the_phases_of_an_ended_scan_are_all_visible_in_order(working: Api) -> None:
    api = working
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    await api.ended(user, scan_id)
    body = (await api.client.get(f"{BASE}/scan-lifecycle/{scan_id}", headers=bearer)).json()
    assert list(body["phases"]) == [
        "started",
        "portfolio_fetch",
        "asset_discovery",
        "strategies_scan",
        "completed",
    ]
    assert (body["current_phase"], body["current_status"]) == ("completed", "completed")
    assert (body["is_stuck"], body["stuck_duration_seconds"], body["stuck_after_s"]) == (False, None, 15.0)
    assert body["redis_key"] == f"scan_lifecycle:{scan_id}"
    assert {phase["user_id"] for phase in body["phases"].values()} == {user.user_id}


async def test_a_scan_that_does_not_move_is_stuck_after_fifteen_seconds(api: Api) -> None:
    _, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    path = f"{BASE}/scan-lifecycle/{scan_id}"
    api.clock.advance(14.9)
    early = (await api.client.get(path, headers=bearer)).json()
    assert (early["is_stuck"], early["current_status"]) == (False, "in_progress")
    api.clock.advance(0.1)
    late = (await api.client.get(path, headers=bearer)).json()
    assert (late["is_stuck"], late["stuck_duration_seconds"]) == (True, 15.0)


async def test_all_steps_are_listed_from_the_start_and_completed_at_the_end(working: Api, api: Api) -> None:
    user, bearer = await working.onboarded()
    scan_id = await working.discover(bearer)
    await working.ended(user, scan_id)
    body = (await working.client.get(f"{BASE}/scan-debug/{scan_id}", headers=bearer)).json()
    planned = 14 + len(strategies())
    assert body["total_steps"] == len(body["steps"]) == planned
    assert (body["overall_status"], body["failure_info"]) == ("completed", None)
    assert body["steps_completed"] == planned
    assert body["steps"]["1"]["name"] == "Accept"
    assert body["steps"]["100"]["name"].startswith("Strategy: ")
    _, fresh = await api.onboarded("bob@example.org")
    waiting = await api.discover(fresh)
    early = (await api.client.get(f"{BASE}/scan-debug/{waiting}", headers=fresh)).json()
    assert (early["total_steps"], early["steps_completed"], early["current_step"]) == (planned, 1, 1)
    assert early["overall_status"] == "in_progress"


async def test_operators_see_any_scan_and_others_only_their_own(api: Api) -> None:
    user, bearer = await api.onboarded()
    _, other = await api.onboarded("eve@example.org")
    _, admin = await api.onboarded("root@example.org", "admin")
    scan_id = await api.discover(bearer)
    paths = [
        f"{BASE}/scan-lifecycle/{scan_id}",
        f"{BASE}/scan-debug/{scan_id}",
        f"{BASE}/scan-history/{user.user_id}",
    ]
    for path in paths:
        assert (await api.client.get(path, headers=bearer)).status_code == 200
        assert (await api.client.get(path, headers=admin)).status_code == 200
        assert (await api.client.get(path, headers=other)).status_code == 404
    for owned in ("opportunities/status", "opportunities/results", "scans"):
        tail = "/coverage" if owned == "scans" else ""
        answer = await api.client.get(f"/api/v1/{owned}/{scan_id}{tail}", headers=admin)
        assert answer.status_code == 404
    nobody = f"{BASE}/scan-history/00000000-0000-4000-8000-000000000000"
    assert (await api.client.get(nobody, headers=other)).status_code == 404
    assert (await api.client.get(nobody, headers=admin)).status_code == 404


async def test_history_lists_a_scan_the_moment_it_ends_in_pages(api: Api) -> None:
    user, bearer = await api.onboarded()
    made = []
    for _ in range(3):
        scan_id = await api.discover(bearer)
        await api.client.post(f"/api/v1/scans/{scan_id}/cancel", headers=bearer)
        made.append(scan_id)
        api.clock.advance(1)
    path = f"{BASE}/scan-history/{user.user_id}"
    first = (await api.client.get(f"{path}?limit=2", headers=bearer)).json()
    assert (first["total_scans"], [row["scan_id"] for row in first["scans"]]) == (3, made[:0:-1])
    assert first["scans"][0]["status"] == "failed"
    assert first["scans"][0]["partial"] is True
    second = await api.client.get(f"{path}?limit=2&cursor={first['next_cursor']}", headers=bearer)
    assert [row["scan_id"] for row in second.json()["scans"]] == made[:1]
    assert (await api.client.get(f"{path}?limit=51", headers=bearer)).status_code == 422


async def test_figures_of_the_day_count_what_the_rows_say(working: Api) -> None:
    api = working
    user, bearer = await api.onboarded()
    _, admin = await api.onboarded("root@example.org", "admin")
    path = f"{BASE}/scan-metrics"
    empty = (await api.client.get(path, headers=admin)).json()
    assert (empty["latest_scan"], empty["recent_scans"]) == (None, [])
    assert empty["daily_stats"] == {
        "date": "2026-03-01",
        "stats": {
            "total_scans": 0,
            "successful_scans": 0,
            "total_opportunities": 0,
            "total_strategies": 0,
            "avg_execution_time_ms": None,
        },
        "success_rate": None,
    }
    scan_id = await api.discover(bearer)
    await api.ended(user, scan_id)
    body = (await api.client.get(path, headers=admin)).json()
    assert body["latest_scan"]["scan_id"] == scan_id
    assert (body["daily_stats"]["stats"]["total_scans"], body["daily_stats"]["success_rate"]) == (1, 100.0)
    assert body["system_health"]["redis_connected"] is True
    assert body["system_health"]["status"] == "healthy"
    other = (await api.client.get(f"{path}?user_id=nobody", headers=admin)).json()
    assert other["daily_stats"]["stats"]["total_scans"] == 0
    short = (await api.client.get(f"{path}?include_daily_stats=false", headers=admin)).json()
    assert short["daily_stats"] is None
    assert (await api.client.get(path, headers=bearer)).status_code == 403
    errors = (await api.client.get("/api/v1/opportunities/metrics", headers=admin)).json()
    assert (errors["daily_errors"], errors["system_status"]) == (0, "operational")
