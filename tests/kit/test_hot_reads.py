from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.db import open_engine
from sextant.kit.hot_reads import HotReads
from support.postgres import postgresql

TABLE = sa.Table(
    "hot_things",
    sa.MetaData(),
    sa.Column("name", sa.String(8), primary_key=True),
    sa.Column("facts", sa.JSON),
    sa.Column("on", sa.Boolean),
)


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    if request.param == "sqlite":
        engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
        await made(engine)
        yield engine
        await engine.dispose()
        return
    with postgresql() as url:
        engine = open_engine(url)
        await made(engine)
        yield engine
        await engine.dispose()


async def made(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(TABLE.metadata.create_all)


async def put(engine: AsyncEngine, **facts: Any) -> None:
    async with engine.begin() as connection:
        await connection.execute(sa.insert(TABLE), facts)


async def test_a_read_sees_the_last_commit_and_nothing_before_it(db: AsyncEngine) -> None:
    reads = HotReads(db)
    query = sa.select(TABLE).where(TABLE.c.name == "a")
    assert await reads.first(query) is None
    async with db.begin() as connection:
        await connection.execute(sa.insert(TABLE), {"name": "a", "facts": [1, {"b": None}], "on": True})
        assert await reads.first(query) is None, "not committed yet"
    row = await reads.first(query)
    assert row is not None
    assert (row.facts, row.on) == ([1, {"b": None}], True)
    for name in ("b", "c"):
        await put(db, name=name, facts=None, on=False)
    rows = await reads.all(sa.select(TABLE.c.name).order_by(TABLE.c.name))
    assert [row.name for row in rows] == ["a", "b", "c"]


async def test_a_long_write_does_not_hold_a_read(db: AsyncEngine) -> None:
    reads = HotReads(db)
    await put(db, name="a", facts=None, on=True)
    async with db.begin() as connection:
        await connection.execute(sa.update(TABLE).values(on=False))
        row = await reads.first(sa.select(TABLE))
        assert row is not None
        assert row.on is True


async def test_nothing_can_be_written_through_it(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    await made(engine)
    reads = HotReads(engine)
    with pytest.raises(sa.exc.OperationalError, match="readonly"):
        reads._at_once().execute(sa.insert(TABLE), {"name": "a"})
    await engine.dispose()
    assert reads._connection is None


async def test_a_file_that_is_not_there_is_asked_for_the_usual_way(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'later.db'}")
    reads = HotReads(engine)
    with pytest.raises(sa.exc.OperationalError, match="no such table"):
        await reads.first(sa.select(TABLE))
    await made(engine)
    assert await reads.first(sa.select(TABLE)) is None
    await engine.dispose()
