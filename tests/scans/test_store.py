from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sextant.errors import Conflict, NotFound
from sextant.scans import transitions
from sextant.scans.details import ScanDetails
from sextant.scans.records import ScanError
from sextant.scans.store import Change, ScanRows
from support import scans as make
from support.database import sqlite


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[tuple[ScanRows, ScanDetails]]:
    async with sqlite(tmp_path) as db:
        yield ScanRows(db), ScanDetails(db)


async def test_a_committed_scan_is_read_back_as_it_was_accepted(store: tuple[ScanRows, ScanDetails]) -> None:
    rows, details = store
    accepted = make.status()
    await rows.create(accepted, make.reports(), make.steps(), None)
    assert await rows.status(accepted.scan_id, "user-1") == accepted
    assert await rows.latest("user-1") == accepted
    assert [report.strategy_id for report in await details.reports(accepted.scan_id)] == ["first", "second"]
    assert [step.number for step in await details.steps(accepted.scan_id)] == [1, 100]


async def test_foreign_and_unknown_scans_are_not_told_apart(store: tuple[ScanRows, ScanDetails]) -> None:
    rows, _ = store
    await rows.create(make.status(), make.reports(), make.steps(), None)
    with pytest.raises(NotFound) as foreign:
        await rows.status(make.status().scan_id, "user-2")
    with pytest.raises(NotFound) as unknown:
        await rows.status("scan_" + "b" * 32, "user-2")
    assert foreign.value.message.replace("a" * 32, "") == unknown.value.message.replace("b" * 32, "")


async def test_a_user_has_one_running_scan_whoever_races(store: tuple[ScanRows, ScanDetails]) -> None:
    rows, _ = store
    await rows.create(make.status(), make.reports(), make.steps(), None)
    with pytest.raises(Conflict):
        await rows.create(make.status("scan_" + "b" * 32), make.reports(), make.steps(), None)
    await rows.create(make.status("scan_" + "c" * 32, "user-2"), make.reports(), make.steps(), None)


async def test_a_refused_second_scan_leaves_no_row_behind(store: tuple[ScanRows, ScanDetails]) -> None:
    rows, details = store
    await rows.create(make.status(), make.reports(), make.steps(), None)
    second = make.status("scan_" + "b" * 32)
    with pytest.raises(Conflict):
        await rows.create(second, make.reports(), make.steps(), make.answer())
    assert await rows.answer("user-1", "route", "key-12345") is None
    assert await details.reports(second.scan_id) == ()


async def test_the_idempotency_record_is_in_the_transaction_of_the_scan(
    store: tuple[ScanRows, ScanDetails],
) -> None:
    rows, _ = store
    await rows.create(make.status(), make.reports(), make.steps(), make.answer())
    assert await rows.answer("user-1", "route", "key-12345") == ("hash", b"answer")
    assert await rows.answer("user-2", "route", "key-12345") is None


async def test_a_change_needs_the_version_it_starts_from(store: tuple[ScanRows, ScanDetails]) -> None:
    rows, details = store
    accepted = make.status()
    await rows.create(accepted, make.reports(), make.steps(), None)
    entered = transitions.entered("asset_discovery", "The view is taken.")
    assert await rows.change(accepted.scan_id, 1, 2_000, entered) == 2
    with pytest.raises(Conflict):
        await rows.change(accepted.scan_id, 1, 3_000, entered)
    after = await rows.status(accepted.scan_id, None)
    assert (after.version, after.phase, after.updated_ns) == (2, "asset_discovery", 2_000)
    assert [event.version for event in await details.events(accepted.scan_id, 0)] == [1, 2]


async def test_an_ended_scan_never_moves_again(store: tuple[ScanRows, ScanDetails]) -> None:
    rows, _ = store
    accepted = make.status()
    await rows.create(accepted, make.reports(), make.steps(), None)
    error = ScanError("conflict", "cancelled", "The caller cancelled the scan.")
    version = await rows.change(accepted.scan_id, 1, 2_000, transitions.failed(accepted, error, 2_000))
    with pytest.raises(Conflict):
        await rows.change(accepted.scan_id, version, 3_000, Change())
    after = await rows.status(accepted.scan_id, None)
    assert (after.status, after.error, after.finished_ns) == ("failed", error, 2_000)
    assert await rows.running("user-1") is None


async def test_history_pages_are_newest_first_and_do_not_overlap(store: tuple[ScanRows, ScanDetails]) -> None:
    rows, _ = store
    for n in range(5):
        scan = make.status(f"scan_{n}" + "0" * 31, started_ns=1_000 + n)
        await rows.create(scan, make.reports(), make.steps(), None)
        ended = transitions.completed(
            scan, 2_000, transitions.Closing("ok", (), (), {"strategies_scan": 1.0})
        )
        await rows.change(scan.scan_id, 1, 2_000, ended)
    first = await rows.page("user-1", 3)
    second = await rows.page("user-1", 3, (first[-1].started_ns, first[-1].scan_id))
    assert [scan.started_ns for scan in first + second] == [1_004, 1_003, 1_002, 1_001, 1_000]
    assert await rows.count("user-1") == 5
    assert await rows.durations_s(2) == [(2_000 - 1_004) / 1e9, (2_000 - 1_003) / 1e9]
    assert len(await rows.since(1_003)) == 2
