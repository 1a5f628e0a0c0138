"""faults.md D5: without room nothing is acknowledged and nothing is lost; with room again everything goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sextant.errors import BudgetExceeded
from sextant.scans.records import ScanRequest
from support.house import CALLER, house

ROOM = 2**30  # pages; SQLite's own default


async def bound(home: Any, pages: int) -> None:
    """Let the file of the database grow no further than so many pages, on every connection of the pool."""

    def limit(connection: Any, *_: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA max_page_count={pages}")
        cursor.close()

    sa.event.listen(home.db.sync_engine, "checkout", limit)


async def test_a_full_disk_refuses_a_scan_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        kept = await home.scans.discover(CALLER, ScanRequest())
        before = await home.ended(kept.scan_id)
        await bound(home, 1)  # never below what there is: SQLite keeps the present size
        with pytest.raises(BudgetExceeded) as refused:
            await home.scans.discover(CALLER, ScanRequest())
        assert refused.value.reason == "disk_full"
        assert (await home.scans.status("user-1", kept.scan_id)) == before
        assert await home.scans.history("user-1", 10) == (1, [before])
        await bound(home, ROOM)
        following = await home.scans.discover(CALLER, ScanRequest())
        assert (await home.ended(following.scan_id)).status == "complete"
