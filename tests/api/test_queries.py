"""api.md 4: a request asks the database a bounded number of times, three on hot routes, and never without an index."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.db import open_engine
from sextant.scans.ledger import open_ledger
from support.api import Api, api_on
from support.database import sent, sqlite

HOT: Final = 3
MOST: Final = 12
WHOLE_TABLE: Final = re.compile(r"\bSCAN (?!.*USING)(\w+)")
SMALL: Final = frozenset({"workers", "CONSTANT"})
"""Tables of a few rows, which are read whole."""


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a database that holds an ended scan, and its id; whoever ran it has gone."""
    folder = tmp_path_factory.mktemp("scanned")

    async def scan() -> str:
        async with sqlite(folder) as db, api_on(db, working=True) as api:
            user, bearer = await api.onboarded()
            scan_id = await api.discover(bearer, strategy_ids=["ai_spot_momentum_strategy"])
            await api.ended(user, scan_id)
            return scan_id

    return folder, asyncio.run(scan())


@pytest.fixture
async def db(scanned: tuple[Path, str]) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(f"sqlite+aiosqlite:///{scanned[0] / 'sextant.db'}")
    yield engine
    await engine.dispose()


@pytest.fixture
def scan_id(scanned: tuple[Path, str]) -> str:
    return scanned[1]


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/api/v1/opportunities/status/{scan_id}", HOT),
        ("/api/v1/opportunities/status/latest", HOT),
        ("/api/v1/opportunities/results/{scan_id}", HOT),
        ("/api/v1/opportunities/results/latest", HOT),
        ("/api/v1/auth/me", HOT),
        ("/api/v1/opportunities/user-status", MOST),
        ("/api/v1/scans", MOST),
        ("/api/v1/scans/{scan_id}/coverage", MOST),
        ("/api/v1/scan-diagnostics/scan-lifecycle/{scan_id}", MOST),
        ("/api/v1/scan-diagnostics/scan-debug/{scan_id}", MOST),
    ],
)
async def test_a_request_asks_the_database_few_times(
    db: AsyncEngine, scan_id: str, path: str, most: int
) -> None:
    async with api_on(db) as api:
        _, bearer = await api.session()
        with sent() as asked:
            answer = await api.client.get(path.format(scan_id=scan_id), headers=bearer)
    assert answer.status_code == 200
    assert 1 <= len(asked) <= most, [statement for statement, _ in asked]


async def test_a_poll_of_a_running_scan_is_a_hot_route_too(db: AsyncEngine) -> None:
    async with api_on(db) as api:
        _, bearer = await api.session()
        force = {"force_refresh": True}
        answer = await api.client.post("/api/v1/opportunities/discover", json=force, headers=bearer)
        for _ in range(3):
            api.clock.advance(10)
            with sent() as asked:
                polled = await api.client.get(answer.json()["poll_url"], headers=bearer)
            assert polled.json()["status"] == "scanning"
            assert len(asked) <= HOT, [statement for statement, _ in asked]


async def test_starting_a_scan_asks_few_times(db: AsyncEngine) -> None:
    async with api_on(db) as api:
        _, bearer = await api.session()
        headers = bearer | {"Idempotency-Key": "key-0123456789"}
        await _cancelled(api, bearer)
        with sent() as asked:
            answer = await api.client.post("/api/v1/opportunities/discover", json={}, headers=headers)
        assert answer.status_code == 200
        assert len(asked) <= MOST + 4, [
            statement for statement, _ in asked
        ]  # the five inserts are one transaction


async def test_every_lookup_has_an_index(db: AsyncEngine, scan_id: str) -> None:
    async with api_on(db) as api:
        _, bearer = await api.session()
        with sent() as asked:
            for path in (
                f"/api/v1/opportunities/status/{scan_id}",
                f"/api/v1/opportunities/results/{scan_id}",
                "/api/v1/opportunities/status/latest",
                "/api/v1/scans?limit=10",
                f"/api/v1/scans/{scan_id}/coverage",
                f"/api/v1/scans/{scan_id}/events",
                "/api/v1/opportunities/user-status",
            ):
                assert (await api.client.get(path, headers=bearer)).status_code == 200
            await _cancelled(api, bearer)
            running = await api.discover(bearer)
            leases = open_ledger(db).leases
            taken = await leases.take(running, "worker")
            assert taken is not None
            assert await leases.renew(running, taken.lease)
            assert await leases.lapsed() == []
            assert (
                await api.client.post(f"/api/v1/scans/{running}/cancel", headers=bearer)
            ).status_code == 200
    lookups = {
        text: parameters for text, parameters in asked if text.startswith(("SELECT", "UPDATE", "DELETE"))
    }
    assert len(lookups) > 12
    whole = []
    async with db.connect() as connection:
        for text, parameters in lookups.items():
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", _one(parameters))
            for row in plan:
                found = WHOLE_TABLE.search(row.detail)
                if found is not None and found[1] not in SMALL:
                    whole.append(f"{row.detail}: {text[:200]}")
    assert whole == []


async def _cancelled(api: Api, bearer: dict[str, str]) -> None:
    """End whatever runs."""
    latest = (await api.client.get("/api/v1/opportunities/status/latest", headers=bearer)).json()
    await api.client.post(f"/api/v1/scans/{latest['scan_id']}/cancel", headers=bearer)


def _one(parameters: Any) -> Any:
    """One set of parameters of a statement that may have been sent with many."""
    return parameters[0] if isinstance(parameters, list) else parameters
