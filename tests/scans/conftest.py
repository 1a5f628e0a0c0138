"""A database for tests of scans: SQLite in a folder, or a real PostgreSQL shared by the session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from support.database import migrated, sqlite
from support.postgres import postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An engine of either dialect; tests that take it run on both."""
    if request.param == "sqlite":
        async with sqlite(tmp_path) as engine:
            yield engine
    else:
        async with migrated(request.getfixturevalue("server")) as engine:
            yield engine
