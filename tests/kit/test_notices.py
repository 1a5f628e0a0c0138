from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
import sqlalchemy as sa

from sextant.kit.clock import SystemClock
from sextant.kit.db import open_engine
from sextant.kit.notices import Notices
from support.postgres import postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


async def test_notices_are_heard_and_a_lost_connection_is_made_anew(server: str) -> None:
    db, heard, gaps = open_engine(server), asyncio.Queue[str](), asyncio.Queue[None]()
    notices = Notices(db, SystemClock(), "sextant_test")
    hearing = asyncio.create_task(notices.hear(heard.put_nowait, lambda: gaps.put_nowait(None)))

    async def tell(text: str) -> None:
        async with db.begin() as connection:
            await connection.execute(sa.select(sa.func.pg_notify("sextant_test", text)))

    async with asyncio.timeout(20):
        await gaps.get()
        await tell("first")
        assert await heard.get() == "first"
        async with db.begin() as connection:
            await connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
            )
        await gaps.get()
        await tell("second")
        assert await heard.get() == "second"
    hearing.cancel()
    with suppress(asyncio.CancelledError):
        await hearing
    await db.dispose()
