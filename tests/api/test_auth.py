from __future__ import annotations

from typing import Any

import pytest

from sextant.vault.users import UserSpec
from support.api import Api
from support.people import PASSWORD

LOGIN = "/api/v1/auth/login"
ME = "/api/v1/auth/me"


def credentials(email: str = "ada@example.org", password: str = PASSWORD) -> dict[str, Any]:
    return {"email": email, "password": password}


async def test_a_person_logs_in_reads_themselves_refreshes_and_logs_out(api: Api) -> None:
    user = await api.vault.settled()
    login = await api.client.post(LOGIN, json=credentials())
    assert login.status_code == 200
    tokens = login.json()
    assert (tokens["token_type"], tokens["expires_in"], tokens["tenant_id"]) == ("bearer", 900, None)
    assert (tokens["user_id"], tokens["role"]) == (user.user_id, "trader")
    assert "scan:run" in tokens["permissions"]
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    me = (await api.client.get(ME, headers=bearer)).json()
    assert me == {
        "id": user.user_id,
        "email": "ada@example.org",
        "full_name": "Ada",
        "role": "trader",
        "status": "active",
        "risk_profile": "balanced",
        "tenant_id": None,
        "created_at": "2026-03-01T12:00:00.000Z",
        "last_login": "2026-03-01T12:00:00.000Z",
        "mfa_enabled": False,
        "permissions": tokens["permissions"],
        "via": "session",
    }
    renewed = await api.client.post("/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert renewed.status_code == 200
    bearer = {"Authorization": f"Bearer {renewed.json()['access_token']}"}
    gone = await api.client.post("/api/v1/auth/logout", headers=bearer)
    assert gone.json() == {
        "message": "Logged out.",
        "user_id": user.user_id,
        "sessions_cleaned": 1,
        "token_blacklisted": True,
    }
    assert (await api.client.get(ME, headers=bearer)).status_code == 401


async def test_wrong_password_and_unknown_person_get_the_same_problem(api: Api) -> None:
    await api.vault.settled()
    headers = {"X-Request-ID": "the-same-id"}
    wrong = await api.client.post(LOGIN, json=credentials(password="not the one"), headers=headers)
    unknown = await api.client.post(LOGIN, json=credentials(email="eve@example.org"), headers=headers)
    assert (wrong.status_code, wrong.content) == (401, unknown.content)
    assert wrong.json()["reason"] == "bad_credentials"
    assert wrong.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_spent_refresh_token_ends_the_session(api: Api) -> None:
    await api.vault.settled()
    tokens = (await api.client.post(LOGIN, json=credentials())).json()
    body = {"refresh_token": tokens["refresh_token"]}
    fresh = (await api.client.post("/api/v1/auth/refresh", json=body)).json()
    reused = await api.client.post("/api/v1/auth/refresh", json=body)
    assert (reused.status_code, reused.json()["reason"]) == (401, "refresh_reused")
    dead = await api.client.get(ME, headers={"Authorization": f"Bearer {fresh['access_token']}"})
    assert (dead.status_code, dead.json()["reason"]) == (401, "session_revoked")


async def test_five_logins_per_address_and_no_more(api: Api) -> None:
    await api.vault.settled()
    answers = [await api.client.post(LOGIN, json=credentials()) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[0].headers["RateLimit-Policy"] == '"login";q=5;w=300'
    assert [answer.headers["RateLimit"] for answer in answers[:5]] == [
        f'"login";r={left};t=300' for left in (4, 3, 2, 1, 0)
    ]
    refused = answers[5]
    assert (refused.json()["code"], refused.json()["reason"]) == ("rate_limited", "login")
    assert refused.headers["Retry-After"] == "300"
    async with api.from_address("203.0.113.10") as elsewhere:
        assert (await elsewhere.post(LOGIN, json=credentials())).status_code == 200
    api.clock.advance(300)
    assert (await api.client.post(LOGIN, json=credentials())).status_code == 200


async def test_a_thousand_addresses_share_ten_guesses(api: Api) -> None:
    await api.vault.settled()
    seen = []
    for number in range(30):
        async with api.from_address(f"198.51.100.{number}") as guesser:
            answer = await guesser.post(LOGIN, json=credentials(password=f"guess number {number}"))
            seen.append(answer.status_code)
    assert seen == [401] * 10 + [429] * 20


async def test_a_one_time_password_opens_only_the_change_of_itself(api: Api) -> None:
    _, once = await api.vault.users.add(UserSpec("ada@example.org", "Ada", "admin"))
    tokens = (await api.client.post(LOGIN, json=credentials(password=once))).json()
    assert tokens["permissions"] == ["self:write"]
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    closed = await api.client.get("/metrics", headers=bearer)
    assert (closed.status_code, closed.json()["reason"]) == (403, "password_change_required")
    changed = await api.client.post(
        "/api/v1/auth/password",
        json={"current_password": once, "new_password": PASSWORD},
        headers=bearer,
    )
    assert changed.status_code == 200
    assert (await api.client.get("/metrics", headers=bearer)).status_code == 200


async def test_another_password_ends_the_other_sessions(api: Api) -> None:
    _, mine = await api.session()
    _, other = await api.session()
    body = {"current_password": PASSWORD, "new_password": "something else entirely"}
    changed = await api.client.post("/api/v1/auth/password", json=body, headers=mine)
    assert "1 other sessions" in changed.json()["message"]
    assert (await api.client.get(ME, headers=mine)).status_code == 200
    assert (await api.client.get(ME, headers=other)).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer", "reason"),
    [
        ({"email": "ada@example.org"}, "/password", "missing_field"),
        (credentials() | {"role": "admin"}, "/role", "unknown_field"),
        (credentials(password="short"), "/password", "out_of_range"),
        (credentials(email="x" * 255), "/email", "out_of_range"),
        (credentials() | {"remember_me": "true"}, "/remember_me", "wrong_type"),
        (credentials() | {"tenant_id": "t"}, "/tenant_id", "wrong_type"),
        ([], "/", "wrong_type"),
    ],
)
async def test_a_field_that_is_not_allowed_is_pointed_at(
    api: Api, body: Any, pointer: str, reason: str
) -> None:
    answer = await api.client.post(LOGIN, json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "input_error"
    [error] = problem["errors"]
    assert (error["pointer"], error["reason"], error["value"]) == (pointer, reason, None)


async def test_each_field_of_oneself_has_effect(api: Api) -> None:
    _, bearer = await api.session()
    named = await api.client.patch(ME, json={"full_name": "Ada L."}, headers=bearer)
    bold = await api.client.patch(ME, json={"risk_profile": "aggressive"}, headers=bearer)
    assert (named.json()["full_name"], named.json()["risk_profile"]) == ("Ada L.", "balanced")
    assert (bold.json()["full_name"], bold.json()["risk_profile"]) == ("Ada L.", "aggressive")
    refused = await api.client.patch(ME, json={"risk_profile": "reckless"}, headers=bearer)
    assert (refused.status_code, refused.json()["reason"]) == (422, "not_a_choice")
    for read_only in ("id", "role", "status", "user_id"):
        refused = await api.client.patch(ME, json={read_only: "admin"}, headers=bearer)
        assert (refused.status_code, refused.json()["reason"]) == (422, "unknown_field")


async def test_answers_with_secrets_refuse_an_idempotency_key(api: Api) -> None:
    _, bearer = await api.session()
    headers = bearer | {"Idempotency-Key": "key-0123456789"}
    for path in ("/api/v1/auth/logout", "/api/v1/api-keys"):
        answer = await api.client.post(path, json={}, headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (422, "unknown_field")


async def test_a_key_is_shown_once_used_and_removed(api: Api) -> None:
    _, bearer = await api.session()
    body = {"name": "script", "scopes": ["scan:read"], "expires_days": 1}
    made = await api.client.post("/api/v1/api-keys", json=body, headers=bearer)
    assert made.status_code == 201
    key = made.json()
    with_key = {"Authorization": f"Bearer {key['secret']}"}
    me = (await api.client.get(ME, headers=with_key)).json()
    assert (me["via"], me["permissions"]) == ("api_key", ["scan:read"])
    listed = (await api.client.get("/api/v1/api-keys", headers=bearer)).json()["keys"]
    assert [row["key_id"] for row in listed] == [key["key_id"]]
    assert key["secret"].rpartition("_")[2] not in str(listed)
    for method, path in (("GET", "/api/v1/api-keys"), ("POST", "/api/v1/auth/logout"), ("PATCH", ME)):
        closed = await api.client.request(method, path, headers=with_key)
        assert (closed.status_code, closed.json()["reason"]) == (403, "session_required")
    gone = await api.client.delete(f"/api/v1/api-keys/{key['key_id']}", headers=bearer)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await api.client.get(ME, headers=with_key)).status_code == 401
    again = await api.client.delete(f"/api/v1/api-keys/{key['key_id']}", headers=bearer)
    assert again.status_code == 404


async def test_no_secret_is_in_a_problem(api: Api) -> None:
    await api.vault.settled()
    body = credentials(password="canary canary canary") | {"extra": "canary"}
    answers = [
        await api.client.post(LOGIN, json=credentials(password="canary canary")),
        await api.client.post(LOGIN, json=body),
        await api.client.post("/api/v1/auth/refresh", json={"refresh_token": "canary"}),
        await api.client.get(ME, headers={"Authorization": "Bearer canary"}),
    ]
    assert all(answer.status_code in (401, 422) for answer in answers)
    assert not any(b"canary" in answer.content for answer in answers)
