from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pgqueuer.domain.errors import PgqException
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.db import connect, open_engine
from sextant.kit.db_faults import LOST
from sextant.kit.queue import WorkQueue, install_script, uninstall_script
from support.postgres import postgresql

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    if request.param == "sqlite":
        engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'sextant.db'}")
        yield engine
    else:
        engine = open_engine(request.getfixturevalue("server"))
        await _alone(engine, install_script())
        yield engine
        await _alone(engine, uninstall_script())
    await engine.dispose()


async def _alone(db: AsyncEngine, script: str) -> None:
    connection = await connect(db)
    await connection.execute(script)
    await connection.close()


@asynccontextmanager
async def serving(queue: WorkQueue, handle: Callable[[str], Awaitable[bool]]) -> AsyncIterator[asyncio.Event]:
    stopping = asyncio.Event()
    serving_task = asyncio.create_task(queue.serve(handle, 2, stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        async with asyncio.timeout(10):
            await serving_task


async def test_a_process_takes_only_the_kind_of_work_it_serves(db: AsyncEngine) -> None:
    if db.dialect.name != "postgresql":
        pytest.skip("in memory each queue is of one kind")
    scans, others, seen = WorkQueue(db), WorkQueue(db, "other"), Collected()
    await put(db, scans, "scan-1")
    await put(db, others, "other-1")
    async with serving(others, seen.handle):
        assert await seen.take(1) == ["other-1"]
        assert seen.ids.empty()
    async with serving(scans, seen.handle):
        assert await seen.take(1) == ["scan-1"]


async def put(db: AsyncEngine, queue: WorkQueue, work_id: str) -> None:
    async with db.begin() as connection:
        await connection.execute(sa.select(1))
        await queue.put(connection, work_id)
    await queue.committed(work_id)


class Collected:
    """Takes ids and says when as many as wanted have come."""

    def __init__(self, *answers: bool) -> None:
        self.ids: asyncio.Queue[str] = asyncio.Queue()
        self._answers = list(answers)

    async def handle(self, work_id: str) -> bool:
        await self.ids.put(work_id)
        return self._answers.pop(0) if self._answers else True

    async def take(self, count: int) -> list[str]:
        async with asyncio.timeout(10):
            return [await self.ids.get() for _ in range(count)]


async def test_work_is_given_to_one_of_those_who_serve(db: AsyncEngine) -> None:
    queue, seen = WorkQueue(db), Collected()
    async with serving(queue, seen.handle), serving(queue, seen.handle):
        for name in ("a", "b", "c"):
            await put(db, queue, name)
        assert sorted(await seen.take(3)) == ["a", "b", "c"]
    assert seen.ids.empty()


async def test_what_waits_when_a_service_begins_is_run(db: AsyncEngine) -> None:
    queue, seen = WorkQueue(db), Collected()
    await put(db, queue, "a")
    async with serving(queue, seen.handle):
        assert await seen.take(1) == ["a"]


async def test_work_that_is_asked_for_twice_is_not_doubled(db: AsyncEngine) -> None:
    queue, seen = WorkQueue(db), Collected()
    for _ in range(3):
        await queue.again("a")
    await put(db, queue, "b")
    async with serving(queue, seen.handle):
        assert sorted(await seen.take(2)) == ["a", "b"]
    assert seen.ids.empty()


async def test_work_that_is_held_elsewhere_is_asked_for_again(db: AsyncEngine) -> None:
    queue, seen = WorkQueue(db), Collected(False, True)
    async with serving(queue, seen.handle):
        await put(db, queue, "a")
        assert await seen.take(2) == ["a", "a"]


async def test_a_service_that_is_cancelled_waits_for_what_it_began(db: AsyncEngine) -> None:
    queue, begun, finished = WorkQueue(db), asyncio.Event(), asyncio.Event()
    stopping = asyncio.Event()

    async def handle(_: str) -> bool:
        begun.set()
        await stopping.wait()
        finished.set()
        return True

    serving_task = asyncio.create_task(queue.serve(handle, 2, stopping))
    await put(db, queue, "a")
    async with asyncio.timeout(10):
        await begun.wait()
        serving_task.cancel()
        await asyncio.wait({serving_task})
    assert finished.is_set()
    assert serving_task.cancelled()


async def test_work_of_a_transaction_that_is_rolled_back_never_was(server: str) -> None:
    db = open_engine(server)
    await _alone(db, install_script())
    queue, seen = WorkQueue(db), Collected()
    async with db.connect() as connection:
        await connection.execute(sa.select(1))
        await queue.put(connection, "never")
        await connection.rollback()
    async with serving(queue, seen.handle):
        await put(db, queue, "committed")
        assert await seen.take(1) == ["committed"]
    assert seen.ids.empty()
    await _alone(db, uninstall_script())
    await db.dispose()


async def test_a_service_whose_connection_is_killed_goes_on(server: str) -> None:
    db = open_engine(server)
    await _alone(db, install_script())
    queue, seen = WorkQueue(db), Collected()
    async with serving(queue, seen.handle):
        await put(db, queue, "before")
        assert await seen.take(1) == ["before"]
        async with db.begin() as connection:
            killed = await connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            assert len(killed.all()) >= 1
        await put(db, queue, "after")
        assert await seen.take(1) == ["after"]
    await _alone(db, uninstall_script())
    await db.dispose()


@pytest.mark.parametrize("error", [*(kind("lost") for kind in LOST), PgqException("lost")])
async def test_a_service_outlives_whatever_a_lost_connection_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    db = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'sextant.db'}")
    queue, seen = WorkQueue(db), Collected()
    whole, failed = queue._serve_once, [error]

    async def once(*given: Any) -> None:
        if failed:
            raise failed.pop()
        await whole(*given)

    monkeypatch.setattr(queue, "_serve_once", once)
    async with serving(queue, seen.handle):
        await put(db, queue, "a")
        assert await seen.take(1) == ["a"]
    await db.dispose()
