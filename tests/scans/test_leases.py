from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.errors import Conflict
from sextant.model.account import Account
from sextant.scans import transitions
from sextant.scans.leases import Leases
from sextant.scans.records import Inputs, Lease, ScanError
from sextant.scans.store import ScanRows
from sextant.scans.tables import SCANS
from support import scans as make
from support.database import lapse

INPUTS = Inputs((("first", None), ("second", "not_entitled")), Account(equity_usd=1_000.0))
ERROR = ScanError("conflict", "cancelled", "The caller cancelled the scan.")


async def accepted(db: AsyncEngine) -> str:
    status = make.status()
    await ScanRows(db).create(status, make.reports(), make.steps(), None, INPUTS)
    return status.scan_id


async def test_one_of_many_who_take_a_scan_holds_it(db: AsyncEngine) -> None:
    scan_id = await accepted(db)
    takers = [Leases(db).take(scan_id, f"worker-{n}") for n in range(6)]
    taken = [one for one in await asyncio.gather(*takers) if one is not None]
    assert len(taken) == 1
    assert (taken[0].lease.token, taken[0].takes, taken[0].inputs) == (1, 1, INPUTS)
    assert taken[0].status == make.status()


async def test_a_standing_lease_is_not_taken_and_a_lapsed_one_is(db: AsyncEngine) -> None:
    scan_id, leases = await accepted(db), Leases(db)
    first = await leases.take(scan_id, "worker-1")
    assert first is not None
    assert await leases.take(scan_id, "worker-2") is None
    await lapse(db, scan_id)
    second = await leases.take(scan_id, "worker-2")
    assert second is not None
    assert (second.lease, second.takes) == (Lease("worker-2", 2), 2)
    assert not await leases.renew(scan_id, first.lease)
    assert await leases.renew(scan_id, second.lease)


async def test_whoever_lost_the_lease_writes_nothing(db: AsyncEngine) -> None:
    scan_id, leases, rows = await accepted(db), Leases(db), ScanRows(db)
    slow = await leases.take(scan_id, "worker-1")
    await lapse(db, scan_id)
    quick = await leases.take(scan_id, "worker-2")
    assert slow is not None
    assert quick is not None
    change = transitions.entered("portfolio_fetch", "The account is known.")
    with pytest.raises(Conflict):
        await rows.change(scan_id, 1, 2_000, change, slow.lease)
    assert (await rows.status(scan_id, None)).version == 1
    assert await rows.change(scan_id, 1, 2_000, change, quick.lease) == 2


async def test_an_end_from_outside_takes_the_lease_away(db: AsyncEngine) -> None:
    scan_id, leases, rows = await accepted(db), Leases(db), ScanRows(db)
    taken = await leases.take(scan_id, "worker-1")
    assert taken is not None
    status = await rows.status(scan_id, None)
    version = await rows.change(scan_id, 1, 2_000, transitions.failed(status, ERROR, 2_000))
    assert not await leases.renew(scan_id, taken.lease)
    assert not await leases.stands(scan_id, version, taken.lease)
    assert await leases.take(scan_id, "worker-2") is None


async def test_a_write_of_the_holder_is_a_renewal(db: AsyncEngine) -> None:
    scan_id, leases, rows = await accepted(db), Leases(db), ScanRows(db)
    taken = await leases.take(scan_id, "worker-1")
    assert taken is not None
    await lapse(db, scan_id)
    change = transitions.entered("portfolio_fetch", "The account is known.")
    await rows.change(scan_id, 1, 2_000, change, taken.lease)
    assert await leases.lapsed() == []
    assert await leases.stands(scan_id, 2, taken.lease)


async def test_a_released_scan_can_be_taken_at_once(db: AsyncEngine) -> None:
    scan_id, leases = await accepted(db), Leases(db)
    taken = await leases.take(scan_id, "worker-1")
    assert taken is not None
    assert await leases.waiting() == []
    await leases.release(scan_id, taken.lease)
    assert await leases.waiting() == [scan_id]
    assert await leases.take(scan_id, "worker-2") is not None


async def test_a_lapsed_lease_is_revoked_once(db: AsyncEngine) -> None:
    scan_id, leases = await accepted(db), Leases(db)
    taken = await leases.take(scan_id, "worker-1")
    assert taken is not None
    assert await leases.lapsed() == []
    assert not await leases.revoke(scan_id)
    await lapse(db, scan_id)
    assert [one.takes for one in await leases.lapsed()] == [1]
    assert sorted(await asyncio.gather(*(leases.revoke(scan_id) for _ in range(4)))) == [False] * 3 + [True]
    assert not await leases.renew(scan_id, taken.lease)


async def test_a_row_of_the_release_before_leases_counts_from_its_last_change(db: AsyncEngine) -> None:
    scan_id, leases = await accepted(db), Leases(db)
    async with db.begin() as connection:
        await connection.execute(sa.update(SCANS).values(lease_until_ns=None, inputs=None, updated_ns=2**62))
    assert await leases.lapsed() == []
    async with db.begin() as connection:
        await connection.execute(sa.update(SCANS).values(updated_ns=1_000))
    assert [one.status.scan_id for one in await leases.lapsed()] == [scan_id]
    taken = await leases.take(scan_id, "worker-1")
    assert taken is not None
    assert taken.inputs is None
