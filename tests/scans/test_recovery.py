from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from sextant.scans import transitions
from sextant.scans.leases import MOST_TAKES, Lapsed
from sextant.scans.records import Found, ScanRequest
from sextant.scans.recovery import verdict_on
from sextant.scans.store import Change
from sextant.scans.tables import SCANS
from support import scans as make
from support.database import lapse
from support.house import CALLER, house

SECOND = 1_000_000_000


async def test_scans_that_were_never_begun_are_run_after_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
    async with house(tmp_path) as home:
        assert await home.recovery.resume() == 1
        status = await home.ended(accepted.scan_id)
        assert (status.status, status.outcome) == ("complete", "ok")
        assert await home.recovery.resume() == 0


async def test_a_scan_whose_process_died_before_it_looked_is_run_by_another(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        taken = await home.ledger.leases.take(accepted.scan_id, "dead")
        assert taken is not None
        change = transitions.entered("portfolio_fetch", "The account is known.")
        await home.rows.change(accepted.scan_id, 1, 2_000, change, taken.lease)
    async with house(tmp_path) as home:
        assert await home.recovery.sweep() == 0  # its lease still stands
        await lapse(home.db, accepted.scan_id)
        assert await home.recovery.sweep() == 1
        status = await home.ended(accepted.scan_id)
        assert status.status == "complete"
        events = await home.details.events(accepted.scan_id, 0)
        entered = [event.body["phase"] for event in events if event.body.get("status") == "in_progress"]
        assert entered == ["portfolio_fetch", "asset_discovery", "strategies_scan"]
        assert [event.version for event in events] == list(range(1, len(events) + 1))


async def test_a_scan_whose_process_died_after_it_looked_ends_with_what_it_found(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        scan_id = accepted.scan_id
        taken = await home.ledger.leases.take(scan_id, "dead")
        assert taken is not None
        looked = Change(facts={"as_of_ns": 1, "found_count": 1}, owner="user-1")
        looked.found = [Found("opp_" + "1" * 32, None, 1_000, make.opportunity())]
        looked.events = [("opportunity", {"opportunity_id": "opp_" + "1" * 32})]
        await home.rows.change(scan_id, 1, 2_000, looked, taken.lease)
        await lapse(home.db, scan_id)
        assert await home.recovery.sweep() == 1
        status = await home.scans.status("user-1", scan_id)
        results = await home.scans.results("user-1", scan_id)
        assert status.error is not None
        assert (status.status, status.error.reason, status.found_count) == ("failed", "worker_lost", 1)
        assert [item.opportunity_id for item in results.found] == ["opp_" + "1" * 32]
        assert await home.recovery.sweep() == 0


async def test_a_scan_that_kills_its_processes_is_not_tried_for_ever(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        for taker in range(MOST_TAKES):
            assert await home.ledger.leases.take(accepted.scan_id, f"dead-{taker}") is not None
            await lapse(home.db, accepted.scan_id)
            assert await home.recovery.sweep() == 1
        status = await home.scans.status("user-1", accepted.scan_id)
        assert status.error is not None
        assert (status.status, status.error.reason) == ("failed", "worker_lost")
        assert str(MOST_TAKES) in status.error.detail


async def test_a_scan_that_nobody_ran_ends_at_its_hard_stop(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        async with home.db.begin() as connection:
            await connection.execute(
                sa.update(SCANS).values(started_ns=SCANS.c.started_ns - 61 * SECOND, lease_until_ns=1)
            )
        assert await home.recovery.sweep() == 1
        status = await home.scans.status("user-1", accepted.scan_id)
        assert status.error is not None
        assert (status.status, status.outcome, status.error.reason) == ("failed", "late", "budget_exceeded")


@pytest.mark.parametrize(
    ("changes", "takes", "reason"),
    [
        ({}, 1, None),
        ({"as_of_ns": 5}, 1, "worker_lost"),
        ({}, MOST_TAKES, "worker_lost"),
        ({"started_ns": -100 * SECOND}, 0, "budget_exceeded"),
    ],
)
def test_a_lost_scan_is_given_on_only_where_nothing_of_it_is_lost(
    changes: dict[str, Any], takes: int, reason: str | None
) -> None:
    status = msgspec.structs.replace(make.status(started_ns=0), **changes)
    verdict = verdict_on(Lapsed(status, takes), 1_000)
    assert (None if verdict is None else verdict.reason) == reason


async def test_several_processes_that_sweep_at_once_settle_a_scan_once(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        taken = await home.ledger.leases.take(accepted.scan_id, "dead")
        assert taken is not None
        await home.rows.change(accepted.scan_id, 1, 2_000, Change(facts={"as_of_ns": 1}), taken.lease)
        await lapse(home.db, accepted.scan_id)
        sweeps: list[Callable[[], Any]] = [home.recovery.sweep] * 5
        assert sorted(await asyncio.gather(*(sweep() for sweep in sweeps))) == [0, 0, 0, 0, 1]
        events = await home.details.events(accepted.scan_id, 0)
        assert [event.kind for event in events].count("done") == 1
