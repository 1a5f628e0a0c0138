from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sextant.vault.records import KeySpec
from sextant.vault.users import UserChange
from support.api import Api, api_on, filled
from support.database import sqlite
from support.people import HERE, PASSWORD

LOGIN = "/api/v1/auth/login"
ME = "/api/v1/auth/me"
JSON = {"Content-Type": "application/json"}


async def refused(api: Api, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, str | None]:
    answer = await api.client.post(LOGIN, content=body, headers=JSON if headers is None else headers)
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["reason"]


async def test_every_answer_carries_its_request_id_version_and_feed(api: Api) -> None:
    for path in ("/api/v1/health/ping", ME, "/nowhere"):
        answer = await api.client.get(path, headers={"X-Request-ID": "from-the-caller_1"})
        assert answer.headers["X-Request-ID"] == "from-the-caller_1"
        assert (answer.headers["Sextant-Version"], answer.headers["Sextant-Feed"]) == ("0.1.0+test", "demo")
    for wrong in ("short", "x" * 65, "with space and more"):
        answer = await api.client.get("/nowhere", headers={"X-Request-ID": wrong})
        fresh = answer.headers["X-Request-ID"]
        assert fresh.startswith("req_")
        assert answer.json()["request_id"] == fresh


async def test_a_problem_has_the_documented_members(api: Api) -> None:
    answer = await api.client.get(ME, headers={"X-Request-ID": "req-12345678"})
    assert answer.json() == {
        "type": "urn:sextant:problem:unauthenticated",
        "title": "Nobody is known to be behind the request",
        "status": 401,
        "code": "unauthenticated",
        "reason": "token_missing",
        "detail": "A Bearer token is needed.",
        "instance": ME,
        "request_id": "req-12345678",
        "retry": "login",
        "retry_after_s": None,
        "errors": [],
        "success": False,
    }
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["Basic abc", "Bearer", "Bearer x.y.z", "Bearer sxk_" + "0" * 32 + "_x"])
async def test_what_is_no_credential_is_401(api: Api, token: str) -> None:
    assert (await api.client.get(ME, headers={"Authorization": token})).status_code == 401


async def test_an_expired_token_is_401_with_the_reason(api: Api) -> None:
    _, bearer = await api.session()
    api.clock.advance(960)
    answer = await api.client.get(ME, headers=bearer)
    assert (answer.status_code, answer.json()["reason"]) == (401, "token_expired")


@pytest.mark.parametrize(
    "path",
    [
        ME + "/",
        "/api/v1//auth/me",
        "/api/v1/auth%2Fme",
        "/api/v1/auth/%6de",
        "/api/v1/AUTH/me",
        "/api/v1/x/%2e%2e/auth/me",
        "/schema",
        "/docs",
        "/",
    ],
)
async def test_a_path_spelled_otherwise_is_404_for_everyone(api: Api, path: str) -> None:
    _, bearer = await api.session()
    assert (await api.client.get(path, headers=bearer)).status_code == 404


async def test_a_wrong_method_names_the_right_ones(api: Api) -> None:
    for method in ("DELETE", "HEAD", "OPTIONS", "TRACE", "PUT"):
        answer = await api.client.request(method, ME)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, PATCH"), method
    assert answer.json()["code"] == "method_not_allowed"


