from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.errors import ConfigError
from sextant.evidence import store as evidence_store
from sextant.kit.db import METADATA, exclusive, migrate, open_engine
from sextant.monitoring import store as monitoring_store
from sextant.scans import tables as scans_tables
from sextant.vault import store as vault_store
from support.postgres import postgresql


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


async def tables(db: AsyncEngine) -> set[str]:
    async with db.connect() as connection:
        return set(await connection.run_sync(lambda inner: sa.inspect(inner).get_table_names()))


async def test_the_migrated_schema_equals_the_tables_of_the_code(db: AsyncEngine) -> None:
    await migrate(db)
    async with db.connect() as connection:
        found = await connection.run_sync(
            lambda inner: compare_metadata(
                MigrationContext.configure(inner, opts={"compare_type": True}), METADATA
            )
        )
    assert found == []
    owned = {
        monitoring_store.INCIDENTS.name,
        vault_store.USERS.name,
        scans_tables.SCANS.name,
        evidence_store.EVENTS.name,
    }
    assert owned <= await tables(db)


async def test_the_schema_goes_up_down_and_up_again(db: AsyncEngine) -> None:
    await migrate(db)
    await migrate(db, "base")
    assert await tables(db) == {"alembic_version"}
    await migrate(db)
    assert set(METADATA.tables) <= await tables(db)


async def test_two_processes_that_migrate_at_once_do_it_once(db: AsyncEngine) -> None:
    other = open_engine(db.url.render_as_string(hide_password=False))
    try:
        await asyncio.gather(migrate(db), migrate(other), migrate(db))
    finally:
        await other.dispose()
    assert set(METADATA.tables) <= await tables(db)


async def test_an_exclusive_lock_orders_read_and_write(db: AsyncEngine) -> None:
    await migrate(db)
    facts = {"account": "a", "times_ns": [], "updated_ns": 0}
    async with db.begin() as connection:
        await connection.execute(sa.insert(vault_store.ATTEMPTS), facts)

    async def add_one() -> None:
        async with db.begin() as connection:
            await exclusive(connection, "count")
            count = (await connection.execute(sa.select(vault_store.ATTEMPTS.c.updated_ns))).scalar_one()
            await asyncio.sleep(0)
            await connection.execute(sa.update(vault_store.ATTEMPTS).values(updated_ns=count + 1))

    await asyncio.gather(*(add_one() for _ in range(8)))
    async with db.connect() as connection:
        assert (await connection.execute(sa.select(vault_store.ATTEMPTS.c.updated_ns))).scalar_one() == 8


async def test_sqlite_is_durable_and_lets_readers_run_beside_the_writer(tmp_path: Path) -> None:
    db = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'sextant.db'}")
    async with db.connect() as connection:
        mode = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
        durability = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one()
    await db.dispose()
    assert (mode, durability) == ("wal", 2)  # 2 = FULL, sqlite.org/pragma.html


async def test_values_of_a_failed_statement_are_not_in_its_message(db: AsyncEngine) -> None:
    await migrate(db)
    facts = {"account": "canary", "times_ns": [], "updated_ns": 0}
    with pytest.raises(sa.exc.IntegrityError) as failure:
        async with db.begin() as connection:
            await connection.execute(sa.insert(vault_store.ATTEMPTS), [facts, facts])
    assert "canary" not in str(failure.value).partition("[SQL")[2]


def test_other_dialects_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="mysql"):
        open_engine("mysql+aiomysql://host/name")


@pytest.mark.parametrize("folder", ["", "missing"])
async def test_the_end_of_an_engine_is_the_end_of_its_threads(tmp_path: Path, folder: str) -> None:
    before = set(threading.enumerate())
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / folder / 'sextant.db'}")

    async def ask() -> None:
        async with engine.connect() as connection:
            await connection.exec_driver_sql("SELECT 1")

    asking = [asyncio.ensure_future(ask()) for _ in range(6)]
    await asyncio.sleep(0)
    for task in asking[::2]:  # some while they open a connection, some let be
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await engine.dispose()
    left = [one for one in set(threading.enumerate()) - before if "_connection_worker" in one.name]
    assert left == []
