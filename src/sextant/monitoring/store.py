"""The table of incidents."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.db import METADATA
from sextant.monitoring.records import Incident

INCIDENTS: Final = sa.Table(
    "incidents",
    METADATA,
    sa.Column("incident_id", sa.String(40), primary_key=True),
    sa.Column("cause", sa.String(128), nullable=False),
    sa.Column("severity", sa.String(8), nullable=False),
    sa.Column("opened_ns", sa.BigInteger, nullable=False),
    sa.Column("last_ns", sa.BigInteger, nullable=False),
    sa.Column("closed_ns", sa.BigInteger),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("affected", sa.JSON, nullable=False),
    sa.Column("request_ids", sa.JSON, nullable=False),
    sa.Index("ix_incidents_opened_ns", "opened_ns"),
    sa.Index("ix_incidents_closed_ns", "closed_ns"),
)
"""One row for each cause and process that saw it, from its first to its last sight."""


class IncidentRows:
    """Writes and reads incidents.

    Parameters
    ----------
    db
        An engine of ``kit.db``; its schema is migrated.
    """

    def __init__(self, db: AsyncEngine) -> None:
        self._db = db

    async def write(self, incidents: list[Incident]) -> None:
        """Write incidents as they are now, new ones and known ones, in one transaction."""
        async with self._db.begin() as connection:
            for incident in incidents:
                facts = _facts(incident)
                where = INCIDENTS.c.incident_id == incident.incident_id
                changed = await connection.execute(sa.update(INCIDENTS).where(where).values(**facts))
                if changed.rowcount == 0:
                    await connection.execute(sa.insert(INCIDENTS), facts)

    async def abandoned(self, silent_since_ns: int, now_ns: int) -> int:
        """How many open incidents were closed because the process that saw them has long been silent."""
        gone = (
            sa.update(INCIDENTS)
            .where(INCIDENTS.c.closed_ns.is_(None), INCIDENTS.c.last_ns < silent_since_ns)
            .values(closed_ns=now_ns)
        )
        async with self._db.begin() as connection:
            return int((await connection.execute(gone)).rowcount)

    async def forget(self, before_ns: int) -> int:
        """How many incidents that were closed before a time were removed."""
        async with self._db.begin() as connection:
            gone = await connection.execute(sa.delete(INCIDENTS).where(INCIDENTS.c.closed_ns < before_ns))
        return int(gone.rowcount)

    async def page(
        self,
        limit: int,
        *,
        is_open: bool | None = None,
        since_ns: int | None = None,
        before: tuple[int, str] | None = None,
    ) -> list[Incident]:
        """Incidents, newest first, from before the one with this time of opening and id.

        Parameters
        ----------
        is_open
            Only open ones, only closed ones, or both.
        since_ns
            Only those that were seen at this time or later.
        """
        query = sa.select(INCIDENTS).order_by(INCIDENTS.c.opened_ns.desc(), INCIDENTS.c.incident_id.desc())
        if is_open is not None:
            query = query.where(
                INCIDENTS.c.closed_ns.is_(None) if is_open else INCIDENTS.c.closed_ns.is_not(None)
            )
        if since_ns is not None:
            query = query.where(INCIDENTS.c.last_ns >= since_ns)
        if before is not None:
            query = query.where(
                sa.tuple_(INCIDENTS.c.opened_ns, INCIDENTS.c.incident_id) < sa.tuple_(*before)
            )
        async with self._db.connect() as connection:
            return [_incident(row) for row in await connection.execute(query.limit(limit))]


def _facts(incident: Incident) -> dict[str, Any]:
    facts = {name: getattr(incident, name) for name in Incident.__struct_fields__}
    return facts | {"affected": list(incident.affected), "request_ids": list(incident.request_ids)}


def _incident(row: Any) -> Incident:
    facts = {name: getattr(row, name) for name in Incident.__struct_fields__}
    return Incident(**facts | {"affected": tuple(row.affected), "request_ids": tuple(row.request_ids)})
