"""How one strategy has ended in a person's newest scans."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.model.opportunity import Outcome
from sextant.scans.blobs import unpack
from sextant.scans.records import StrategyReport
from sextant.scans.tables import SCANS, STRATEGIES

SCANS_LOOKED_AT: Final = 50


class LastRun(msgspec.Struct, frozen=True):
    """The newest scan in which a strategy ended."""

    scan_id: str
    started_ns: int
    report: StrategyReport


class Runs(msgspec.Struct, frozen=True):
    """How often a strategy ended how, and the newest time; ``count`` scans were looked at."""

    count: int
    outcomes: dict[Outcome, int]
    last: LastRun | None


class StrategyRuns:
    """Reads the reports of strategies across scans.

    Parameters
    ----------
    db
        An engine of ``kit.db``; its schema is migrated. A replica will do.
    """

    def __init__(self, db: AsyncEngine) -> None:
        self._db = db

    async def of(self, user_id: str, strategy_id: str) -> Runs:
        """How a strategy has ended in the newest scans of a user that it was part of."""
        newest = (
            sa.select(SCANS.c.scan_id, SCANS.c.started_ns)
            .where(SCANS.c.user_id == user_id)
            .order_by(SCANS.c.started_ns.desc())
            .limit(SCANS_LOOKED_AT)
            .subquery()
        )
        query = (
            sa.select(newest.c.scan_id, newest.c.started_ns, STRATEGIES.c.report)
            .join(STRATEGIES, STRATEGIES.c.scan_id == newest.c.scan_id)
            .order_by(newest.c.started_ns.desc())
        )
        async with self._db.connect() as connection:
            rows = (await connection.execute(query)).all()
        counts: Counter[Outcome] = Counter()
        last: LastRun | None = None
        for row in rows:
            report = unpack(row.report, StrategyReport)
            if report.strategy_id == strategy_id and report.outcome is not None:
                counts[report.outcome] += 1
                last = last or LastRun(row.scan_id, row.started_ns, report)
        return Runs(counts.total(), dict(counts), last)
