"""Routes that tell what happened to scans: phases, steps, figures, history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from sextant.api.cursors import Cursors
from sextant.api.diagnostic_schemas import (
    DailyStats,
    DayStats,
    DebugAnswer,
    FailureInfo,
    HistoryAnswer,
    HistoryQuery,
    HistoryRow,
    LatestScan,
    LifecycleAnswer,
    MetricsQuery,
    PhaseBody,
    ScanMetricsAnswer,
    StepBody,
    SystemHealth,
)
from sextant.api.endpoint import Access, Call, Endpoint, NoBody, NoQuery
from sextant.api.scan_wire import asset_discovery, execution_ms, outcomes
from sextant.api.scans import next_cursor, scan_id_of
from sextant.errors import NotFound
from sextant.kit.clock import Clock
from sextant.kit.health import Health
from sextant.model.times import iso_ms
from sextant.scans.diagnostics import ScanDiagnostics
from sextant.scans.lifecycle import Scans
from sextant.scans.records import STUCK_AFTER_S, DayMetrics, Phase, ScanStatus, Step
from sextant.vault.users import Users

HEALTHY_BELOW: Final = 10  # api.md 2.4: errors a day
OWN_OR_OPS: Final[Access] = ("scan:read", "ops:read")
BASE: Final = "/api/v1/scan-diagnostics"


class DiagnosticRoutes:
    """What operators and owners ask about scans.

    Parameters
    ----------
    scans, diagnostics, users
        Front doors of the rooms.
    health
        Whether the store of states answers.
    cursors
        Signs pages.
    clock
        Gives times of answering.
    """

    def __init__(
        self,
        rooms: tuple[Scans, ScanDiagnostics, Users],
        health: Health,
        cursors: Cursors,
        clock: Clock,
    ) -> None:
        self._scans, self._diagnostics, self._users = rooms
        self._health = health
        self._cursors = cursors
        self._clock = clock

    async def lifecycle(self, call: Call[NoBody, NoQuery]) -> LifecycleAnswer:
        """The phases of a scan and whether it is stuck."""
        told = await self._diagnostics.lifecycle(scan_id_of(call), _owner(call))
        status = told.status
        last = told.phases[-1] if told.phases else None
        return LifecycleAnswer(
            success=True,
            scan_id=status.scan_id,
            current_phase=status.phase,
            current_status="in_progress" if last is None or status.status == "scanning" else last.status,
            last_updated=iso_ms(status.updated_ns),
            phases={phase.phase: _phase(phase, status) for phase in told.phases},
            is_stuck=told.stuck_s is not None,
            stuck_duration_seconds=told.stuck_s,
            stuck_after_s=STUCK_AFTER_S,
            redis_key=f"scan_lifecycle:{status.scan_id}",
            timestamp=self._now(),
        )

    async def debug(self, call: Call[NoBody, NoQuery]) -> DebugAnswer:
        """All steps of a scan with how far each has come."""
        told = await self._diagnostics.steps(scan_id_of(call), _owner(call))
        status = told.status
        begun = [step for step in told.steps if step.status != "pending"]
        newest = max(begun, key=lambda step: (step.time_ns or 0, step.number), default=told.steps[0])
        broken = next((step for step in told.steps if step.status == "failed"), None)
        return DebugAnswer(
            success=True,
            scan_id=status.scan_id,
            overall_status=_overall(status),
            current_step=newest.number,
            steps_completed=sum(step.status == "completed" for step in told.steps),
            total_steps=len(told.steps),
            last_updated=iso_ms(status.updated_ns),
            steps={str(step.number): _step(step, status) for step in told.steps},
            failure_info=None if broken is None else FailureInfo(broken.number, broken.name, broken.error),
        )

    async def metrics(self, call: Call[NoBody, MetricsQuery]) -> ScanMetricsAnswer:
        """Figures of the day and the newest scans; of one user, or of all."""
        told = await self._diagnostics.metrics(call.query.user_id)
        recent = [_latest(status) for status in told.recent]
        stored = (await self._health.checks())["database"].state != "unhealthy"
        failed = told.day.failed_scans
        word: Literal["healthy", "degraded"] = "healthy" if failed < HEALTHY_BELOW else "degraded"
        return ScanMetricsAnswer(
            success=True,
            latest_scan=recent[0] if recent else None,
            daily_stats=_daily(told.day) if call.query.include_daily_stats else None,
            recent_scans=recent,
            system_health=SystemHealth(
                redis_connected=stored,
                daily_errors=failed,
                status=word if stored else "unhealthy",
                last_check=self._now(),
            ),
            timestamp=self._now(),
        )

    async def history(self, call: Call[NoBody, HistoryQuery]) -> HistoryAnswer:
        """A page of a user's scans, newest first; operators may read anybody's."""
        user_id, query = call.path["user_id"], call.query
        if user_id != call.user_id:
            if not call.may("ops:read"):
                raise NotFound("There is no such user.")
            await self._users.get(user_id)
        bound = (call.user_id, "scan-history", user_id)
        place = None if query.cursor is None else self._cursors.read(query.cursor, *bound)
        before = None if place is None else (int(place[0]), str(place[1]))
        total, page = await self._scans.history(user_id, query.limit + 1, before)
        return HistoryAnswer(
            success=True,
            user_id=user_id,
            total_scans=total,
            scans=[_history_row(status) for status in page[: query.limit]],
            next_cursor=next_cursor(self._cursors, page, query.limit, bound),
        )

    def endpoints(self) -> Sequence[Endpoint]:
        """The rows of api.md 2.4 that this release has."""
        return (
            Endpoint(
                method="GET",
                path=f"{BASE}/scan-lifecycle/{{scan_id}}",
                name="diagnostics_lifecycle",
                summary="The phases of a scan and whether it is stuck",
                access=OWN_OR_OPS,
                handler=self.lifecycle,
                answer=LifecycleAnswer,
                proof=("A03", "A04", "A38"),
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/scan-debug/{{scan_id}}",
                name="diagnostics_debug",
                summary="All steps of a scan",
                access=OWN_OR_OPS,
                handler=self.debug,
                answer=DebugAnswer,
                proof=("A04", "A38"),
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/scan-metrics",
                name="diagnostics_metrics",
                summary="Figures of the day and the newest scans",
                access=("ops:read",),
                handler=self.metrics,
                query=MetricsQuery,
                answer=ScanMetricsAnswer,
                proof=("A28", "A38"),
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/scan-history/{{user_id}}",
                name="diagnostics_history",
                summary="A user's scans, newest first",
                access=OWN_OR_OPS,
                handler=self.history,
                query=HistoryQuery,
                answer=HistoryAnswer,
                proof=("A06", "A38"),
            ),
        )

    def _now(self) -> str:
        return iso_ms(self._clock.now_ns())


def _owner(call: Call[Any, Any]) -> str | None:
    """Whose scans may be asked for; None, anybody's, for operators."""
    return None if call.may("ops:read") else call.user_id


