from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.errors import Conflict, InputError
from sextant.kit.clock import Deadline, SystemClock
from sextant.model.account import Account
from sextant.scans import transitions
from sextant.scans.ledger import Ledger, open_ledger
from sextant.scans.pen import Pen, always, folded
from sextant.scans.records import Inputs, ScanError, ScanStatus
from sextant.scans.store import Change
from support import scans as make

INPUTS = Inputs((("first", None), ("second", None)), Account())


async def pen_of(db: AsyncEngine) -> tuple[Pen, Ledger]:
    """Who writes a scan that was taken, and where."""
    ledger, clock = open_ledger(db), SystemClock()
    status = make.status()
    await ledger.rows.create(status, make.reports(), make.steps(), None, INPUTS)
    taken = await ledger.leases.take(status.scan_id, "worker-1")
    assert taken is not None
    return Pen(ledger, clock, taken.status, taken.lease, Deadline(clock, 30.0)), ledger


def told(number: int) -> Change:
    """A change that tells one event."""
    return Change(events=[("progress", {"number": number})], facts={"message": f"at {number}"})


async def test_changes_that_come_during_a_commit_are_one_transaction(db: AsyncEngine) -> None:
    pen, ledger = await pen_of(db)
    commits: list[sa.Connection] = []

    def note(connection: sa.Connection) -> None:
        commits.append(connection)

    sa.event.listen(db.sync_engine, "commit", note)
    await asyncio.gather(*(pen.write(always(told(number))) for number in range(8)))
    sa.event.remove(db.sync_engine, "commit", note)
    events = await ledger.details.events(pen.status.scan_id, 1)
    assert [(event.version, event.body["number"]) for event in events] == [(n + 2, n) for n in range(8)]
    assert len(commits) == 2  # the first went at once, all others had come when it was done
    stored = await ledger.rows.status(pen.status.scan_id, None)
    assert (stored.version, stored.message) == (pen.status.version, pen.status.message) == (9, "at 7")


async def test_each_change_is_made_from_what_the_one_before_it_leaves() -> None:
    seen: list[tuple[int, str]] = []

    def counting(status: ScanStatus) -> Change:
        seen.append((status.version, status.message))
        return told(status.version)

    change, after = folded(make.status(), [counting, counting, counting])
    assert seen == [(1, make.status().message), (2, "at 1"), (3, "at 2")]
    assert [body["number"] for _, body in change.events] == [1, 2, 3]
    assert (after.version, after.message) == (4, "at 3")


async def test_all_who_wait_are_told_when_the_scan_was_ended_by_somebody_else(db: AsyncEngine) -> None:
    pen, ledger = await pen_of(db)
    error = ScanError("conflict", "cancelled", "The caller cancelled the scan.")
    await ledger.rows.change(pen.status.scan_id, 1, 2_000, transitions.failed(pen.status, error, 2_000))
    writes = [pen.write(always(told(number))) for number in range(3)]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Conflict] * 3
    with pytest.raises(Conflict):
        await pen.write(always(told(9)))


async def test_a_change_that_cannot_be_made_harms_no_other(db: AsyncEngine) -> None:
    pen, ledger = await pen_of(db)

    def impossible(_: ScanStatus) -> Change:
        raise InputError("This change cannot be made.")

    writes = [pen.write(make) for make in (impossible, always(told(1)), always(told(2)))]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(answer) for answer in answers] == [InputError, type(None), type(None)]
    events = await ledger.details.events(pen.status.scan_id, 1)
    assert [event.body["number"] for event in events] == [1, 2]
