from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from sextant.strategies.catalog import strategies
from sextant.vault.audit import VERDICT_S
from sextant.vault.store import AUDIT
from support.api import Api
from support.people import PASSWORD

USERS = "/api/v1/admin/users"
AUDIT_PATH = "/api/v1/admin/audit"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def add(api: Api, bearer: dict[str, str], email: str, **facts: Any) -> dict[str, Any]:
    body = {"email": email, "full_name": "Somebody", "role": "trader"} | facts
    answer = await api.client.post(USERS, json=body, headers=bearer)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def log_in(api: Api, email: str, password: str) -> Any:
    client = api.from_address("198.51.100.4")
    api.clock.advance(61)
    return await client.post("/api/v1/auth/login", json={"email": email, "password": password})


async def test_a_person_is_added_and_chooses_a_password_before_anything_else(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    made = await add(api, root, "ada@example.org", full_name="Ada Lovelace")
    assert made["user"] | {"id": ""} == {
        "id": "",
        "email": "ada@example.org",
        "full_name": "Ada Lovelace",
        "role": "trader",
        "status": "active",
        "created_at": "2026-03-01T12:00:00.000Z",
        "last_login": None,
        "strategies_count": 0,
        "accounts_count": None,
    }
    tokens = (await log_in(api, "ada@example.org", made["one_time_password"])).json()
    assert tokens["permissions"] == ["self:write"]
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    body = {"current_password": made["one_time_password"], "new_password": PASSWORD}
    assert (await api.client.post("/api/v1/auth/password", json=body, headers=bearer)).status_code == 200
    assert "scan:run" in (await api.client.get("/api/v1/auth/me", headers=bearer)).json()["permissions"]


async def test_an_address_is_taken_once(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    await add(api, root, "ada@example.org")
    body = {"email": "ADA@example.org", "full_name": "Other", "role": "viewer"}
    again = await api.client.post(USERS, json=body, headers=root)
    assert (again.status_code, again.json()["reason"]) == (409, "duplicate")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "a@b.org", "full_name": "A", "role": "root"}, "/role"),
        ({"email": "a@b.org", "full_name": "", "role": "viewer"}, "/full_name"),
        ({"email": "nobody", "full_name": "A", "role": "viewer"}, "/email"),
        ({"email": "a@b.org", "full_name": "A", "role": "viewer", "user_id": UNKNOWN}, "/user_id"),
        ({"email": "a@b.org", "full_name": "A", "role": "viewer", "status": "dead"}, "/status"),
        ({"email": "a@b.org", "full_name": "A"}, "/role"),
    ],
)
async def test_what_cannot_be_a_person_is_pointed_at(api: Api, body: dict[str, Any], pointer: str) -> None:
    _, root = await api.session("root@example.org", "admin")
    answer = await api.client.post(USERS, json=body, headers=root)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_people_are_listed_filtered_and_paged(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    for number in range(4):
        api.clock.advance(1)
        await add(api, root, f"user{number}@example.org", role="viewer" if number % 2 else "trader")
    everybody = (await api.client.get(USERS, headers=root)).json()
    assert [row["email"] for row in everybody["users"]] == [
        "root@example.org",
        *(f"user{number}@example.org" for number in range(4)),
    ]
    assert everybody["next_cursor"] is None
    first = (await api.client.get(f"{USERS}?limit=3", headers=root)).json()
    second = await api.client.get(f"{USERS}?limit=3&cursor={first['next_cursor']}", headers=root)
    assert first["users"] + second.json()["users"] == everybody["users"]
    for query, count in (("q=USER2", 1), ("role=viewer", 2), ("status=suspended", 0), ("q=%25", 0)):
        assert len((await api.client.get(f"{USERS}?{query}", headers=root)).json()["users"]) == count, query
    foreign = await api.client.get(f"{USERS}?role=viewer&cursor={first['next_cursor']}", headers=root)
    assert (foreign.status_code, foreign.json()["reason"]) == (422, "bad_cursor")


async def test_suspension_ends_sessions_and_stops_keys_at_once(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    user, bearer = await api.session()
    body = {"name": "script", "scopes": ["scan:read"]}
    secret = (await api.client.post("/api/v1/api-keys", json=body, headers=bearer)).json()["secret"]
    key = {"Authorization": f"Bearer {secret}"}
    assert (await api.client.get("/api/v1/auth/me", headers=key)).status_code == 200
    path = f"{USERS}/{user.user_id}"
    changed = await api.client.patch(path, json={"status": "suspended"}, headers=root)
    assert (changed.status_code, changed.json()["status"]) == (200, "suspended")
    for headers in (bearer, key):
        assert (await api.client.get("/api/v1/auth/me", headers=headers)).status_code == 401
    refused = await log_in(api, "ada@example.org", PASSWORD)
    assert (refused.status_code, refused.json()["reason"]) == (403, "suspended")
    await api.client.patch(path, json={"status": "active"}, headers=root)
    assert (await log_in(api, "ada@example.org", PASSWORD)).status_code == 200
    assert (await api.client.get("/api/v1/auth/me", headers=bearer)).status_code == 401, "it had ended"


async def test_the_last_administrator_stays(api: Api) -> None:
    user, root = await api.session("root@example.org", "admin")
    path = f"{USERS}/{user.user_id}"
    for change in ({"role": "viewer"}, {"status": "suspended"}):
        answer = await api.client.patch(path, json=change, headers=root)
        assert (answer.status_code, answer.json()["reason"]) == (409, "last_admin")
    named = await api.client.patch(path, json={"full_name": "Root R."}, headers=root)
    assert named.json()["full_name"] == "Root R."


async def test_who_becomes_an_administrator_is_granted_everything(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    made = await add(api, root, "ada@example.org")
    path = f"{USERS}/{made['user']['id']}"
    assert (await api.client.patch(path, json={"role": "admin"}, headers=root)).json()[
        "strategies_count"
    ] == len(strategies())
    added = await add(api, root, "eve@example.org", role="admin")
    assert added["user"]["strategies_count"] == len(strategies())
    kept = await api.client.patch(path, json={"role": "trader"}, headers=root)
    assert kept.json()["strategies_count"] == len(strategies()), "a grant is stored; a role only opens routes"


async def test_grants_are_replaced_and_reach_the_next_scan(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    user, bearer = await api.onboarded()
    path = f"{USERS}/{user.user_id}/grants"
    one, *others = strategies()
    told = await api.client.put(path, json={"strategy_ids": [one]}, headers=root)
    assert (told.status_code, told.json()) == (200, {"granted": [], "revoked": sorted(others)})
    closed = await api.client.post(
        "/api/v1/opportunities/discover", json={"strategy_ids": others[:1]}, headers=bearer
    )
    assert (closed.status_code, closed.json()["reason"]) == (403, "not_entitled")
    body = {"strategy_ids": [one, *others], "expires_at": "2026-03-01T13:00:00.000Z"}
    assert (await api.client.put(path, json=body, headers=root)).json()["granted"] == sorted(others)
    api.clock.advance(3_600)
    assert await api.vault.users.grants(user.user_id) == frozenset()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"strategy_ids": ["no_such"]}, "/strategy_ids"),
        ({"strategy_ids": [], "expires_at": "2026-03-01T11:59:59.000Z"}, "/expires_at"),
        ({"strategy_ids": [], "expires_at": "tomorrow"}, "/expires_at"),
        ({}, "/strategy_ids"),
    ],
)
async def test_grants_that_cannot_be_are_refused(api: Api, body: dict[str, Any], pointer: str) -> None:
    user, root = await api.session("root@example.org", "admin")
    answer = await api.client.put(f"{USERS}/{user.user_id}/grants", json=body, headers=root)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_unknown_people_are_404(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    change = await api.client.patch(f"{USERS}/{UNKNOWN}", json={"role": "viewer"}, headers=root)
    grants = await api.client.put(f"{USERS}/{UNKNOWN}/grants", json={"strategy_ids": []}, headers=root)
    assert (change.status_code, grants.status_code) == (404, 404)


async def test_each_audited_action_leaves_one_entry_that_names_who_did_it(api: Api) -> None:
    admin, root = await api.session("root@example.org", "admin")
    traced = root | {"X-Request-ID": "trace-0001"}
    made = await add(api, traced, "ada@example.org")
    user_id = made["user"]["id"]
    await api.client.patch(f"{USERS}/{user_id}", json={"role": "viewer"}, headers=traced)
    await api.client.put(f"{USERS}/{user_id}/grants", json={"strategy_ids": []}, headers=traced)
    told = (await api.client.get(f"{AUDIT_PATH}?user_id={user_id}", headers=root)).json()
    assert [(row["action"], row["actor"], row["request_id"]) for row in told["entries"]] == [
        ("user.grant", admin.user_id, "trace-0001"),
        ("user.change", admin.user_id, "trace-0001"),
        ("user.add", admin.user_id, "trace-0001"),
    ]
    assert {row["address"] for row in told["entries"]} == {"203.0.113.9"}
    assert told["chain_ok"] is True


async def test_failed_logins_and_reused_tokens_are_in_the_audit(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    user = await api.vault.settled()
    assert (await log_in(api, "ada@example.org", "not the password")).status_code == 401
    tokens = (await log_in(api, "ada@example.org", PASSWORD)).json()
    body = {"refresh_token": tokens["refresh_token"]}
    assert (await api.client.post("/api/v1/auth/refresh", json=body)).status_code == 200
    assert (await api.client.post("/api/v1/auth/refresh", json=body)).json()["reason"] == "refresh_reused"
    entries = (await api.client.get(f"{AUDIT_PATH}?user_id={user.user_id}&limit=3", headers=root)).json()
    assert [(row["action"], row["outcome"]) for row in entries["entries"]] == [
        ("refresh", "refresh_reused"),
        ("login", "ok"),
        ("login", "bad_credentials"),
    ]


async def test_a_forged_entry_breaks_the_chain_and_pages_go_on(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    first = (await api.client.get(f"{AUDIT_PATH}?limit=2", headers=root)).json()
    second = await api.client.get(f"{AUDIT_PATH}?limit=2&cursor={first['next_cursor']}", headers=root)
    everything = (await api.client.get(AUDIT_PATH, headers=root)).json()["entries"]
    assert (first["entries"] + second.json()["entries"])[:4] == everything[:4]
    async with api.vault.db.begin() as connection:
        await connection.execute(sa.update(AUDIT).where(AUDIT.c.position == 1).values(actor="nobody"))
    api.clock.advance(VERDICT_S)
    assert (await api.client.get(AUDIT_PATH, headers=root)).json()["chain_ok"] is False
    for query in ("since=yesterday", "limit=0", "cursor=x", "surprise=1"):
        assert (await api.client.get(f"{AUDIT_PATH}?{query}", headers=root)).status_code == 422, query


async def test_clearing_the_cache_touches_no_scan_and_is_audited(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    path = f"/api/v1/scan-diagnostics/clear-scan-cache/{user.user_id}"
    answer = await api.client.delete(path, headers=root)
    assert (answer.status_code, answer.json()["entries_deleted"]) == (200, 0)
    assert (
        await api.client.get(f"/api/v1/opportunities/status/{scan_id}", headers=bearer)
    ).status_code == 200
    assert (await api.client.delete(path.replace(user.user_id, UNKNOWN), headers=root)).status_code == 404
    entries = (await api.client.get(f"{AUDIT_PATH}?action=cache.clear", headers=root)).json()["entries"]
    assert [row["object"] for row in entries] == [user.user_id]