def _phase(phase: Phase, status: ScanStatus) -> PhaseBody:
    return PhaseBody(
        phase=phase.phase,
        status=phase.status,
        timestamp=iso_ms(phase.time_ns),
        user_id=status.user_id,
        duration_ms=phase.duration_ms,
        error=phase.error,
        extras=phase.extras,
    )


def _step(step: Step, status: ScanStatus) -> StepBody:
    return StepBody(
        step=step.number,
        name=step.name,
        status=step.status,
        timestamp=None if step.time_ns is None else iso_ms(step.time_ns),
        user_id=status.user_id,
        scan_id=status.scan_id,
        error=step.error,
        error_type=step.error_type,
        execution_time_ms=step.execution_ms,
        extras={},
    )


def _overall(status: ScanStatus) -> Literal["in_progress", "completed", "incomplete", "failed"]:
    if status.status == "scanning":
        return "in_progress"
    if status.status == "failed":
        return "failed"
    return "completed" if status.complete_coverage else "incomplete"


def _latest(status: ScanStatus) -> LatestScan:
    return LatestScan(
        scan_id=status.scan_id,
        user_id=status.user_id,
        opportunities_discovered=status.found_count,
        strategies_scanned=status.ended_strategies,
        execution_time_ms=execution_ms(status),
        success=status.status == "complete",
        timestamp=iso_ms(status.updated_ns),
    )


def _daily(day: DayMetrics) -> DailyStats:
    ended = day.successful_scans + day.failed_scans
    return DailyStats(
        day.day,
        DayStats(
            total_scans=day.total_scans,
            successful_scans=day.successful_scans,
            total_opportunities=day.total_opportunities,
            total_strategies=day.total_strategies,
            avg_execution_time_ms=day.mean_execution_ms,
        ),
        100 * day.successful_scans / ended if ended else None,
    )


def _history_row(status: ScanStatus) -> HistoryRow:
    return HistoryRow(
        scan_id=status.scan_id,
        user_id=status.user_id,
        status=status.status,
        opportunities_count=status.found_count,
        strategies_scanned=status.ended_strategies,
        execution_time_ms=execution_ms(status),
        last_updated=iso_ms(status.updated_ns),
        user_profile=None,
        asset_discovery=asset_discovery(status),
        partial=status.status != "complete" or not status.complete_coverage,
        outcomes=outcomes(status),
    )
