"""Who may call what: one request per cell, for every mounted route."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from sextant.api.endpoint import ANY, PUBLIC, Endpoint
from sextant.vault.records import PERMISSIONS, SESSION_ONLY, KeySpec, Permission, Role
from sextant.vault.store import USERS
from sextant.vault.users import UserChange
from support.api import Api, filled
from support.people import HERE

# The table of api.md 6.2, written by hand: roles that pass, by permission.
PASSES: dict[Permission, set[Role]] = {
    "market:read": {"viewer", "trader", "api_only", "admin"},
    "scan:run": {"viewer", "trader", "api_only", "admin"},
    "scan:read": {"viewer", "trader", "api_only", "admin"},
    "portfolio:read": {"viewer", "trader", "api_only", "admin"},
    "portfolio:write": {"trader", "api_only", "admin"},
    "chat:use": {"viewer", "trader", "admin"},
    "alerts:read": {"viewer", "trader", "admin"},
    "alerts:write": {"trader", "admin"},
    "accounts:write": {"trader", "admin"},
    "self:write": {"viewer", "trader", "api_only", "admin"},
    "ops:read": {"admin"},
    "admin:read": {"admin"},
    "admin:write": {"admin"},
}
ROLES: tuple[Role, ...] = ("viewer", "trader", "api_only", "admin")


async def ask(api: Api, endpoint: Endpoint, headers: dict[str, str], **given: str) -> tuple[int, str | None]:
    body: dict[str, Any] = {} if endpoint.body is None else {"json": {}}
    answer = await api.client.request(
        endpoint.method, filled(endpoint.path, **given), headers=headers, **body
    )
    problem = answer.headers.get("Content-Type") == "application/problem+json"
    return answer.status_code, answer.json()["reason"] if problem else None


def guarded(api: Api) -> list[Endpoint]:
    return [endpoint for endpoint in api.edge.endpoints if endpoint.access != PUBLIC]


def wanted(endpoint: Endpoint) -> tuple[Permission, ...]:
    assert isinstance(endpoint.access, tuple)
    return endpoint.access


async def test_nobody_and_nonsense_are_401_on_every_guarded_route(api: Api) -> None:
    for endpoint in guarded(api):
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"}):
            assert (await ask(api, endpoint, headers))[0] == 401, endpoint.name


@pytest.mark.parametrize("how", ["expired", "logged out", "suspended", "deleted"])
async def test_who_is_no_longer_there_is_401_on_every_guarded_route(api: Api, how: str) -> None:
    await api.vault.settled("root@example.org", "admin")
    user, bearer = await api.session("gone@example.org", "admin")
    identity = await api.vault.sessions.identify(bearer["Authorization"].removeprefix("Bearer "))
    if how == "expired":
        api.clock.advance(960)
    elif how == "logged out":
        await api.vault.sessions.logout(identity, HERE)
    elif how == "suspended":
        await api.vault.users.change(user.user_id, UserChange(status="suspended"), "root", HERE)
    else:
        async with api.vault.db.begin() as connection:
            await connection.execute(sa.delete(USERS).where(USERS.c.user_id == user.user_id))
    for endpoint in guarded(api):
        assert (await ask(api, endpoint, bearer))[0] == 401, endpoint.name


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_passes_where_the_table_says_and_nowhere_else(api: Api, role: Role) -> None:
    for endpoint in guarded(api):
        _, bearer = await api.session(f"{role}@example.org", role)  # a fresh one: some routes end it
        status, reason = await ask(api, endpoint, bearer)
        if endpoint.access == ANY or any(role in PASSES[item] for item in wanted(endpoint)):
            assert status not in (401, 403), endpoint.name
        else:
            assert (status, reason) == (403, "role"), endpoint.name


async def test_a_key_passes_with_its_scope_and_not_without(api: Api) -> None:
    _, bearer = await api.session("root@example.org", "admin")
    identity = await api.vault.sessions.identify(bearer["Authorization"].removeprefix("Bearer "))
    keys = {}
    for scope in PERMISSIONS:
        if scope not in SESSION_ONLY:
            _, text = await api.vault.keys.create(identity, KeySpec(name=scope, scopes=(scope,)), HERE)
            keys[scope] = {"Authorization": f"Bearer {text}"}
    for endpoint in guarded(api):
        for scope, headers in keys.items():
            api.clock.advance(1)
            status, reason = await ask(api, endpoint, headers)
            if endpoint.access == ANY or scope in wanted(endpoint):
                assert status not in (401, 403), (endpoint.name, scope)
            elif endpoint.session_only:
                assert (status, reason) == (403, "session_required"), (endpoint.name, scope)
            else:
                assert (status, reason) == (403, "scope"), (endpoint.name, scope)


async def test_every_route_that_names_a_scan_hides_it_from_others(api: Api) -> None:
    _, mine = await api.onboarded()
    scan_id = await api.discover(mine)
    named = [endpoint for endpoint in api.edge.endpoints if "{scan_id}" in endpoint.path]
    assert len(named) == 8
    for role in ROLES:
        _, bearer = await api.session(f"{role}@example.org", role)
        for endpoint in named:
            known = await ask(api, endpoint, bearer, scan_id=scan_id)
            unknown = await ask(api, endpoint, bearer)
            seen = role == "admin" and endpoint.name.startswith("diagnostics_")
            assert known[0] == (200 if seen else 404), (endpoint.name, role)
            assert unknown[0] == 404


async def test_public_routes_ignore_the_credential(api: Api) -> None:
    for endpoint in api.edge.endpoints:
        if endpoint.access == PUBLIC:
            plain = await ask(api, endpoint, {})
            assert await ask(api, endpoint, {"Authorization": "Bearer nonsense"}) == plain, endpoint.name
            assert plain[0] in (200, 422), endpoint.name
