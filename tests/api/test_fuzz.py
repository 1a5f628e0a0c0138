"""Seeded requests of every route: no answer is a server error, every answer is a declared one."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sextant.kit.db import migrate, open_engine
from support.api import Api, api_on, filled
from support.database import sqlite
from support.postgres import postgresql

CASES = 1_000
WORDS: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    10**25,
    "",
    "latest",
    "ada@example.org",
    "x" * 300,
    "BTC,ETH",
    "\u0000",
    "\ud7ff\u202e\x1b[31m",
    "' OR 1=1 --",
    "../../etc/passwd",
    [],
    [""],
    [["a"]],
    {},
    {"a": {"b": [None]}},
    "2026-03-01T12:00:00Z",
    "unproven",
    "scan_" + "0" * 32,
)


@pytest.fixture(params=["sqlite", "postgresql"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    if request.param == "sqlite":
        async with sqlite(tmp_path) as db, api_on(db) as api:
            yield api
        return
    with postgresql() as url:
        db = open_engine(url)
        await migrate(db)
        async with api_on(db) as api:
            yield api
        await db.dispose()


def body_of(rng: random.Random, names: list[str]) -> bytes:
    kind = rng.random()
    if kind < 0.1:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(40)))
    if kind < 0.2:
        return json.dumps(rng.choice(WORDS)).encode()
    chosen = rng.sample(names, rng.randint(0, len(names))) if names else []
    if rng.random() < 0.2:
        chosen.append("surprise")
    return json.dumps({name: rng.choice(WORDS) for name in chosen}).encode()


async def test_no_request_makes_the_server_fail(api: Api) -> None:
    rng = random.Random(20_260_301)  # noqa: S311  # repeatable, not secret
    user, bearer = await api.onboarded("root@example.org", "admin")
    known = {"scan_id": await api.discover(bearer), "user_id": user.user_id}
    schema = (await api.client.get("/api/v1/openapi.json")).json()
    logout = "/api/v1/auth/logout"
    routes = [endpoint for endpoint in api.edge.endpoints if "events" not in endpoint.path]
    for number in range(CASES):
        api.clock.advance(3)
        if number % 200 == 0:
            _, bearer = await api.onboarded("root@example.org", "admin")
        endpoint = rng.choice(routes)
        names = list(endpoint.body.__struct_fields__) if endpoint.body is not None else []
        fields = list(endpoint.query.__struct_fields__)
        query = {name: str(rng.choice(WORDS)) for name in fields if rng.random() < 0.5}
        path = filled(endpoint.path, **(known if rng.random() < 0.5 else {}))
        content = b"" if endpoint.method == "GET" else body_of(rng, names)
        answer = await api.client.request(
            endpoint.method,
            path,
            params=query,
            content=content,
            headers={"Content-Type": "application/json"} | ({} if rng.random() < 0.1 else bearer),
        )
        declared = schema["paths"][endpoint.path][endpoint.method.lower()]["responses"]
        assert answer.status_code < 500, (endpoint.name, path, query, content, answer.text)
        assert str(answer.status_code) in declared, (endpoint.name, answer.status_code)
        if answer.status_code == 200 and path == logout:
            _, bearer = await api.onboarded("root@example.org", "admin")
