"""Who may write a scan: one holder at a time, told apart by a token that only rises.

A lease ends by the database's clock, or when its holder lets go. Taking it raises the token, and every write
names the token it was made under, so whoever lost the lease writes nothing, however late they wake.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.db import DatabaseNow
from sextant.scans.blobs import unpack
from sextant.scans.records import LEASE_NS, Inputs, Lease, ScanStatus
from sextant.scans.store import STATUS_COLUMNS, status_of
from sextant.scans.tables import SCANS

RENEW_S: Final = 1.0  # two renewals may fail before the lease is lost
MOST_TAKES: Final = 3  # a scan whose processes die under it is not tried for ever


class Taken(msgspec.Struct, frozen=True):
    """A scan whose lease was taken; ``inputs`` is None where the row was written before there were any."""

    status: ScanStatus
    lease: Lease
    takes: int
    inputs: Inputs | None


class Lapsed(msgspec.Struct, frozen=True):
    """A running scan that nobody holds any more, and how often it was taken."""

    status: ScanStatus
    takes: int


class Leases:
    """Takes, renews, releases and finds leases.

    Parameters
    ----------
    db
        An engine of ``kit.db``; its schema is migrated.
    """

    def __init__(self, db: AsyncEngine) -> None:
        self._db = db

    async def take(self, scan_id: str, holder: str) -> Taken | None:
        """The scan with a fresh lease, or None where it has ended or somebody else holds it."""
        taking = (
            sa.update(SCANS)
            .where(
                SCANS.c.scan_id == scan_id,
                SCANS.c.status == "scanning",
                sa.or_(SCANS.c.lease_holder.is_(None), SCANS.c.lease_until_ns < DatabaseNow()),
            )
            .values(
                lease_holder=holder,
                lease_token=SCANS.c.lease_token + 1,
                lease_takes=SCANS.c.lease_takes + 1,
                lease_until_ns=DatabaseNow() + LEASE_NS,
            )
            .returning(*STATUS_COLUMNS, SCANS.c.lease_token, SCANS.c.lease_takes, SCANS.c.inputs)
        )
        async with self._db.begin() as connection:
            row = (await connection.execute(taking)).first()
        if row is None:
            return None
        return Taken(
            status=status_of(row),
            lease=Lease(holder, row.lease_token),
            takes=row.lease_takes,
            inputs=None if row.inputs is None else unpack(row.inputs, Inputs),
        )

    async def renew(self, scan_id: str, lease: Lease) -> bool:
        """Whether the lease still stands; if so it is as long as a fresh one."""
        renewing = (
            sa.update(SCANS).where(*_held(scan_id, lease)).values(lease_until_ns=DatabaseNow() + LEASE_NS)
        )
        async with self._db.begin() as connection:
            return (await connection.execute(renewing)).rowcount == 1

    async def release(self, scan_id: str, lease: Lease) -> None:
        """Let go of a scan that was not ended, so that another process can take it at once."""
        letting_go = (
            sa.update(SCANS).where(*_held(scan_id, lease)).values(lease_holder=None, lease_until_ns=0)
        )
        async with self._db.begin() as connection:
            await connection.execute(letting_go)

    async def waiting(self) -> list[str]:
        """Running scans that wait for a holder, oldest first."""
        query = (
            sa.select(SCANS.c.scan_id)
            .where(SCANS.c.status == "scanning", SCANS.c.lease_holder.is_(None))
            .order_by(SCANS.c.started_ns)
        )
        async with self._db.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def lapsed(self) -> list[Lapsed]:
        """Running scans whose lease has run out by the database's clock.

        Notes
        -----
        A row without any lease was written by the release before leases; it counts from its last change.
        """
        until_ns = sa.func.coalesce(SCANS.c.lease_until_ns, SCANS.c.updated_ns + 5 * LEASE_NS)
        query = sa.select(*STATUS_COLUMNS, SCANS.c.lease_takes).where(
            SCANS.c.status == "scanning", until_ns < DatabaseNow()
        )
        async with self._db.connect() as connection:
            rows: Any = (await connection.execute(query)).all()
        return [Lapsed(status_of(row), row.lease_takes) for row in rows]

    async def revoke(self, scan_id: str) -> bool:
        """Whether a lapsed lease was taken from its holder; of several who try at once, one succeeds."""
        until_ns = sa.func.coalesce(SCANS.c.lease_until_ns, 0)
        revoking = (
            sa.update(SCANS)
            .where(SCANS.c.scan_id == scan_id, SCANS.c.status == "scanning", until_ns < DatabaseNow())
            .values(
                lease_holder=None,
                lease_token=SCANS.c.lease_token + 1,
                lease_until_ns=DatabaseNow() + LEASE_NS,
            )
        )
        async with self._db.begin() as connection:
            return (await connection.execute(revoking)).rowcount == 1

    async def stands(self, scan_id: str, version: int, lease: Lease) -> bool:
        """Whether a scan is at a version that was written under this lease, ended or not."""
        query = sa.select(SCANS.c.scan_id).where(
            SCANS.c.scan_id == scan_id, SCANS.c.version == version, SCANS.c.lease_token == lease.token
        )
        async with self._db.connect() as connection:
            return (await connection.execute(query)).first() is not None

    async def is_running(self, scan_id: str) -> bool:
        """Whether a scan has not ended."""
        query = sa.select(SCANS.c.scan_id).where(SCANS.c.scan_id == scan_id, SCANS.c.status == "scanning")
        async with self._db.connect() as connection:
            return (await connection.execute(query)).first() is not None


def _held(scan_id: str, lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        SCANS.c.scan_id == scan_id,
        SCANS.c.status == "scanning",
        SCANS.c.lease_holder == lease.holder,
        SCANS.c.lease_token == lease.token,
    )
