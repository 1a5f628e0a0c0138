"""Objects of others (api.md 6.3): every route that names one, every role, told like an object that never was."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from sextant.api.endpoint import Endpoint
from sextant.scans import transitions
from sextant.scans.blobs import pack_answers
from sextant.scans.records import Found, StrategyReport
from sextant.strategies.answers import each
from sextant.vault.records import Role
from support import scans as make
from support.api import Api, api_on
from support.database import sqlite

ROLES: Final[tuple[Role, ...]] = ("viewer", "trader", "api_only", "admin")
PARAMETER: Final = re.compile(r"\{(\w+)\}")
UNKNOWN: Final = {
    "scan_id": "scan_" + "0" * 32,
    "opportunity_id": "opp_" + "0" * 32,
    "key_id": "key_" + "0" * 32,
    "user_id": "00000000-0000-4000-8000-000000000000",
}
BELONGS_TO_NOBODY: Final = {"instrument": "bybit:BTC-USDT:perpetual", "strategy_id": "no_such_strategy"}
"""Path parameters that name no object of a person."""

# Routes on which an administrator may meet another's object, by hand from 2.4, 2.9 and the matrix of 6.2.
OPEN_TO_ADMIN: Final = {
    "diagnostics_lifecycle",
    "diagnostics_debug",
    "diagnostics_history",
    "diagnostics_clear_cache",
    "admin_change_user",
    "admin_grant",
}
ADMIN_ONLY: Final = {"diagnostics_clear_cache", "admin_change_user", "admin_grant"}
BODIES: Final[dict[str, Any]] = {"admin_grant": {"strategy_ids": []}}


@dataclass
class Stage:
    """An API with the objects of one person, B, and who asks for them."""

    api: Api
    owned: dict[str, str]
    bearer: dict[str, str]

    async def asked(self, role: Role) -> dict[str, str]:
        """The header of a fresh session of somebody else with a role."""
        _, bearer = await self.api.session(f"{role}@example.org", role)
        return bearer

    async def ask(
        self, endpoint: Endpoint, headers: dict[str, str], **ids: str
    ) -> tuple[int, dict[str, Any]]:
        body = {"json": BODIES.get(endpoint.name, {})} if endpoint.body is not None else {}
        self.api.clock.advance(1)
        answer = await self.api.client.request(
            endpoint.method,
            endpoint.path.format(**UNKNOWN | BELONGS_TO_NOBODY | ids),
            headers=headers | {"X-Request-ID": "the-same-id"},
            **body,
        )
        problem = answer.headers.get("Content-Type") == "application/problem+json"
        return answer.status_code, answer.json() if problem else {}

    def named(self, parameter: str) -> list[Endpoint]:
        return [item for item in self.api.edge.endpoints if f"{{{parameter}}}" in item.path]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with sqlite(tmp_path) as db, api_on(db) as api:
        user, bearer = await api.onboarded("b@example.org")
        scan_id = await api.discover(bearer)
        status = await api.rows.status(scan_id, user.user_id)
        opportunity_id = "opp_" + "1" * 32
        found = [Found(opportunity_id, None, api.clock.now_ns(), make.opportunity())]
        report = StrategyReport(
            strategy_id="ai_spot_momentum_strategy", name="M", outcome="ok", opportunities=1
        )
        change = transitions.strategy_ended(status, 0, report, pack_answers(each([])), found)
        await api.rows.change(scan_id, 1, api.clock.now_ns(), change)
        made = await api.client.post(
            "/api/v1/api-keys", json={"name": "script", "scopes": ["scan:read"]}, headers=bearer
        )
        owned = {
            "scan_id": scan_id,
            "opportunity_id": opportunity_id,
            "key_id": made.json()["key_id"],
            "user_id": user.user_id,
        }
        yield Stage(api, owned, bearer)


async def test_every_parameter_of_a_path_is_known_to_these_tests(stage: Stage) -> None:
    named = {name for item in stage.api.edge.endpoints for name in PARAMETER.findall(item.path)}
    assert named <= set(UNKNOWN) | set(BELONGS_TO_NOBODY)


async def test_the_owner_finds_every_object(stage: Stage) -> None:
    for parameter, own_id in stage.owned.items():
        for endpoint in stage.named(parameter):
            if endpoint.name in ADMIN_ONLY or "events" in endpoint.path:
                continue
            status, problem = await stage.ask(endpoint, stage.bearer, **{parameter: own_id})
            assert status < 400 or problem["code"] in ("insufficient", "conflict"), endpoint.name


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("parameter", sorted(UNKNOWN))
async def test_an_object_of_another_is_told_like_one_that_never_was(
    stage: Stage, role: Role, parameter: str
) -> None:
    endpoints = stage.named(parameter)
    assert endpoints
    for endpoint in endpoints:
        foreign_id, unknown_id = stage.owned[parameter], UNKNOWN[parameter]
        foreign = await stage.ask(endpoint, await stage.asked(role), **{parameter: foreign_id})
        unknown = await stage.ask(endpoint, await stage.asked(role), **{parameter: unknown_id})
        if role != "admin" and endpoint.name in ADMIN_ONLY:
            assert (foreign[0], unknown[0]) == (403, 403), endpoint.name
        elif role == "admin" and endpoint.name in OPEN_TO_ADMIN:
            assert (foreign[0], unknown[0]) == (200, 404), endpoint.name
            continue
        else:
            assert (foreign[0], unknown[0]) == (404, 404), endpoint.name
        texts = [
            {name: str(value).replace(wanted, "X") for name, value in problem.items()}
            for problem, wanted in ((foreign[1], foreign_id), (unknown[1], unknown_id))
        ]
        assert texts[0] == texts[1], endpoint.name


@pytest.mark.parametrize("parameter", sorted(UNKNOWN))
async def test_an_id_of_another_kind_is_no_object(stage: Stage, parameter: str) -> None:
    for endpoint in stage.named(parameter):
        for other, own_id in stage.owned.items():
            if other == parameter:
                continue
            role: Role = "admin" if endpoint.name in ADMIN_ONLY else "trader"
            status, _ = await stage.ask(endpoint, await stage.asked(role), **{parameter: own_id})
            assert status == 404, (endpoint.name, other)


async def test_tricks_of_a_path_lead_nowhere(stage: Stage) -> None:
    owned = stage.owned
    spellings = [
        f"/api/v1/opportunities/status/{owned['scan_id'].upper()}",
        f"/api/v1/opportunities/status/{owned['scan_id']}/",
        f"/api/v1/opportunities/status/%2e%2e/results/{owned['scan_id']}",
        f"/api/v1/opportunities/status/..%2fresults%2f{owned['scan_id']}",
        f"/api/v1/opportunities//status/{owned['scan_id']}",
        f"/api/v1/OPPORTUNITIES/status/{owned['scan_id']}",
        f"/api/v1/opportunities/status/{owned['scan_id']}%00",
        f"/api/v1/opportunities/status/{owned['scan_id']};a=b",
        f"/api/v1/opportunities/status/{owned['scan_id'].replace('_', '%5f')}",
        f"/api/v1/opportunities/results/{owned['scan_id']}.json",
        "/api/v2/auth/me",
        "/admin",
        "/debug",
        "/api/v1/auth/debug/token",
        "/docs",
        "/schema",
        "/schema/openapi.json",
    ]
    for path in spellings:
        answer = await stage.api.client.get(path, headers=stage.bearer)
        assert answer.status_code == 404, path
        assert answer.headers["Content-Type"] == "application/problem+json", path


async def test_a_removed_key_is_gone_for_its_owner_too(stage: Stage) -> None:
    path = f"/api/v1/api-keys/{stage.owned['key_id']}"
    first = await stage.api.client.delete(path, headers=stage.bearer)
    again = await stage.api.client.delete(path, headers=stage.bearer)
    assert (first.status_code, again.status_code) == (204, 404)


async def test_both_scans_of_a_comparison_must_be_the_callers(stage: Stage) -> None:
    api = stage.api
    _, mine = await api.onboarded("a@example.org")
    own_id, foreign_id = await api.discover(mine), stage.owned["scan_id"]
    for a, b in ((own_id, foreign_id), (foreign_id, own_id), (own_id, UNKNOWN["scan_id"])):
        answer = await api.client.get(f"/api/v1/scans/diff?a={a}&b={b}", headers=mine)
        assert answer.status_code == 404, (a, b)


async def test_cursors_event_ids_keys_and_tags_are_of_one_person(stage: Stage) -> None:
    api = stage.api
    user, mine = await api.onboarded("a@example.org")
    await api.discover(mine, force_refresh=True)
    await api.discover(mine, force_refresh=True)
    page = (await api.client.get("/api/v1/scans?limit=1", headers=mine)).json()
    for path in (
        f"/api/v1/scans?limit=1&cursor={page['next_cursor']}",
        f"/api/v1/scan-diagnostics/scan-history/{stage.owned['user_id']}?cursor={page['next_cursor']}",
    ):
        foreign = await api.client.get(path, headers=stage.bearer)
        assert (foreign.status_code, foreign.json()["reason"]) == (422, "bad_cursor")
    tag = (await api.client.get("/api/v1/opportunities/status/latest", headers=mine)).headers["ETag"]
    other = await api.client.get(
        "/api/v1/opportunities/status/latest", headers=stage.bearer | {"If-None-Match": tag}
    )
    assert other.status_code == 200
    assert user.user_id != stage.owned["user_id"]
    shared = {"Idempotency-Key": "one-key-of-two-people"}
    discover = "/api/v1/opportunities/discover"
    first = await api.client.post(discover, json={"force_refresh": True}, headers=mine | shared)
    second = await api.client.post(discover, json={"force_refresh": True}, headers=stage.bearer | shared)
    assert first.json()["scan_id"] != second.json()["scan_id"]
    assert "Idempotency-Replayed" not in second.headers


async def test_an_event_id_that_never_was_is_refused(stage: Stage) -> None:
    path = f"/api/v1/scans/{stage.owned['scan_id']}/events"
    for event_id in ("nonsense", "-1", "9" * 30):
        headers = stage.bearer | {"Last-Event-ID": event_id}
        answer = await stage.api.client.get(path, headers=headers)
        assert answer.status_code == 422, event_id
