from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.database import sqlite
from support.people import People, people


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[People]:
    async with sqlite(tmp_path) as db:
        yield people(db)
