"""A real database for a test: SQLite in its own folder, with the schema of the code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.db import METADATA, open_engine


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
