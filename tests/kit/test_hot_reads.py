from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit import hot_reads
from sextant.kit.clock import ManualClock
from sextant.kit.db import open_engine
from sextant.kit.db_timing import time_statements
from sextant.kit.hot_reads import HotQuery, HotReads, column, same
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


THING = HotQuery(sa.select(TABLE).where(TABLE.c.name == sa.bindparam("name")), same)
NAMES = HotQuery(sa.select(TABLE.c.name).order_by(TABLE.c.name).limit(sa.bindparam("most")), column("name"))
ON = HotQuery(sa.select(TABLE.c.on), column("on"))
SETTLED = HotQuery(sa.select(TABLE.c.on).where(TABLE.c.name == sa.bindparam("name")), column("on"), bool)


@contextmanager
def told(engine: AsyncEngine) -> Iterator[list[str]]:
    """The statements that are told meanwhile, whoever runs them."""
    ops: list[str] = []
    time_statements(engine, ManualClock(), lambda op, _, __: ops.append(op))
    yield ops


async def test_a_read_sees_the_last_commit_and_nothing_before_it(db: AsyncEngine) -> None:
    reads = HotReads(db)
    assert await reads.first(THING, name="a") is None
    async with db.begin() as connection:
        await connection.execute(sa.insert(TABLE), {"name": "a", "facts": [1, {"b": None}], "on": True})
        assert await reads.first(THING, name="a") is None, "not committed yet"
    row = await reads.first(THING, name="a")
    assert row is not None
    assert (row.facts, row.on) == ([1, {"b": None}], True)
    for name in ("b", "c"):
        await put(db, name=name, facts=None, on=False)
    assert list(await reads.all(NAMES, most=9)) == ["a", "b", "c"]
    assert list(await reads.all(NAMES, most=2)) == ["a", "b"]


async def test_a_long_write_does_not_hold_a_read(db: AsyncEngine) -> None:
    reads = HotReads(db)
    await put(db, name="a", facts=None, on=True)
    async with db.begin() as connection:
        await connection.execute(sa.update(TABLE).values(on=False))
        assert await reads.first(ON) is True
    assert await reads.first(ON) is False


async def test_while_nobody_commits_a_file_is_not_read_again(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    await made(engine)
    reads = HotReads(engine)
    await put(engine, name="a", facts=None, on=False)
    with told(engine) as ops:
        for _ in range(3):
            assert await reads.first(ON) is False
        assert ops == ["select hot_things"]
        await put(engine, name="b", facts=None, on=False)
        assert await reads.first(ON) is False
    assert ops.count("select hot_things") == 2
    await engine.dispose()


async def test_a_commit_of_another_process_is_seen_at_the_next_read(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    await made(engine)
    await put(engine, name="a", facts=None, on=False)
    reads = HotReads(engine)
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('update hot_things set \"on\" = ?',"
        " (int(sys.argv[2]),)); c.commit()"
    )
    for on in (True, False, True):
        await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", script, str(tmp_path / "a.db"), str(int(on))], check=True
        )
        assert await reads.first(ON) is on
        assert await reads.first(ON) is on
    await engine.dispose()


async def test_what_can_never_be_told_otherwise_is_asked_for_once(db: AsyncEngine) -> None:
    reads = HotReads(db)
    await put(db, name="a", facts=None, on=False)
    assert await reads.first(SETTLED, name="a") is False
    async with db.begin() as connection:
        await connection.execute(sa.update(TABLE).values(on=True))
    with told(db) as ops:
        assert await reads.first(SETTLED, name="a") is True
        await put(db, name="b", facts=None, on=False)
        assert await reads.first(SETTLED, name="a") is True
        assert await reads.first(SETTLED, name="c") is None
    assert ops.count("select hot_things") == 2


async def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot_reads, "REMEMBERED", 3)
    monkeypatch.setattr(hot_reads, "LASTING", 2)
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    await made(engine)
    reads = HotReads(engine)
    for number in range(8):
        await put(engine, name=str(number), facts=None, on=True)
    for number in range(8):
        assert await reads.first(SETTLED, name=str(number)) is True
        assert await reads.first(THING, name=str(number)) is not None
    assert len(reads._known) <= 3
    assert len(reads._lasting) == 2
    await engine.dispose()


async def test_nothing_can_be_written_through_it(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    await made(engine)
    reads = HotReads(engine)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reads._at_once().execute("insert into hot_things (name) values ('a')")
    await engine.dispose()
    assert reads._cursor is None


async def test_a_file_that_is_not_there_is_asked_for_the_usual_way(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'later.db'}")
    reads = HotReads(engine)
    with pytest.raises(sa.exc.OperationalError, match="no such table"):
        await reads.first(THING, name="a")
    await made(engine)
    assert await reads.first(THING, name="a") is None
    await engine.dispose()


async def test_no_snapshot_is_held_between_two_reads(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    await made(engine)
    reads = HotReads(engine)
    await put(engine, name="a", facts=None, on=True)
    assert await reads.first(ON) is True
    async with engine.connect() as connection:
        # A checkpoint that empties the log waits for whoever still reads from it: (busy, pages, moved).
        busy = (await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")).first()
    assert busy is not None
    assert busy[0] == 0
    await engine.dispose()
