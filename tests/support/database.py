"""A real database for a test: SQLite in its own folder, with the schema of the code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.db import METADATA, migrate, open_engine
from sextant.kit.hot_text import HotText
from sextant.scans.tables import SCANS


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[AsyncEngine]:
    """An engine on an empty database file; closed at the end."""
    db = open_engine(f"sqlite+aiosqlite:///{folder / 'sextant.db'}")
    async with db.begin() as connection:
        await connection.exec_driver_sql(
            "BEGIN"
        )  # one commit for all tables; otherwise each waits for the disk
        await connection.run_sync(METADATA.create_all)
    try:
        yield db
    finally:
        await db.dispose()


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on a database that is brought to the newest schema, and emptied at the end."""
    db = open_engine(url)
    await migrate(db)
    try:
        yield db
    finally:
        await migrate(db, "base")
        await db.dispose()


async def lapse(db: AsyncEngine, scan_id: str) -> None:
    """Let the lease of a scan run out, as if its holder had been silent."""
    async with db.begin() as connection:
        await connection.execute(sa.update(SCANS).where(SCANS.c.scan_id == scan_id).values(lease_until_ns=1))


@contextmanager
def sent() -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent to any database meanwhile, with their parameters, whichever way they go."""
    statements: list[tuple[str, Any]] = []
    arguments = HotText.arguments

    def note(*facts: Any) -> None:
        statements.append((facts[2], facts[3]))

    def past_the_pool(text: HotText, values: Mapping[str, Any]) -> list[Any]:
        given = arguments(text, values)
        statements.append((text.sql, tuple(given)))
        return given

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        with mock.patch.object(HotText, "arguments", past_the_pool):
            yield statements
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
