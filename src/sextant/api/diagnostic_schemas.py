"""Shapes of bodies that tell what happened to scans, in the words of earlier clients."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sextant.api.opportunity_schemas import Percent
from sextant.api.scan_schemas import AssetDiscovery, Cursor, ScanProfile
from sextant.api.schemas import Time
from sextant.scans.records import PhaseName, Status, StepStatus


class PhaseBody(msgspec.Struct, frozen=True, kw_only=True):
    """A phase of a scan's life."""

    phase: PhaseName
    status: Literal["in_progress", "completed", "error", "timeout"]
    timestamp: Time
    user_id: str
    duration_ms: float | None
    error: str | None
    extras: dict[str, Any]


class LifecycleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The phases of a scan and whether it is stuck."""

    success: bool
    scan_id: str
    current_phase: PhaseName
    current_status: Literal["in_progress", "completed", "error", "timeout"]
    last_updated: Time
    phases: dict[str, PhaseBody]
    is_stuck: bool
    stuck_duration_seconds: Annotated[float | None, Meta(description="Null unless stuck.")]
    stuck_after_s: float
    redis_key: Annotated[str, Meta(description="A label, kept for earlier clients.")]
    timestamp: Time


class StepBody(msgspec.Struct, frozen=True, kw_only=True):
    """One planned step."""

    step: int
    name: str
    status: StepStatus
    timestamp: Time | None
    user_id: str
    scan_id: str
    error: str | None
    error_type: str | None
    execution_time_ms: float | None
    extras: dict[str, Any]


class FailureInfo(msgspec.Struct, frozen=True):
    """The first step that failed."""

    step: int
    name: str
    error: str | None


class DebugAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """All steps of a scan; `current_step` is a label, not a share of `total_steps`."""

    success: bool
    scan_id: str
    overall_status: Literal["in_progress", "completed", "incomplete", "failed"]
    current_step: int
    steps_completed: int
    total_steps: int
    last_updated: Time
    steps: dict[str, StepBody]
    failure_info: FailureInfo | None


class MetricsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose figures, and whether those of the day are wanted."""

    user_id: Annotated[str, Meta(max_length=36)] | None = None
    include_daily_stats: bool = True


class LatestScan(msgspec.Struct, frozen=True, kw_only=True):
    """A scan in figures."""

    scan_id: str
    user_id: str
    opportunities_discovered: int
    strategies_scanned: int
    execution_time_ms: float | None
    success: bool
    timestamp: Time


class DayStats(msgspec.Struct, frozen=True, kw_only=True):
    """Scans of one UTC day in figures."""

    total_scans: int
    successful_scans: int
    total_opportunities: int
    total_strategies: int
    avg_execution_time_ms: float | None


class DailyStats(msgspec.Struct, frozen=True):
    """One UTC day."""

    date: str
    stats: DayStats
    success_rate: Annotated[Percent | None, Meta(description="Null before the first scan of the day.")]


class SystemHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the store of states answers, and the failures of the day."""

    redis_connected: Annotated[bool, Meta(description="The shared state store answers, whichever it is.")]
    daily_errors: int
    status: Literal["healthy", "degraded", "unhealthy"]
    last_check: Time


class ScanMetricsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of scans."""

    success: bool
    latest_scan: LatestScan | None
    daily_stats: DailyStats | None
    recent_scans: list[LatestScan]
    system_health: SystemHealth
    timestamp: Time


class HistoryQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page of a history."""

    limit: Annotated[int, Meta(ge=1, le=50)] = 10
    cursor: Cursor | None = None


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A scan in a history."""

    scan_id: str
    user_id: str
    status: Status
    opportunities_count: int
    strategies_scanned: int
    execution_time_ms: float | None
    last_updated: Time
    user_profile: Annotated[ScanProfile | None, Meta(description="Null here; in the results of the scan.")]
    asset_discovery: AssetDiscovery
    partial: bool
    outcomes: dict[str, int]


class HistoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a user's scans, newest first."""

    success: bool
    user_id: str
    total_scans: int
    scans: list[HistoryRow]
    next_cursor: str | None
