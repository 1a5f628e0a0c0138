from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.api import Api, api_on
from support.database import sqlite


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with sqlite(tmp_path) as db, api_on(db) as api:
        yield api