async def test_pages_of_other_origins_may_call_only_if_configured(tmp_path: Path, api: Api) -> None:
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
    closed = await api.client.get("/api/v1/health/ping", headers=asked)
    assert "Access-Control-Allow-Origin" not in closed.headers
    assert (await api.client.options(ME, headers=asked)).status_code == 405
    (tmp_path / "other").mkdir()
    async with (
        sqlite(tmp_path / "other") as db,
        api_on(db, cors_origins=("https://page.example",)) as open_api,
    ):
        answer = await open_api.client.get("/api/v1/health/ping", headers=asked)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://page.example"
        preflight = await open_api.client.options(ME, headers=asked)
        assert preflight.status_code == 204
        other = await open_api.client.get("/api/v1/health/ping", headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in other.headers


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "json_syntax"),
        (b"\xff", "json_syntax"),
        (b'{"email": NaN}', "json_syntax"),
        (b'{"email": "a\\u0000b"}', "json_syntax"),
        (b'{"email": "\\\\\\u0000"}', "json_syntax"),
        (b'{"email": "\\ud800"}', "json_syntax"),
        (b'{"a": 1, "a": 1}', "duplicate_key"),
        (b'{"b": [{"a": 1, "\\u0061": 2}]}', "duplicate_key"),
        (b"[" * 17 + b"]" * 17, "json_depth"),
        (b"[" * 30_000 + b"]" * 30_000, "json_depth"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "json_depth"),
        (b"[" * 60_000, "json_depth"),
        (json.dumps({str(n): 0 for n in range(1_001)}).encode(), "json_keys"),
        (b'{"a": ' + b"9" * 31 + b"}", "integer_digits"),
        (b'{"a": ' + b"9" * 60_000 + b"}", "json_syntax"),
        (b'{"a": "' + b"x" * 8_193 + b'"}', "string_length"),
    ],
)
async def test_a_body_that_is_hard_to_read_is_400_at_once(api: Api, body: bytes, reason: str) -> None:
    begun = time.process_time()
    assert await refused(api, body) == (400, reason)
    assert time.process_time() - begun < 0.1


async def test_bounds_of_json_are_inclusive(api: Api) -> None:
    allowed = [
        b"[" * 16 + b"]" * 16,
        b'{"a": ' + b"9" * 30 + b"}",
        b'{"a": "' + b"x" * 8_192 + b'"}',
        b'{"a": "\\\\u0000"}',
        json.dumps({str(n): 0 for n in range(1_000)}).encode(),
    ]
    for body in allowed:
        assert (await refused(api, body))[0] == 422


async def test_ten_megabytes_are_refused_in_bounded_memory(api: Api) -> None:
    sent = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(160):
            sent += 65_536
            yield b" " * 65_536

    tracemalloc.start()
    begun = time.process_time()
    announced = await api.client.post(LOGIN, content=b"x" * 65_537, headers=JSON)
    answer = await api.client.post(LOGIN, content=parts(), headers=JSON)
    spent = time.process_time() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (answer.status_code, answer.json()["code"], answer.json()["reason"]) == (413, "too_large", "body")
    assert announced.status_code == 413
    assert sent <= 3 * 65_536
    assert peak < 4_000_000
    assert spent < 0.5


async def test_a_body_of_another_kind_is_415(api: Api) -> None:
    assert await refused(api, b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}) == (
        415,
        "content_type",
    )
    assert await refused(api, b"{}", {}) == (415, "content_type")
    assert await refused(api, b"\x1f\x8b", JSON | {"Content-Encoding": "gzip"}) == (415, "content_encoding")


async def test_long_urls_and_headers_are_413(api: Api) -> None:
    url = await api.client.get("/api/v1/health/ping?x=" + "y" * 4_096)
    assert (url.status_code, url.json()["reason"]) == (413, "url")
    header = await api.client.get("/api/v1/health/ping", headers={"X-Long": "y" * 16_384})
    assert (header.status_code, header.json()["reason"]) == (413, "header")


async def test_unknown_and_repeated_query_fields_are_refused_everywhere(api: Api) -> None:
    _, bearer = await api.session(role="admin")
    for endpoint in api.edge.endpoints:
        path = filled(endpoint.path)
        answer = await api.client.request(endpoint.method, path + "?nonsense=1", headers=bearer)
        assert answer.status_code == 422, endpoint.name
        again = await api.client.request(endpoint.method, path + "?x=1&x=2", headers=bearer)
        assert again.status_code == 400, endpoint.name


