from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from litestar.types import Receive, Scope, Send

from sextant.api.hot_door import HotDoor
from support.api import Api, api_on, client_of
from support.database import sqlite

PAGE = "https://page.example"
SAID_ONCE = {"x-request-id", "ratelimit"}


@pytest.fixture
async def open_api(tmp_path: Path) -> AsyncIterator[Api]:
    async with sqlite(tmp_path) as db, api_on(db, cors_origins=(PAGE,)) as api:
        yield api


async def test_a_hot_route_is_answered_as_the_router_answers_it(api: Api) -> None:
    _, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    cold = [replace(endpoint, hot=False) for endpoint in api.edge.endpoints]
    paths = [
        f"/api/v1/opportunities/status/{scan_id}",
        "/api/v1/opportunities/status/latest",
        "/api/v1/opportunities/status/scan_" + "0" * 32,
        "/api/v1/opportunities/status/nonsense",
        f"/api/v1/opportunities/status/{scan_id}?x=1",
        f"/api/v1/opportunities/status/{scan_id}/",
        "/api/v1/opportunities/status/",
        "/api/v1/opportunities/status",
    ]
    quick = [await api.client.get(path, headers=bearer) for path in paths]
    anonymous = await api.client.get(paths[0])
    api.edge.endpoints = cold
    async with client_of(api.edge.application()) as by_the_router:
        slow = [await by_the_router.get(path, headers=bearer) for path in paths]
        unknown = await by_the_router.get(paths[0])
    for one, other in zip([*quick, anonymous], [*slow, unknown], strict=True):
        assert one.status_code == other.status_code
        assert set(one.headers) == set(other.headers)
        same = set(one.headers) - SAID_ONCE
        assert {name: one.headers[name] for name in same} == {name: other.headers[name] for name in same}
        assert {**one.json(), "request_id": ""} == {**other.json(), "request_id": ""}
    assert [answer.status_code for answer in quick] == [200, 200, 404, 404, 422, 404, 404, 404]


async def test_another_method_is_left_to_the_router(api: Api) -> None:
    refused = await api.client.post("/api/v1/opportunities/status/latest", json={})
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET")


async def test_a_page_of_a_configured_origin_is_told_that_it_may_read(open_api: Api) -> None:
    _, bearer = await open_api.onboarded()
    await open_api.discover(bearer)
    path = "/api/v1/opportunities/status/latest"
    read = await open_api.client.get(path, headers=bearer | {"Origin": PAGE})
    plain = await open_api.client.get(path, headers=bearer)
    assert read.headers["Access-Control-Allow-Origin"] == PAGE
    assert (read.status_code, plain.status_code) == (200, 200)
    assert "Access-Control-Allow-Origin" not in plain.headers


async def test_a_defect_becomes_an_incident_and_a_500(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _, bearer = await api.onboarded()

    async def broken(*_: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(type(api.rooms.scans), "status", broken)
    answer = await api.client.get("/api/v1/opportunities/status/latest", headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "canary" not in answer.text
    assert "inc_" in answer.json()["detail"]


async def test_only_reads_by_one_last_parameter_can_be_hot(api: Api) -> None:
    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        """Nothing is left to it here."""

    by_name = {endpoint.name: endpoint for endpoint in api.edge.endpoints}
    for name in ("opportunities_discover", "scans_events"):
        with pytest.raises(AssertionError, match=name):
            HotDoor(behind, [by_name[name]], None, None, origins=False)  # type: ignore[arg-type]  # never called
