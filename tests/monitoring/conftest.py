from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from support.database import sqlite


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with sqlite(tmp_path) as db:
        yield db
