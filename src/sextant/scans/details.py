"""Reads what a scan found and how it went: opportunities, strategies with their candidates, steps and events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.errors import NotFound
from sextant.kit.hot_reads import HotQuery, HotReads
from sextant.model.opportunity import Disposition, Opportunity
from sextant.scans.blobs import unpack, unpack_answers
from sextant.scans.coverage_pages import Stored
from sextant.scans.records import Found, Inputs, ScanEvent, ScanStatus, Step, StrategyReport
from sextant.scans.store import STATUS_COLUMNS, status_of
from sextant.scans.tables import EVENTS, OPPORTUNITIES, SCANS, STEPS, STRATEGIES


class Told(msgspec.Struct, frozen=True):
    """A scan with its strategies in planned order, packed recommendations and the milliseconds of each phase."""

    status: ScanStatus
    reports: tuple[StrategyReport, ...]
    recommendations: bytes
    phase_ms: dict[str, float]


_OF_USER: Final = SCANS.c.user_id == sa.bindparam("user")
_LATEST: Final = sa.select(SCANS.c.scan_id).where(_OF_USER).order_by(SCANS.c.started_ns.desc()).limit(1)
_TOLD_OF_USER: Final = (
    sa.select(*STATUS_COLUMNS, SCANS.c.recommendations, SCANS.c.phase_ms, STRATEGIES.c.report)
    .join_from(SCANS, STRATEGIES, STRATEGIES.c.scan_id == SCANS.c.scan_id)
    .where(_OF_USER)
    .order_by(STRATEGIES.c.position)
)
_TOLD: Final = _TOLD_OF_USER.where(SCANS.c.scan_id == sa.bindparam("scan"))
_TOLD_LATEST: Final = _TOLD_OF_USER.where(SCANS.c.scan_id == _LATEST.scalar_subquery())
_COVERAGE: Final = (
    sa.select(STRATEGIES.c.report, STRATEGIES.c.coverage)
    .where(STRATEGIES.c.scan_id == sa.bindparam("scan"))
    .order_by(STRATEGIES.c.position)
)


class ScanDetails:
    """Reads what a scan found and how it went.

    Parameters
    ----------
    db
        An engine of ``kit.db``; its schema is migrated.
    """

    def __init__(self, db: AsyncEngine) -> None:
        self._db = db
        self._reads = HotReads(db)

    async def moved(self) -> list[int]:
        """When each running scan, of whomever, last moved."""
        query = sa.select(SCANS.c.updated_ns).where(SCANS.c.status == "scanning")
        async with self._db.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def told(self, scan_id: str, user_id: str) -> Told:
        """The state of a user's scan with its strategies, in one query; ``latest`` names the newest.

        Raises
        ------
        NotFound
            If there is no such scan, or it is somebody else's.
        """
        query = _TOLD_LATEST if scan_id == "latest" else _TOLD
        async with self._db.connect() as connection:
            rows: Any = (await connection.execute(query, {"user": user_id, "scan": scan_id})).all()
        if not rows:
            raise NotFound(f"There is no scan '{scan_id}'.")
        reports = tuple(unpack(row.report, StrategyReport) for row in rows)
        return Told(status_of(rows[0]), reports, rows[0].recommendations, rows[0].phase_ms)

    async def inputs(self, scan_id: str) -> Inputs | None:
        """What a scan was run with; None for scans of a release that did not keep it."""
        query = sa.select(SCANS.c.inputs).where(SCANS.c.scan_id == scan_id)
        async with self._db.connect() as connection:
            packed = (await connection.execute(query)).scalar_one()
        return None if packed is None else unpack(packed, Inputs)

    async def reports(self, scan_id: str) -> tuple[StrategyReport, ...]:
        """The strategies of a scan in planned order."""
        query = (
            sa.select(STRATEGIES.c.report)
            .where(STRATEGIES.c.scan_id == scan_id)
            .order_by(STRATEGIES.c.position)
        )
        async with self._db.connect() as connection:
            return tuple(unpack(row.report, StrategyReport) for row in await connection.execute(query))

    async def coverage(self, scan_id: str) -> list[tuple[StrategyReport, tuple[Disposition, ...]]]:
        """Each strategy with the dispositions of its candidates; empty while it has not ended."""
        rows = await self.packed_coverage(scan_id)
        return await asyncio.to_thread(
            lambda: [(report, tuple(unpack_answers(blob)) if blob else ()) for report, blob in rows]
        )

    async def packed_coverage(self, scan_id: str) -> list[Stored]:
        """Each strategy with the dispositions of its candidates as they are stored."""
        async with self._db.connect() as connection:
            rows = (await connection.execute(_COVERAGE, {"scan": scan_id})).all()
        return [(unpack(row.report, StrategyReport), row.coverage) for row in rows]

    async def found(self, scan_id: str) -> tuple[Found, ...]:
        """Opportunities of a scan: ranked first, then in the order they were found."""
        async with self._db.connect() as connection:
            rows = await connection.execute(_IN_ORDER, {"scan_id": scan_id})
            return tuple(_found(row) for row in rows)

    async def best(self, scan_id: str, limit: int) -> Sequence[Found]:
        """The first of ``found``, as every poll asks."""
        return await self._reads.all(_BEST, scan_id=scan_id, most=limit)

    async def opportunity(self, opportunity_id: str, user_id: str) -> tuple[str, Found]:
        """The scan id and the opportunity.

        Raises
        ------
        NotFound
            If there is none with this id, or it is somebody else's.
        """
        where = (OPPORTUNITIES.c.opportunity_id == opportunity_id, OPPORTUNITIES.c.user_id == user_id)
        async with self._db.connect() as connection:
            row = (await connection.execute(sa.select(OPPORTUNITIES).where(*where))).first()
        if row is None:
            raise NotFound(f"There is no opportunity '{opportunity_id}'.")
        return row.scan_id, _found(row)

    async def seen_before(self, user_id: str, key: str, before_ns: int) -> tuple[int, int] | None:
        """When an opportunity of this key was first found for the user before a time, and how often; None if never."""
        query = sa.select(sa.func.min(OPPORTUNITIES.c.discovered_ns), sa.func.count()).where(
            OPPORTUNITIES.c.user_id == user_id,
            OPPORTUNITIES.c.opportunity_key == key,
            OPPORTUNITIES.c.discovered_ns < before_ns,
        )
        async with self._db.connect() as connection:
            first, count = (await connection.execute(query)).one()
        return None if not count else (int(first), int(count))

    async def events(self, scan_id: str, after: int, limit: int = 256) -> list[ScanEvent]:
        """Events after a version, in order."""
        query = (
            sa.select(EVENTS)
            .where(EVENTS.c.scan_id == scan_id, EVENTS.c.version > after)
            .order_by(EVENTS.c.version)
            .limit(limit)
        )
        async with self._db.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [
            ScanEvent(row.version, row.kind, row.time_ns, unpack(row.body, dict[str, Any])) for row in rows
        ]

    async def steps(self, scan_id: str) -> tuple[Step, ...]:
        """All steps of a scan by number."""
        query = sa.select(STEPS.c.step).where(STEPS.c.scan_id == scan_id).order_by(STEPS.c.number)
        async with self._db.connect() as connection:
            return tuple(unpack(row.step, Step) for row in await connection.execute(query))


def _found(row: sa.Row[Any]) -> Found:
    return Found(row.opportunity_id, row.rank, row.discovered_ns, unpack(row.body, Opportunity))


def _ranked(found: Found) -> bool:
    """Whether an opportunity is told for good: ranks are given with the end of its scan."""
    return found.rank is not None


_IN_ORDER: Final = (
    sa.select(OPPORTUNITIES)
    .where(OPPORTUNITIES.c.scan_id == sa.bindparam("scan_id"))
    .order_by(
        OPPORTUNITIES.c.rank.nulls_last(), OPPORTUNITIES.c.discovered_ns, OPPORTUNITIES.c.opportunity_id
    )
)

_BEST: Final = HotQuery(_IN_ORDER.limit(sa.bindparam("most")), _found, _ranked)
