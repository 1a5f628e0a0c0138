"""Access under attack: rows X1, X2, X4, X5, X12, X13 and X14 of the fault catalogue.

X3, objects of others, is tests/api/test_foreign_objects.py.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
import sqlalchemy as sa
from litestar import Litestar

from sextant.vault.passwords import Passwords
from sextant.vault.store import USERS
from support.api import Api, api_on
from support.database import sqlite
from support.people import KEY, PASSWORD

GUESSES: Final = int(os.environ.get("GUESSES", "100"))  # `make campaign` asks for 10,000
SCANS: Final = int(os.environ.get("SCANS", "60"))  # and for 1,000
ME: Final = "/api/v1/auth/me"
LOGIN: Final = "/api/v1/auth/login"
DISCOVER: Final = "/api/v1/opportunities/discover"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with sqlite(tmp_path) as db, api_on(db) as api:
        yield api


def part(facts: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(facts).encode()).decode().rstrip("=")


def signed(header: dict[str, Any], claims: dict[str, Any], secret: bytes = KEY.secret) -> str:
    text = f"{part(header)}.{part(claims)}"
    seal = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256")).decode().rstrip("=")
    return f"{text}.{seal}"


# X1: a token that is not exactly ours opens nothing.


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({}, {"exp": -1_000}),
        ({}, {"iat": 3_600, "nbf": 3_600, "exp": 7_200}),
        ({"typ": "JWT"}, {}),
        ({"typ": "id+jwt"}, {}),
        ({"alg": "HS512"}, {}),
        ({"alg": "RS256"}, {}),
        ({"kid": "another"}, {}),
        ({"kid": "../../dev/null"}, {}),
        ({"crit": ["exp"]}, {}),
        ({}, {"aud": "another-api"}),
        ({}, {"iss": "somebody"}),
        ({}, {"sid": "ses_" + "0" * 32}),
        ({}, {"sub": "00000000-0000-4000-8000-000000000000"}),
        ({}, {"sid": None}),
        ({}, {"sub": ["a"]}),
        ({}, {"exp": "soon"}),
        ({}, {"exp": True}),
        ({}, {"role": "admin", "sid": "x"}),
    ],
    ids=str,
)
async def test_a_token_that_differs_in_one_thing_is_401(
    api: Api, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    _, bearer = await api.session()
    token = bearer["Authorization"].removeprefix("Bearer ")
    good_header = jwt.get_unverified_header(token)
    good = jwt.decode(token, options={"verify_signature": False})
    now_s = api.clock.now_ns() // 1_000_000_000
    changed = {
        name: now_s + value if name in ("exp", "iat", "nbf") and type(value) is int else value
        for name, value in claims.items()
    }
    assert (await api.client.get(ME, headers=bearer)).status_code == 200
    same = signed(good_header, good)
    assert (await api.client.get(ME, headers={"Authorization": f"Bearer {same}"})).status_code == 200
    forged = signed(good_header | header, good | changed)
    answer = await api.client.get(ME, headers={"Authorization": f"Bearer {forged}"})
    assert (answer.status_code, answer.json()["retry"]) == (401, "login")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_token_without_signature_or_with_another_key_is_401(api: Api) -> None:
    _, bearer = await api.session()
    token = bearer["Authorization"].removeprefix("Bearer ")
    header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    head, body, seal = token.split(".")
    for forged in (
        f"{part(header | {'alg': 'none'})}.{body}.",
        f"{part(header | {'alg': 'None'})}.{body}.{seal}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{part(claims | {'sub': claims['sub'], 'x': 1})}.{seal}",
        signed(header, claims, b"another key of thirty-two bytes!!"),
        signed(header, claims, b""),
        signed(header, claims, KEY.kid.encode()),
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        f"{token}.{seal}",
        "",
        "." * 10,
    ):
        answer = await api.client.get(ME, headers={"Authorization": f"Bearer {forged}"})
        assert answer.status_code == 401, forged


async def test_a_deleted_person_is_nobody_at_the_next_call(api: Api) -> None:
    user, bearer = await api.session()
    async with api.vault.db.begin() as connection:
        await connection.execute(sa.delete(USERS).where(USERS.c.user_id == user.user_id))
    assert (await api.client.get(ME, headers=bearer)).status_code == 401


async def test_a_reused_refresh_token_ends_the_whole_family(api: Api) -> None:
    await api.vault.settled()
    client = api.from_address("198.51.100.4")
    tokens = (await client.post(LOGIN, json={"email": "ada@example.org", "password": PASSWORD})).json()
    family = [tokens]
    for _ in range(3):
        api.clock.advance(30)
        body = {"refresh_token": family[-1]["refresh_token"]}
        family.append((await client.post("/api/v1/auth/refresh", json=body)).json())
    stolen = await client.post("/api/v1/auth/refresh", json={"refresh_token": family[1]["refresh_token"]})
    assert (stolen.status_code, stolen.json()["reason"]) == (401, "refresh_reused")
    for member in family:
        bearer = {"Authorization": f"Bearer {member['access_token']}"}
        assert (await client.get(ME, headers=bearer)).status_code == 401
    newest = await client.post("/api/v1/auth/refresh", json={"refresh_token": family[-1]["refresh_token"]})
    assert newest.status_code == 401


# X2: guesses are bounded per account, whoever makes them.


class Looked:
    """Counts how often a password was compared with a hash, and how often there was none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known = self.unknown = 0
        real = Passwords.matches

        async def matches(passwords: Passwords, password: str, stored: str | None) -> bool:
            self.known += stored is not None
            self.unknown += stored is None
            return await real(passwords, password, stored)

        monkeypatch.setattr(Passwords, "matches", matches)


