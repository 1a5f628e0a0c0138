"""The same application on PostgreSQL: the paths whose statements differ between the two databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from sextant.kit.db import migrate, open_engine
from sextant.vault.audit import first_broken
from support.api import Api, api_on
from support.people import PASSWORD
from support.postgres import postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture
async def api(server: str) -> AsyncIterator[Api]:
    db = open_engine(server)
    await migrate(db)
    async with api_on(db, working=True) as api:
        yield api
    await migrate(db, "base")
    await db.dispose()


async def test_a_person_scans_from_login_to_coverage(api: Api) -> None:
    user, _ = await api.onboarded()
    login = {"email": "ADA@example.org", "password": PASSWORD}
    tokens = (await api.client.post("/api/v1/auth/login", json=login)).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    headers = bearer | {"Idempotency-Key": "key-0123456789"}
    discover = "/api/v1/opportunities/discover"
    answers = await asyncio.gather(*(api.client.post(discover, json={}, headers=headers) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    [scan_id] = {answer.json()["scan_id"] for answer in answers}
    await api.ended(user, scan_id)
    for path in (
        f"/api/v1/opportunities/status/{scan_id}",
        f"/api/v1/opportunities/results/{scan_id}",
        f"/api/v1/scans/{scan_id}/coverage",
        f"/api/v1/scans/{scan_id}/events",
        f"/api/v1/scan-diagnostics/scan-lifecycle/{scan_id}",
        f"/api/v1/scan-diagnostics/scan-debug/{scan_id}",
        f"/api/v1/scan-diagnostics/scan-history/{user.user_id}",
        "/api/v1/scans?limit=1",
    ):
        assert (await api.client.get(path, headers=bearer)).status_code == 200, path
    status = (await api.client.get(f"/api/v1/opportunities/status/{scan_id}", headers=bearer)).json()
    assert status["status"] == "complete"
    assert await first_broken(api.vault.db) is None


async def test_guesses_are_bounded_and_refresh_reuse_ends_the_family(api: Api) -> None:
    await api.vault.settled()
    path = "/api/v1/auth/login"
    right = {"email": "ada@example.org", "password": PASSWORD}
    tokens = (await api.client.post(path, json=right)).json()
    spent = {"refresh_token": tokens["refresh_token"]}
    answers = await asyncio.gather(*(api.client.post("/api/v1/auth/refresh", json=spent) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]

    async def guess(number: int) -> int:
        async with api.from_address(f"198.51.100.{number}") as guesser:
            return (await guesser.post(path, json=right | {"password": "not the one"})).status_code

    seen = await asyncio.gather(*(guess(number) for number in range(20)))
    assert sorted(seen) == [401] * 10 + [429] * 10
