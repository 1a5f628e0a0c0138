"""faults.md D6: a database of the first release is upgraded with all it holds, and the release before goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sextant.kit.clock import SystemClock
from sextant.kit.db import migrate, open_engine
from sextant.scans.blobs import pack
from sextant.scans.ledger import open_ledger
from sextant.scans.records import Found, ScanRequest
from sextant.scans.recovery import Recovery
from support import scans as make
from support.postgres import postgresql

FIRST: Final = "0001"
BEFORE: Final = "0002"  # the release before leases
USER: Final = {
    "user_id": "user-1",
    "email": "ada@example.org",
    "email_key": "ada@example.org",
    "full_name": "Ada",
    "role": "trader",
    "status": "active",
    "risk_profile": "balanced",
    "password_hash": "hash",
    "must_change": False,
    "password_expires_ns": None,
    "created_ns": 1,
    "last_login_ns": None,
}
ENDED: Final = "scan_" + "a" * 32
RUNNING: Final = "scan_" + "b" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    url = (
        f"sqlite+aiosqlite:///{tmp_path / 'sextant.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("server")
    )
    engine = open_engine(url)
    yield engine
    await migrate(engine, "base")
    await engine.dispose()


def scan_row(scan_id: str, user_id: str, **changes: Any) -> dict[str, Any]:
    """A row of ``scans`` as the first release wrote it."""
    row: dict[str, Any] = {
        "scan_id": scan_id,
        "user_id": user_id,
        "status": "scanning",
        "outcome": None,
        "phase": "started",
        "version": 1,
        "message": "Scan accepted: 2 strategies.",
        "request": pack(ScanRequest()),
        "unmatched": [],
        "total_strategies": 2,
        "ended_strategies": 0,
        "found_count": 0,
        "outcomes": {},
        "started_ns": SystemClock().now_ns(),
        "updated_ns": SystemClock().now_ns(),
        "finished_ns": None,
        "as_of_ns": None,
        "view_hash": None,
        "code_version": "first",
        "feed": "live",
        "simulated": False,
        "error": None,
        "universe_count": None,
        "tiers": [],
        "recommendations": pack(()),
        "phase_ms": {},
    }
    return row | changes


async def write(connection: AsyncConnection, table: str, row: dict[str, Any]) -> None:
    """Insert a row as older code does: it names the columns it knows."""
    known = await connection.run_sync(lambda sync: sa.Table(table, sa.MetaData(), autoload_with=sync))
    await connection.execute(sa.insert(known), row)


async def furnish(db: AsyncEngine) -> None:
    """What a person of the first release leaves behind: themselves, a scan, its strategy and what it found."""
    ended = {"status": "complete", "outcome": "ok", "phase": "completed", "version": 9, "found_count": 1}
    found = {
        "opportunity_id": "opp_" + "1" * 32,
        "scan_id": ENDED,
        "user_id": "user-1",
        "opportunity_key": "key-1",
        "rank": 1,
        "discovered_ns": 5,
        "body": pack(make.opportunity()),
    }
    async with db.begin() as connection:
        await write(connection, "users", dict(USER))
        await write(connection, "scans", scan_row(ENDED, "user-1", **ended, finished_ns=7))
        report = {"scan_id": ENDED, "position": 0, "report": pack(make.reports()[0]), "coverage": None}
        await write(connection, "scan_strategies", report)
        await write(connection, "opportunities", found)


async def test_a_database_of_the_first_release_keeps_all_it_holds(db: AsyncEngine) -> None:
    await migrate(db, FIRST)
    await furnish(db)
    await migrate(db)
    ledger = open_ledger(db)
    told = await ledger.details.told(ENDED, "user-1")
    assert (told.status.status, told.status.version, told.status.found_count) == ("complete", 9, 1)
    assert told.reports == (make.reports()[0],)
    [found] = await ledger.details.found(ENDED)
    assert found == Found("opp_" + "1" * 32, 1, 5, make.opportunity())
    async with db.connect() as connection:
        email = (await connection.execute(sa.text("SELECT email FROM users"))).scalar_one()
    assert email == USER["email"]


async def test_going_back_to_the_first_release_keeps_all_it_knew(db: AsyncEngine) -> None:
    await migrate(db)
    await furnish(db)
    await migrate(db, FIRST)
    async with db.connect() as connection:
        columns = await connection.run_sync(
            lambda sync: {column["name"] for column in sa.inspect(sync).get_columns("scans")}
        )
        kept = (await connection.execute(sa.text("SELECT scan_id, version FROM scans"))).all()
        found = (await connection.execute(sa.text("SELECT count(*) FROM opportunities"))).scalar_one()
    assert not columns & {"inputs", "lease_holder", "lease_token", "lease_takes", "lease_until_ns"}
    assert [tuple(row) for row in kept] == [(ENDED, 9)]
    assert found == 1
    await migrate(db)
    assert (await open_ledger(db).rows.status(ENDED, "user-1")).version == 9


async def test_the_release_before_goes_on_beside_this_one(db: AsyncEngine) -> None:
    await migrate(db)
    async with db.begin() as connection:
        await write(connection, "scans", scan_row(RUNNING, "user-2"))
    recovery = Recovery(open_ledger(db), SystemClock())
    assert await recovery.sweep() == 0  # it is being run by the release before, which knows no lease
    async with db.begin() as connection:
        moved = await connection.execute(
            sa.text(
                "UPDATE scans SET status = 'complete', outcome = 'ok', phase = 'completed', version = 4 "
                "WHERE scan_id = :scan_id AND version = 1 AND status = 'scanning'"
            ),
            {"scan_id": RUNNING},
        )
    assert moved.rowcount == 1
    assert (await open_ledger(db).rows.status(RUNNING, "user-2")).status == "complete"


async def test_a_scan_that_the_release_before_left_behind_is_ended(db: AsyncEngine) -> None:
    await migrate(db, BEFORE)
    long_ago = SystemClock().now_ns() - 30_000_000_000
    async with db.begin() as connection:
        await write(connection, "scans", scan_row(RUNNING, "user-2", updated_ns=long_ago, as_of_ns=1))
    await migrate(db)
    ledger = open_ledger(db)
    assert await Recovery(ledger, SystemClock()).sweep() == 1
    status = await ledger.rows.status(RUNNING, "user-2")
    assert status.error is not None
    assert (status.status, status.error.reason) == ("failed", "worker_lost")


async def test_a_migration_that_is_interrupted_leaves_nothing_behind(db: AsyncEngine) -> None:
    await migrate(db, BEFORE)
    async with db.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE workers (name TEXT)"))  # the third statement meets it
    with pytest.raises(sa.exc.DBAPIError):
        await migrate(db)
    async with db.begin() as connection:
        columns = await connection.run_sync(
            lambda sync: {column["name"] for column in sa.inspect(sync).get_columns("scans")}
        )
        revision = (await connection.execute(sa.text("SELECT version_num FROM alembic_version"))).scalar_one()
        await connection.execute(sa.text("DROP TABLE workers"))
    assert "lease_token" not in columns
    assert revision == BEFORE
    await migrate(db)
    await furnish(db)
    assert (await open_ledger(db).rows.status(ENDED, "user-1")).version == 9
