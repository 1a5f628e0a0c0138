"""Which processes run scans, on which feed, and which instruments they know: what the others go by."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.errors import ConfigError
from sextant.kit.clock import Clock
from sextant.kit.db import DatabaseNow
from sextant.kit.health import Reading
from sextant.model.instrument import Instrument
from sextant.model.view import Feed
from sextant.scans.blobs import pack, unpack
from sextant.scans.records import ScanRequest
from sextant.scans.tables import WORKERS
from sextant.scans.universe import unmatched_of
from sextant.strategies.contract import Strategy

SIGN_S: Final = 2.0
ABSENT_S: Final = 10.0  # five signatures missed
FORGOTTEN_S: Final = 86_400.0
SHARED_FOR_S: Final = 2.0  # requests within this time share one reading of the roster


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What a process says of itself; ``age_s`` counts by the database's clock."""

    worker_id: str
    feed: Feed
    simulated: bool
    code_version: str
    instruments: tuple[Instrument, ...]
    age_s: float = 0.0


class Roster:
    """The processes that run scans, as they signed last.

    Parameters
    ----------
    db
        An engine of ``kit.db``; its schema is migrated.
    """

    def __init__(self, db: AsyncEngine) -> None:
        self._db = db

    async def sign(self, signature: Signature) -> None:
        """Say that a process is there; those unseen for a day are forgotten.

        Raises
        ------
        ConfigError
            If a process on another feed has signed: rows of two feeds must never meet in one database.
        """
        facts: dict[str, Any] = {
            name: getattr(signature, name) for name in ("feed", "simulated", "code_version")
        }
        facts |= {"instruments": pack(signature.instruments), "seen_ns": DatabaseNow()}
        own = WORKERS.c.worker_id == signature.worker_id
        forgotten = WORKERS.c.seen_ns < DatabaseNow() - round(FORGOTTEN_S * 1e9)
        strangers = sa.select(WORKERS.c.feed).where(WORKERS.c.feed != signature.feed).limit(1)
        async with self._db.begin() as connection:
            await connection.execute(sa.delete(WORKERS).where(forgotten))
            other = (await connection.execute(strangers)).scalar_one_or_none()
            if other is not None:
                raise ConfigError(
                    f"The database holds scans of the feed '{other}'; '{signature.feed}' needs its own."
                )
            if (await connection.execute(sa.update(WORKERS).where(own).values(**facts))).rowcount == 0:
                await connection.execute(sa.insert(WORKERS).values(worker_id=signature.worker_id, **facts))

    async def read(self) -> list[Signature]:
        """All signatures, newest first."""
        age_ns = (DatabaseNow() - WORKERS.c.seen_ns).label("age_ns")
        query = sa.select(WORKERS, age_ns).order_by(WORKERS.c.seen_ns.desc())
        async with self._db.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [
            Signature(
                worker_id=row.worker_id,
                feed=row.feed,
                simulated=row.simulated,
                code_version=row.code_version,
                instruments=unpack(row.instruments, tuple[Instrument, ...]),
                age_s=max(0, row.age_ns) / 1e9,
            )
            for row in rows
        ]


class Listing:
    """What can be scanned, for a process without a market of its own: what the newest signature says.

    Parameters
    ----------
    roster
        Where processes with a market sign.
    clock
        Says when to read it again.
    catalogue
        The strategies there are.
    """

    def __init__(self, roster: Roster, clock: Clock, catalogue: Mapping[str, Strategy]) -> None:
        self._roster = roster
        self._clock = clock
        self.catalogue = catalogue
        self._newest: Signature | None = None
        self._read_ns: int | None = None

    @property
    def newest(self) -> Signature | None:
        """The newest signature as last read, or None before the first."""
        return self._newest

    async def refresh(self) -> Signature | None:
        """The newest signature, read again after some seconds."""
        now_ns = self._clock.monotonic_ns()
        if self._read_ns is None or now_ns - self._read_ns > SHARED_FOR_S * 1e9:
            self._newest = next(iter(await self._roster.read()), None)
            self._read_ns = now_ns
        return self._newest

    async def unmatched(self, request: ScanRequest) -> tuple[str, ...]:
        """Entries of a request that name nothing in the market.

        Raises
        ------
        InputError
            If the request names instruments and none of them exists.
        """
        newest = await self.refresh() if request.instruments else None
        if newest is None or not newest.instruments:
            return ()  # nothing is known yet; the scan itself will say so
        return unmatched_of(request.instruments, newest.instruments)

    async def watch(self) -> None:
        """Read the roster again and again until cancelled; a database that is away is waited for."""
        while True:
            with suppress(SQLAlchemyError, OSError):
                await self.refresh()
            await self._clock.sleep(SHARED_FOR_S)

    async def probe(self) -> Reading:
        """Degraded while no process that runs scans has signed lately."""
        newest = await self.refresh()
        if newest is None:
            return Reading("degraded", "No process that runs scans has signed yet.")
        if newest.age_s <= ABSENT_S:
            return Reading("healthy")
        return Reading(
            "degraded", f"No process that runs scans for {newest.age_s:.0f} s; {ABSENT_S:g} s are allowed."
        )
