"""Shapes of bodies about the system itself, in the words of the wire."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sextant.api.admin_schemas import Cursor, Limit
from sextant.api.schemas import Time
from sextant.monitoring.records import Severity, SystemStatus, UpstreamState

Window = Literal["5m", "1h", "24h"]
PartWord = Literal["healthy", "degraded", "unhealthy", "idle"]
Unknown = Meta(description="Null where nothing happened in the window, or the system does not tell.")
MaybeMs = Annotated[float | None, Unknown]


class HealthWindowQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which past is summed up."""

    window: Window = "5m"


class UpstreamsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which venue; all when absent."""

    venue: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class IncidentsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which incidents are listed."""

    state: Literal["open", "closed"] | None = None
    since: Time | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class AlertBody(msgspec.Struct, frozen=True, kw_only=True):
    """A figure beyond its line."""

    severity: Severity
    message: str
    metric: str
    observed_value: float
    threshold: float
    since: Time
    timestamp: Time


class EndpointLatency(msgspec.Struct, frozen=True, kw_only=True):
    """Times of answers of the last five minutes, in milliseconds."""

    count: int
    avg: MaybeMs
    p95: MaybeMs
    max: MaybeMs


class AlertMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Figures behind the alerts, measured over the last five minutes."""

    database_latency_ms: MaybeMs
    database_query_ms: MaybeMs
    shared_store_latency_ms: Annotated[
        float | None, Meta(description="Null where the shared store is this process itself.")
    ]
    endpoint_latency: EndpointLatency
    cpu_pct: MaybeMs
    memory_pct: MaybeMs
    disk_pct: MaybeMs


class AlertsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong now; ``metrics`` is for operators only."""

    alerts: list[AlertBody]
    system_status: SystemStatus
    metrics: AlertMetrics | msgspec.UnsetType = msgspec.UNSET


class PartBody(msgspec.Struct, frozen=True, kw_only=True):
    """How a part of the system did in the window."""

    status: PartWord
    since: Annotated[Time | None, Meta(description="Null where the part has no check of its own.")]
    uptime_pct: Annotated[float | None, Meta(description="Null where the part has no check of its own.")]
    p50_ms: MaybeMs
    p95_ms: MaybeMs
    p99_ms: MaybeMs
    error_rate: Annotated[float | None, Meta(description="Failed over all; null where nothing happened.")]
    throughput: Annotated[float, Meta(description="Events a second.")]
    warnings: list[str]


class SlowQueryBody(msgspec.Struct, frozen=True, kw_only=True):
    """Slow runs of one operation of the database."""

    op: str
    seconds: float
    scan_id: Annotated[None, Meta(description="Always null: statements are not told apart by scan.")] = None
    count: int


class LogTop(msgspec.Struct, frozen=True):
    """How many lines an event had."""

    event: str
    count: int


class LogBudgetBody(msgspec.Struct, frozen=True, kw_only=True):
    """Log lines of the last hour against what an hour may have."""

    window_s: float
    lines: int
    budget: int
    suppressed: int
    top: list[LogTop]


class SloBody(msgspec.Struct, frozen=True, kw_only=True):
    """An objective; burn is the rate of bad events over the allowed rate."""

    name: str
    target: float
    achieved: Annotated[float | None, Unknown]
    burn_1h: Annotated[float | None, Unknown]
    burn_6h: Annotated[float | None, Unknown]


class SystemHealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How the system did in the window."""

    window: Window
    services: dict[str, PartBody]
    slow_queries: list[SlowQueryBody]
    log_budget: Annotated[
        LogBudgetBody | None, Meta(description="Null where log lines are written without a budget.")
    ]
    slos: list[SloBody]
    summary: SystemStatus
    alerts: list[AlertBody]
    timestamp: Time


class SocketBody(msgspec.Struct, frozen=True, kw_only=True):
    """A connection to a venue; counts are since it was made."""

    id: str
    state: Literal["up", "down"]
    reason: Annotated[str | None, Meta(description="Null while it is up.")]
    last_message_age_s: Annotated[float | None, Meta(description="Null before the first message.")]
    resyncs_total: int
    drops_total: int
    wire_errors_total: int


class BudgetBody(msgspec.Struct, frozen=True):
    """Of what a venue allows, the budget that is fullest: this program's share of it."""

    used: float
    limit: float
    window_s: float
    forecast_s: Annotated[
        float | None, Meta(description="Seconds until one more call has room, 0 now; null if never.")
    ]


class UpstreamBody(msgspec.Struct, frozen=True, kw_only=True):
    """A venue as this process sees it, over ten minutes of calls."""

    venue: str
    state: UpstreamState
    since: Annotated[Time | None, Meta(description="Null while nothing is wrong.")]
    reason: Annotated[str | None, Meta(description="Null while nothing is wrong.")]
    blocked_until: Annotated[Time | None, Meta(description="Null unless the venue asked for silence.")]
    success_rate: Annotated[float | None, Unknown]
    p50_ms: MaybeMs
    p95_ms: MaybeMs
    breaker: Annotated[
        Literal["closed", "open", "half_open"] | None,
        Meta(description="Null where the venue is asked without a breaker."),
    ]
    budget: Annotated[BudgetBody | None, Meta(description="Null where the venue states no allowance.")]
    sockets: list[SocketBody]


class UpstreamsAnswer(msgspec.Struct, frozen=True):
    """The venues this process asks."""

    upstreams: list[UpstreamBody]


class IncidentBody(msgspec.Struct, frozen=True, kw_only=True):
    """A cause from its first to its last sight."""

    incident_id: str
    cause: str
    severity: Severity
    opened_at: Time
    last_at: Time
    closed_at: Annotated[Time | None, Meta(description="Null while it lasts.")]
    count: int
    affected: list[str]
    request_ids: Annotated[list[str], Meta(max_length=10)]


class IncidentsAnswer(msgspec.Struct, frozen=True):
    """A page of incidents, newest first."""

    incidents: list[IncidentBody]
    next_cursor: str | None