@pytest.mark.parametrize("addresses", [1, 1_000])
async def test_guesses_are_bounded_per_account(
    api: Api, monkeypatch: pytest.MonkeyPatch, addresses: int
) -> None:
    await api.vault.settled()
    _, bearer = await api.session()
    looked = Looked(monkeypatch)
    clients = [api.from_address(f"203.0.{n // 250}.{n % 250 + 1}") for n in range(min(addresses, GUESSES))]
    statuses: list[int] = []
    for number in range(GUESSES):
        body = {"email": "ada@example.org", "password": f"guess number {number}"}
        statuses.append((await clients[number % len(clients)].post(LOGIN, json=body)).status_code)
    assert looked.known <= 10, "at most ten tries per account in a quarter of an hour"
    assert set(statuses) == {401, 429}
    right = {"email": "ada@example.org", "password": PASSWORD}
    fresh = api.from_address("192.0.2.99")
    assert (await fresh.post(LOGIN, json=right)).status_code == (429 if looked.known == 10 else 200)
    assert (await api.client.get(ME, headers=bearer)).status_code == 200, "live sessions go on working"
    api.clock.advance(901)
    assert (await fresh.post(LOGIN, json=right)).status_code == 200


async def test_two_processes_share_the_count_of_guesses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sqlite(tmp_path) as db, api_on(db) as first, api_on(db) as second:
        await first.vault.settled()
        looked = Looked(monkeypatch)
        for number in range(40):
            one = (first, second)[number % 2].from_address(f"203.0.113.{number + 1}")
            await one.post(LOGIN, json={"email": "ada@example.org", "password": f"guess number {number}"})
        assert looked.known == 10


