from __future__ import annotations

from pathlib import Path

import pytest

from sextant.kit.clock import ManualClock
from sextant.scans.details import ScanDetails
from sextant.scans.diagnostics import ScanDiagnostics
from sextant.scans.records import ScanRequest
from sextant.scans.store import Change, ScanRows
from support import scans as make
from support.database import sqlite
from support.house import CALLER, house

_SECOND = "ai_spot_mean_reversion"


async def test_phases_and_steps_tell_the_whole_life_of_a_scan(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        await home.ended(accepted.scan_id)
        life = await home.diagnostics.lifecycle(accepted.scan_id, "user-1")
        steps = await home.diagnostics.steps(accepted.scan_id, "user-1")
        metrics = await home.diagnostics.metrics()
        assert [phase.phase for phase in life.phases] == [
            "started",
            "portfolio_fetch",
            "asset_discovery",
            "strategies_scan",
            "completed",
        ]
        assert {phase.status for phase in life.phases} == {"completed"}
        assert life.stuck_s is None
        assert len(steps.steps) == 14 + 3
        assert {step.status for step in steps.steps} == {"completed"}
        assert (metrics.day.total_scans, metrics.day.successful_scans) == (1, 1)


async def test_a_scan_that_does_not_move_for_fifteen_seconds_is_stuck(tmp_path: Path) -> None:
    clock = ManualClock(now_ns=10**18)
    async with sqlite(tmp_path) as db:
        rows = ScanRows(db)
        diagnostics = ScanDiagnostics(rows, ScanDetails(db), clock)
        accepted = make.status(started_ns=10**18, updated_ns=10**18)
        await rows.create(accepted, make.reports(), make.steps(), None)
        clock.advance(14.9)
        assert (await diagnostics.lifecycle(accepted.scan_id, None)).stuck_s is None
        clock.advance(0.1)
        assert (await diagnostics.lifecycle(accepted.scan_id, None)).stuck_s == pytest.approx(15.0)
        await rows.change(accepted.scan_id, 1, clock.now_ns(), Change())
        assert (await diagnostics.lifecycle(accepted.scan_id, None)).stuck_s is None