async def test_checks_come_in_the_documented_order(api: Api) -> None:
    viewer, bearer = await api.session("viewer@example.org", "viewer")
    metrics = "/metrics?nonsense=1"
    everything_wrong: dict[str, Any] = {"content": b"{", "headers": JSON}
    assert (await api.client.post("/api/v1/auth/logout", **everything_wrong)).status_code == 400
    assert (await api.client.get(metrics)).status_code == 401
    assert (await api.client.get(metrics, headers=bearer)).status_code == 403
    key, text = await api.vault.keys.create(
        await api.vault.sessions.identify(bearer["Authorization"].removeprefix("Bearer ")),
        KeySpec(name="script", scopes=("scan:read",)),
        HERE,
    )
    unknown = "/api/v1/api-keys/key_" + "0" * 32
    closed = await api.client.delete(unknown, headers={"Authorization": f"Bearer {text}"})
    existing = await api.client.delete(
        f"/api/v1/api-keys/{key.key_id}", headers={"Authorization": f"Bearer {text}"}
    )
    assert (closed.status_code, existing.status_code) == (403, 403)
    assert (await api.client.delete(unknown, headers=bearer)).status_code == 404
    assert viewer.role == "viewer"


async def test_a_user_has_three_hundred_requests_a_minute_whatever_the_address(api: Api) -> None:
    _, bearer = await api.session()
    _, others = await api.session("bob@example.org")
    async with api.from_address("198.51.100.1") as elsewhere:
        for number in range(300):
            client = elsewhere if number % 2 else api.client
            assert (await client.get(ME, headers=bearer)).status_code == 200
        refusal = await elsewhere.get(ME, headers=bearer)
    assert (refusal.status_code, refusal.json()["reason"]) == (429, "default")
    assert int(refusal.headers["Retry-After"]) <= 60
    assert (await api.client.get(ME, headers=others)).status_code == 200


async def test_figures_of_the_process_are_for_operators_and_for_this_machine(api: Api) -> None:
    _, trader = await api.session()
    _, admin = await api.session("root@example.org", "admin")
    assert (await api.client.get("/metrics")).status_code == 401
    assert (await api.client.get("/metrics", headers=trader)).status_code == 403
    assert (await api.client.get("/metrics", headers=admin)).status_code == 200
    async with api.from_address("127.0.0.1") as local:
        answer = await local.get("/metrics")
    assert answer.status_code == 200
    assert 'sextant_http_refusals_total{op="ops_metrics",outcome="denied.role"} 1.0' in answer.text
    assert "@example.org" not in answer.text


async def test_a_failure_nobody_foresaw_opens_an_incident(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    user, bearer = await api.session()

    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("canary detail")

    monkeypatch.setattr(api.vault.users, "set_profile", broken)
    answer = await api.client.patch(ME, json={"full_name": "A"}, headers=bearer)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["retry"]) == (500, "internal", "no")
    incident = problem["detail"].rpartition(" ")[2].rstrip(".")
    assert incident.startswith("inc_")
    assert "canary" not in answer.text
    assert user.user_id not in answer.text
    printed = capsys.readouterr()
    assert incident in printed.out + printed.err


async def test_a_suspended_person_is_401_and_told_why_only_at_login(api: Api) -> None:
    user, bearer = await api.session()
    await api.vault.users.set_profile(user.user_id, full_name="Ada")
    from_admin = await api.vault.settled("root@example.org", "admin")
    await api.vault.users.change(user.user_id, UserChange(status="suspended"), from_admin.user_id, HERE)
    assert (await api.client.get(ME, headers=bearer)).status_code == 401
    login = await api.client.post(LOGIN, json={"email": "ada@example.org", "password": PASSWORD})
    assert (login.status_code, login.json()["reason"]) == (403, "suspended")


async def test_a_colon_may_be_escaped(api: Api) -> None:
    """Most clients escape it in what they put into a path; ids of instruments are full of them."""
    _, bearer = await api.session()
    plain = await api.client.get("/api/v1/confluence/bybit:BTC-USDT:perpetual", headers=bearer)
    escaped = await api.client.get("/api/v1/confluence/bybit%3ABTC-USDT%3aperpetual", headers=bearer)
    assert plain.status_code == escaped.status_code
    assert plain.json()["detail"] == escaped.json()["detail"] != "There is no such path."
