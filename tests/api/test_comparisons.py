"""Two scans held against each other over the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sextant.scans.archive import ViewArchive
from support.api import Api, api_on, market
from support.database import sqlite

DIFF = "/api/v1/scans/diff"
NOBODYS = "scan_" + "0" * 32


@pytest.fixture
async def working(tmp_path: Path) -> AsyncIterator[Api]:
    async with sqlite(tmp_path) as db, api_on(db, working=True) as api:
        yield api


async def test_the_same_market_asked_for_a_better_grade_differs_by_the_filter(working: Api) -> None:
    api = working
    user, bearer = await api.onboarded()
    every = await api.discover(bearer)
    await api.ended(user, every)
    few = await api.discover(bearer, min_grade="A")
    await api.ended(user, few)
    found = (await api.client.get(f"/api/v1/opportunities/results/{every}", headers=bearer)).json()
    left = (await api.client.get(f"/api/v1/opportunities/results/{few}", headers=bearer)).json()
    gone = found["total_opportunities"] - left["total_opportunities"]
    assert gone > 0
    body = (await api.client.get(f"{DIFF}?a={every}&b={few}&limit=200", headers=bearer)).json()
    rows = [row for row in body["changes"] if row["change"] == "gone"]
    assert len(rows) == gone
    assert all(row["causes"] == [{"cause": "config", "share_frac": 1.0}] for row in rows)
    assert body["unchanged_count"] + len(body["changes"]) == found["total_opportunities"]
    paged, query = [], f"a={every}&b={few}&limit=1"
    while query:
        page = (await api.client.get(f"{DIFF}?{query}", headers=bearer)).json()
        paged += page["changes"]
        query = (
            "" if page["next_cursor"] is None else f"a={every}&b={few}&limit=1&cursor={page['next_cursor']}"
        )
    assert paged == body["changes"]
    same = (await api.client.get(f"{DIFF}?a={every}&b={every}", headers=bearer)).json()
    assert (same["changes"], same["unchanged_count"]) == ([], found["total_opportunities"])


async def test_scans_of_others_and_scans_that_run_are_refused(api: Api) -> None:
    _, bearer = await api.onboarded()
    _, other = await api.onboarded("bob@example.org")
    running = await api.discover(bearer)
    for query, headers, status in (
        (f"a={running}&b={NOBODYS}", bearer, 404),
        (f"a={NOBODYS}&b={running}", bearer, 404),
        (f"a={running}&b={running}", other, 404),
        (f"a=latest&b={running}", bearer, 404),
        (f"a={running}&b={running}", bearer, 409),
        (f"a={running}", bearer, 422),
    ):
        assert (await api.client.get(f"{DIFF}?{query}", headers=headers)).status_code == status


async def test_a_scan_is_run_again_from_what_it_saw(tmp_path: Path) -> None:
    views = tmp_path / "views"
    async with sqlite(tmp_path) as db, api_on(db, working=True, views=views) as api:
        user, bearer = await api.onboarded()
        scan_id = await api.discover(bearer)
        path = f"/api/v1/scans/{scan_id}/replay"
        await api.ended(user, scan_id)
        lost = await api.client.get(path, headers=bearer)
        assert (lost.status_code, lost.json()["reason"]) == (410, "retention")
        ViewArchive(views).keep(market())
        told = (await api.client.get(path, headers=bearer)).json()
        assert told["identical"], told["differences"]
        assert told["stored_hash"] == told["replayed_hash"]
        assert (told["differences"], told["scan_id"]) == ([], scan_id)
        _, other = await api.onboarded("bob@example.org")
        assert (await api.client.get(path, headers=other)).status_code == 404
