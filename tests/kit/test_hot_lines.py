from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit import hot_lines
from sextant.kit.db import open_engine
from sextant.kit.db_faults import LOST
from sextant.kit.hot_lines import LINES, HotLines
from support.postgres import postgresql

PID = "SELECT pg_backend_pid()"


@pytest.fixture
async def db() -> AsyncIterator[AsyncEngine]:
    with postgresql() as url:
        engine = open_engine(url)
        yield engine
        await engine.dispose()


async def pid(lines: HotLines) -> int:
    return int((await lines.fetch(PID, ()))[0][0])


async def test_one_connection_serves_one_reader_and_a_few_serve_many(db: AsyncEngine) -> None:
    lines = HotLines(db)
    assert await pid(lines) == await pid(lines)
    many = await asyncio.gather(*(pid(lines) for _ in range(50)))
    assert 1 < len(set(many)) <= LINES
    lines.close()


async def test_a_connection_that_was_lost_or_interrupted_is_not_used_again(db: AsyncEngine) -> None:
    lines = HotLines(db)
    first = await pid(lines)
    async with db.connect() as connection:
        await connection.execute(sa.select(sa.func.pg_terminate_backend(first)))
    with suppress(*LOST):  # it may be noticed before
        assert await pid(lines) != first
    second = await pid(lines)
    assert second != first
    reading = asyncio.create_task(lines.fetch("SELECT pg_sleep(1.5)", ()))
    await asyncio.sleep(0.1)  # the server has begun
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await pid(lines) != second
    lines.close()


async def test_a_statement_ends_when_the_server_says_so(db: AsyncEngine) -> None:
    lines = HotLines(db)
    with pytest.raises(asyncpg.QueryCanceledError):
        await lines.fetch("SELECT pg_sleep(3)", ())
    lines.close()


async def test_who_waits_too_long_is_told_so(db: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot_lines, "POOL_WAIT_S", 0.05)
    lines = HotLines(db)
    slow = [asyncio.create_task(lines.fetch("SELECT pg_sleep(0.5)", ())) for _ in range(LINES)]
    await asyncio.sleep(0)
    with pytest.raises(sa.exc.TimeoutError):
        await pid(lines)
    await asyncio.gather(*slow)
    assert await pid(lines)
    lines.close()


async def test_closed_lines_are_made_anew(db: AsyncEngine) -> None:
    lines = HotLines(db)
    before = await pid(lines)
    busy = asyncio.create_task(lines.fetch("SELECT pg_sleep(0.1)", ()))
    await asyncio.sleep(0)
    lines.close()
    await busy
    assert lines._idle == []
    assert await pid(lines) != before
    lines.close()
