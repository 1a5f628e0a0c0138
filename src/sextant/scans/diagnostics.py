"""What happened to a scan, phase by phase and step by step, read from its rows."""

from __future__ import annotations

from typing import Final

import msgspec

from sextant.kit.clock import Clock
from sextant.model.times import DAY_NS, iso_ms
from sextant.scans.details import ScanDetails
from sextant.scans.records import (
    STUCK_AFTER_S,
    DayMetrics,
    Lifecycle,
    Phase,
    ScanMetrics,
    ScanStatus,
    Steps,
)
from sextant.scans.store import ScanRows

RECENT_SCANS: Final = 5  # api.md 2.4


class ScanDiagnostics:
    """Reads phases, steps and figures of scans.

    Parameters
    ----------
    rows, details
        The store.
    clock
        Says how long a running scan has not moved.
    reports
        Rows that figures are counted from, which may lag behind; those of the store by default.
    """

    def __init__(
        self, rows: ScanRows, details: ScanDetails, clock: Clock, reports: ScanRows | None = None
    ) -> None:
        self._rows = rows
        self._reports = rows if reports is None else reports
        self._details = details
        self._clock = clock

    async def lifecycle(self, scan_id: str, user_id: str | None) -> Lifecycle:
        """The phases of a scan in the order they were entered, the newest word on each.

        Raises
        ------
        NotFound
            If there is no such scan of this user; with ``user_id`` None, of anybody.
        """
        status = await self._rows.status(scan_id, user_id)
        phases: dict[str, Phase] = {}
        for event in await self._details.events(scan_id, 0, limit=status.version):
            if event.kind == "phase":
                phases[event.body["phase"]] = msgspec.convert(event.body | {"time_ns": event.time_ns}, Phase)
        return Lifecycle(status=status, phases=tuple(phases.values()), stuck_s=self.stuck_s(status))

    async def steps(self, scan_id: str, user_id: str | None) -> Steps:
        """All planned steps of a scan with how far each has come.

        Raises
        ------
        NotFound
            If there is no such scan of this user; with ``user_id`` None, of anybody.
        """
        return Steps(await self._rows.status(scan_id, user_id), await self._details.steps(scan_id))

    async def metrics(self, user_id: str | None = None) -> ScanMetrics:
        """Figures of this UTC day and the newest scans; of one user, or of all."""
        now_ns = self._clock.now_ns()
        midnight_ns = now_ns - now_ns % DAY_NS
        today = [
            status for status in await self._reports.since(midnight_ns) if user_id in (None, status.user_id)
        ]
        ended = [status for status in today if status.finished_ns is not None]
        spent_ms = [
            (status.finished_ns - status.started_ns) / 1e6
            for status in ended
            if status.finished_ns is not None
        ]
        day = DayMetrics(
            day=iso_ms(midnight_ns)[:10],
            total_scans=len(today),
            successful_scans=sum(status.status == "complete" for status in today),
            failed_scans=sum(status.status == "failed" for status in today),
            total_opportunities=sum(status.found_count for status in today),
            total_strategies=sum(status.ended_strategies for status in today),
            mean_execution_ms=sum(spent_ms) / len(spent_ms) if spent_ms else None,
        )
        return ScanMetrics(day, tuple(await self._reports.page(user_id, RECENT_SCANS)))

    async def still_s(self) -> list[float]:
        """How long each running scan, of whomever, has not moved."""
        now_ns = self._clock.now_ns()
        return [max(0.0, (now_ns - moved_ns) / 1e9) for moved_ns in await self._details.moved()]

    def stuck_s(self, status: ScanStatus) -> float | None:
        """How long a running scan has not moved, once that is too long; None otherwise."""
        if status.status != "scanning":
            return None
        still_s = (self._clock.now_ns() - status.updated_ns) / 1e9
        return still_s if still_s >= STUCK_AFTER_S else None