async def test_an_unknown_person_costs_and_reads_the_same(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.vault.settled()
    looked = Looked(monkeypatch)
    bodies = []
    for number, email in enumerate(("ada@example.org", "nobody@example.org")):
        client = api.from_address(f"203.0.113.{number + 1}")
        answer = await client.post(
            LOGIN,
            json={"email": email, "password": "not the right one"},
            headers={"X-Request-ID": "the-same-id"},
        )
        bodies.append((answer.status_code, answer.text, sorted(answer.headers)))
    assert bodies[0] == bodies[1]
    assert (looked.known, looked.unknown) == (1, 1), "a hash of the same cost is computed for nobody"


# X4, X5, X13: what is not there is not there, and nothing of a request is an address to call.


async def test_an_unknown_scan_is_never_the_latest_one(api: Api) -> None:
    _, bearer = await api.onboarded()
    scan_id = await api.discover(bearer)
    for wrong in ("scan_" + "0" * 32, scan_id[:-1] + ("0" if scan_id[-1] != "0" else "1"), "LATEST", "last"):
        for route in ("opportunities/status", "opportunities/results", "scan-diagnostics/scan-debug"):
            answer = await api.client.get(f"/api/v1/{route}/{wrong}", headers=bearer)
            assert answer.status_code == 404
            assert scan_id not in answer.text


CALLED_ADDRESSES: Final[dict[str, str]] = {}
"""Fields of requests that name an address we call, and the test that none of our own machines is called by it."""


async def test_no_field_of_a_request_makes_us_call_an_address(api: Api) -> None:
    document = (await api.client.get("/api/v1/openapi.json")).json()
    schemas = document["components"]["schemas"]
    found = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            names = [item["name"] for item in operation.get("parameters", [])]
            if "requestBody" in operation:
                shape = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                names += schemas[shape.rpartition("/")[2]].get("properties", {})
            found += [
                f"{method} {path} {name}"
                for name in names
                if any(
                    word in name.lower() for word in ("url", "uri", "host", "webhook", "callback", "avatar")
                )
            ]
    assert found == sorted(CALLED_ADDRESSES)


PRIVILEGED: Final = (
    "id",
    "user_id",
    "role",
    "is_admin",
    "permissions",
    "status",
    "tenant",
    "created_at",
    "success",
)


async def test_no_body_takes_a_field_it_does_not_declare(api: Api) -> None:
    for endpoint in api.edge.endpoints:
        if endpoint.method == "GET":
            continue
        declared = set() if endpoint.body is None else set(endpoint.body.__struct_fields__)
        for field in PRIVILEGED:
            if field in declared:
                continue
            api.clock.advance(3_601)
            _, bearer = await api.session("root@example.org", "admin")
            path = endpoint.path.format(
                key_id="key_" + "0" * 32,
                scan_id="scan_" + "0" * 32,
                opportunity_id="opp_" + "0" * 32,
                user_id="00000000-0000-4000-8000-000000000000",
            )
            answer = await api.client.request(endpoint.method, path, json={field: "admin"}, headers=bearer)
            problem = answer.json()
            assert (answer.status_code, problem["reason"]) in (
                (422, "unknown_field"),
                (422, "missing_field"),
            ), (endpoint.name, field)


async def test_the_routes_are_exactly_the_published_ones(api: Api) -> None:
    document = (await api.client.get("/api/v1/openapi.json")).json()
    published = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    routed = api.app.behind
    assert isinstance(routed, Litestar)
    mounted = {
        (method, route.path_format)
        for route in routed.routes
        for method in route.methods
        if method not in ("OPTIONS", "HEAD")
    }
    assert mounted == published


# X12, X14: one effect of a request however often it comes, and no one takes it all.


async def test_a_double_click_in_two_processes_is_one_scan(tmp_path: Path) -> None:
    async with sqlite(tmp_path) as db, api_on(db) as first, api_on(db) as second:
        _, bearer = await first.onboarded()
        headers = bearer | {"Idempotency-Key": "the-key-of-one-click"}
        answers = await asyncio.gather(
            *((first, second)[n % 2].client.post(DISCOVER, json={}, headers=headers) for n in range(8))
        )
        assert {answer.status_code for answer in answers} <= {200, 409}
        scans = {answer.json()["scan_id"] for answer in answers if answer.status_code == 200}
        assert len(scans) == 1
        again = await second.client.post(DISCOVER, json={}, headers=headers)
        assert (again.json()["scan_id"], again.headers["Idempotency-Replayed"]) == (scans.pop(), "true")
        listed = (await first.client.get("/api/v1/scans", headers=bearer)).json()["scans"]
        assert len(listed) == 1


async def test_a_greedy_person_is_slowed_and_others_are_not(api: Api) -> None:
    _, greedy = await api.onboarded("greedy@example.org")
    _, modest = await api.onboarded("modest@example.org")
    statuses = []
    for number in range(SCANS):
        answer = await api.client.post(DISCOVER, json={"force_refresh": True}, headers=greedy)
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.json()["reason"] in ("discover", "concurrency")
        if number % 40 == 0:
            other = await api.client.post(DISCOVER, json={"force_refresh": True}, headers=modest)
            assert other.status_code == 200
    assert statuses.count(200) == 30, "thirty a minute"
    assert statuses[30:] == [429] * (SCANS - 30)


async def test_a_person_has_eight_requests_at_a_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _, bearer = await api.session()
    gate, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(*_: object) -> list[Any]:
        begun.release()
        await gate.wait()
        return []

    monkeypatch.setattr(api.vault.keys, "list", slow)
    asked = [asyncio.create_task(api.client.get("/api/v1/api-keys", headers=bearer)) for _ in range(8)]
    for _ in range(8):
        await asyncio.wait_for(begun.acquire(), 5.0)
    ninth = await api.client.get("/api/v1/api-keys", headers=bearer)
    assert (ninth.status_code, ninth.json()["reason"]) == (429, "concurrency")
    _, other = await api.session("eve@example.org")
    assert (await api.client.get(ME, headers=other)).status_code == 200
    gate.set()
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
