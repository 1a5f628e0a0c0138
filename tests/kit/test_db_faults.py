from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.errors import BudgetExceeded, SextantError
from sextant.kit.clock import Deadline, ManualClock, SystemClock
from sextant.kit.db import open_engine
from sextant.kit.db_faults import named, passing, passing_or_full, patiently
from support.postgres import postgresql


class _Stated(Exception):
    """As PostgreSQL's driver tells an error: by its SQLSTATE."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


def wrapped(inner: BaseException, *, lost: bool = False) -> sa.exc.OperationalError:
    return sa.exc.OperationalError("SELECT 1", None, inner, connection_invalidated=lost)


CASES = [
    (wrapped(_Stated("40001")), True, "database_unavailable"),
    (wrapped(_Stated("40P01")), True, "database_unavailable"),
    (wrapped(_Stated("57P01")), True, "database_unavailable"),
    (wrapped(_Stated("08006")), True, "database_unavailable"),
    (wrapped(_Stated("57014")), False, "deadline"),
    (wrapped(_Stated("53100")), False, "disk_full"),
    (wrapped(_Stated("23505")), False, None),
    (wrapped(ValueError(), lost=True), True, "database_unavailable"),
    (wrapped(sqlite3.OperationalError("database is locked")), True, "database_unavailable"),
    (wrapped(sqlite3.OperationalError("database or disk is full")), False, "disk_full"),
    (wrapped(sqlite3.OperationalError("no such table: scans")), False, None),
    (ConnectionRefusedError(), True, "database_unavailable"),
    (sa.exc.TimeoutError(), False, "pool_exhausted"),
    (ZeroDivisionError(), False, None),
]


@pytest.mark.parametrize(("error", "passes", "reason"), CASES)
def test_each_failure_has_its_meaning(error: Exception, passes: bool, reason: str | None) -> None:
    meaning = named(error)
    assert passing(error) is passes
    assert (None if meaning is None else meaning.reason) == reason
    assert meaning is None or meaning.facts["retry_after_s"] > 0


def test_a_full_pool_and_a_slow_statement_are_worth_another_wait_for_work_that_has_time() -> None:
    assert passing_or_full(sa.exc.TimeoutError())
    assert passing_or_full(wrapped(_Stated("57014")))
    assert not passing_or_full(ZeroDivisionError())


async def test_a_transaction_is_repeated_until_it_succeeds_and_told_that_it_is_repeated() -> None:
    told: list[bool] = []

    async def work(again: bool) -> str:
        told.append(again)
        if len(told) < 3:
            raise wrapped(_Stated("40001"))
        return "done"

    clock = SystemClock()
    assert await patiently(clock, Deadline(clock, 10), work) == "done"
    assert told == [False, True, True]


async def test_the_deadline_ends_the_patience_with_a_typed_error() -> None:
    clock = ManualClock()
    deadline = Deadline(clock, 0)

    async def work(_: bool) -> None:
        raise ConnectionRefusedError

    with pytest.raises(BudgetExceeded) as ended:
        await patiently(clock, deadline, work)
    assert ended.value.reason == "database_unavailable"


async def test_a_defect_is_not_repeated() -> None:
    attempts = 0

    async def work(_: bool) -> None:
        nonlocal attempts
        attempts += 1
        raise sa.exc.IntegrityError("INSERT", None, ValueError())

    clock = SystemClock()
    with pytest.raises(sa.exc.IntegrityError):
        await patiently(clock, Deadline(clock, 10), work)
    assert attempts == 1


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture
async def db(server: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(server)
    yield engine
    await engine.dispose()


async def test_a_deadlock_is_undone_and_repeated(db: AsyncEngine) -> None:
    """faults.md D4: two sessions that lock two rows in opposite order both succeed in the end."""
    async with db.begin() as connection:
        await connection.exec_driver_sql("DROP TABLE IF EXISTS crossed")
        await connection.exec_driver_sql("CREATE TABLE crossed (id int PRIMARY KEY, n int NOT NULL)")
        await connection.exec_driver_sql("INSERT INTO crossed VALUES (1, 0), (2, 0)")
    meeting = asyncio.Barrier(2)

    async def add(order: tuple[int, int]) -> None:
        async def work(again: bool) -> None:
            async with db.begin() as connection:
                await connection.execute(
                    sa.text("UPDATE crossed SET n = n + 1 WHERE id = :id"), {"id": order[0]}
                )
                if not again:
                    await meeting.wait()
                await connection.execute(
                    sa.text("UPDATE crossed SET n = n + 1 WHERE id = :id"), {"id": order[1]}
                )

        clock = SystemClock()
        await patiently(clock, Deadline(clock, 10), work)

    async with asyncio.timeout(20):
        await asyncio.gather(add((1, 2)), add((2, 1)))
    async with db.begin() as connection:
        rows = (await connection.exec_driver_sql("SELECT n FROM crossed")).scalars().all()
        await connection.exec_driver_sql("DROP TABLE crossed")
    assert list(rows) == [2, 2]


async def test_a_killed_backend_is_named_and_the_next_query_finds_another(db: AsyncEngine) -> None:
    """faults.md D7."""
    async with db.connect() as victim:
        pid = (await victim.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one()
        async with db.begin() as killer:
            await killer.execute(sa.select(sa.func.pg_terminate_backend(pid)))
        with pytest.raises(sa.exc.DBAPIError) as lost:
            await victim.exec_driver_sql("SELECT 1")
    assert passing(lost.value)
    async with db.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT 1")).scalar_one() == 1


async def test_a_slow_statement_is_ended_by_the_server(db: AsyncEngine) -> None:
    """faults.md D2."""
    with pytest.raises(sa.exc.DBAPIError) as ended:
        async with db.connect() as connection:
            await connection.execute(sa.select(sa.func.pg_sleep(3)))
    meaning: SextantError | None = named(ended.value)
    assert meaning is not None
    assert meaning.reason == "deadline"
