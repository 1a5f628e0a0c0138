"""Routes of operators: alerts, health over time, upstreams, incidents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from sextant.api.cursors import Cursors
from sextant.api.endpoint import PUBLIC, Call, Endpoint, NoBody, NoQuery
from sextant.api.monitoring_schemas import (
    AlertBody,
    AlertMetrics,
    AlertsAnswer,
    BudgetBody,
    EndpointLatency,
    HealthWindowQuery,
    IncidentBody,
    IncidentsAnswer,
    IncidentsQuery,
    LogBudgetBody,
    LogTop,
    PartBody,
    PartWord,
    SloBody,
    SlowQueryBody,
    SocketBody,
    SystemHealthAnswer,
    UpstreamBody,
    UpstreamsAnswer,
    UpstreamsQuery,
    Window,
)
from sextant.api.times import time_field
from sextant.kit import log_budget
from sextant.kit.clock import Clock
from sextant.kit.health import Check, Health
from sextant.kit.rolling import Summary
from sextant.model.times import SECOND_NS, iso_ms
from sextant.monitoring.lines import CALLS_S, RECENT_S
from sextant.monitoring.records import (
    Alert,
    BudgetReading,
    Incident,
    SocketReading,
    UpstreamReading,
    UpstreamState,
)
from sextant.monitoring.watch import Watch
from sextant.vault.records import Permission

BASE: Final = "/api/v1/monitoring"
OPS: Final[tuple[Permission, ...]] = ("ops:read",)
WINDOWS_S: Final[Mapping[Window, int]] = {"5m": 300, "1h": 3_600, "24h": 86_400}
LOG_WINDOW_S: Final = 3_600.0
HIDDEN: Final = ("slo:", "health:", "late:", "nonce:")  # parts that are told in other words


class MonitoringRoutes:
    """What operators ask about the system itself.

    Parameters
    ----------
    watch
        What is wrong now.
    health
        What each part says of itself.
    cursors
        Signs pages.
    clock
        Gives times of answering.
    """

    def __init__(self, watch: Watch, health: Health, cursors: Cursors, clock: Clock) -> None:
        self._watch = watch
        self._health = health
        self._cursors = cursors
        self._clock = clock

    async def alerts(self, call: Call[NoBody, NoQuery]) -> AlertsAnswer:
        """What is wrong now; operators are told the figures too."""
        alerts = [_alert(item) for item in await self._watch.recent()]
        status = self._watch.status()
        if call.who is None or not call.may("ops:read"):
            return AlertsAnswer(alerts=alerts, system_status=status)
        return AlertsAnswer(alerts=alerts, system_status=status, metrics=self._figures())

    async def system_health(self, call: Call[NoBody, HealthWindowQuery]) -> SystemHealthAnswer:
        """How each part did in a window."""
        window = call.query.window
        window_s = WINDOWS_S[window]
        alerts = await self._watch.recent()
        used = log_budget.use(LOG_WINDOW_S)
        return SystemHealthAnswer(
            window=window,
            services=await self._of_parts(window_s, alerts),
            slow_queries=[
                SlowQueryBody(op=row.op, seconds=row.seconds, count=row.count)
                for row in self._watch.metrics.slow_queries(window_s)
            ],
            log_budget=None if used is None else _log_use(used),
            slos=[
                SloBody(
                    name=row.name,
                    target=row.target,
                    achieved=row.achieved,
                    burn_1h=row.burn_1h,
                    burn_6h=row.burn_6h,
                )
                for row in self._watch.objectives(window_s)
            ],
            summary=self._watch.status(),
            alerts=[_alert(item) for item in alerts],
            timestamp=iso_ms(self._clock.now_ns()),
        )

    async def upstreams(self, call: Call[NoBody, UpstreamsQuery]) -> UpstreamsAnswer:
        """The venues this process asks; none with this name is an empty list."""
        by_venue = {reading.venue: reading for reading in self._watch.upstreams()}
        for venue in self._watch.metrics.parts("venue:"):
            by_venue.setdefault(venue, UpstreamReading(venue=venue))
        alerts = await self._watch.recent()
        wanted = call.query.venue
        return UpstreamsAnswer(
            [
                self._upstream(reading, alerts)
                for venue, reading in sorted(by_venue.items())
                if wanted in (None, venue)
            ]
        )

    async def incidents(self, call: Call[NoBody, IncidentsQuery]) -> IncidentsAnswer:
        """A page of incidents, newest first."""
        query = call.query
        bound = (call.user_id, "incidents", query.state, query.since)
        place = None if query.cursor is None else self._cursors.read(query.cursor, *bound)
        page = await self._watch.incidents.page(
            query.limit + 1,
            is_open=None if query.state is None else query.state == "open",
            since_ns=time_field(query.since, "since"),
            before=None if place is None else (int(place[0]), str(place[1])),
        )
        shown = page[: query.limit]
        more = len(page) > query.limit
        return IncidentsAnswer(
            [_incident(item) for item in shown],
            self._cursors.make((shown[-1].opened_ns, shown[-1].incident_id), *bound) if more else None,
        )

    def endpoints(self) -> list[Endpoint]:
        """The rows of api.md 2.9 about the system."""
        return [
            Endpoint(
                method="GET",
                path=f"{BASE}/alerts",
                name="monitoring_alerts",
                summary="What is wrong now, since when, against which limit",
                access=PUBLIC,
                handler=self.alerts,
                answer=AlertsAnswer,
                proof=("A06", "A28"),
                reads_credential=True,
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/system-health",
                name="monitoring_system_health",
                summary="How each part of the system did in a window",
                access=OPS,
                handler=self.system_health,
                query=HealthWindowQuery,
                answer=SystemHealthAnswer,
                proof=("A28", "A29"),
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/upstreams",
                name="monitoring_upstreams",
                summary="The venues as this process sees them",
                access=OPS,
                handler=self.upstreams,
                query=UpstreamsQuery,
                answer=UpstreamsAnswer,
                proof=("A28", "A35"),
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/incidents",
                name="monitoring_incidents",
                summary="Incidents, newest first",
                access=OPS,
                handler=self.incidents,
                query=IncidentsQuery,
                answer=IncidentsAnswer,
                proof=("A28", "A29"),
            ),
        ]

    def _figures(self) -> AlertMetrics:
        metrics, machine = self._watch.metrics, self._watch.machine()
        database = metrics.part("database").summary(RECENT_S)
        answers = metrics.part("api").summary(RECENT_S)
        return AlertMetrics(
            database_latency_ms=_ms(database.p50_s),
            database_query_ms=_ms(database.p95_s),
            shared_store_latency_ms=None,
            endpoint_latency=EndpointLatency(
                count=answers.count,
                avg=_ms(answers.mean_s),
                p95=_ms(answers.p95_s),
                max=_ms(answers.greatest_s),
            ),
            cpu_pct=machine.cpu_pct,
            memory_pct=machine.memory_pct,
            disk_pct=machine.disk_pct,
        )

    async def _of_parts(self, window_s: int, alerts: list[Alert]) -> dict[str, PartBody]:
        metrics, checks = self._watch.metrics, await self._health.checks()
        names = {name for name in metrics.parts() if not name.startswith(HIDDEN)} | set(checks)
        up = metrics.parts("health:")
        return {
            name: _part(
                checks.get(name),
                metrics.part(name).summary(window_s),
                up[name].summary(window_s) if name in up else None,
                [item.finding.message for item in alerts if _concerns(item, name)],
            )
            for name in sorted(names)
        }

    def _upstream(self, reading: UpstreamReading, alerts: list[Alert]) -> UpstreamBody:
        calls = self._watch.metrics.part(f"venue:{reading.venue}").summary(CALLS_S)
        mine = [item for item in alerts if _concerns(item, f"venue:{reading.venue}")]
        failed = calls.error_frac
        blocked = reading.blocked_s > 0
        until_ns = self._clock.now_ns() + round(reading.blocked_s * SECOND_NS)
        since = [item.since_ns for item in mine]
        if reading.away_since_ns is not None:
            since = [reading.away_since_ns]
        return UpstreamBody(
            venue=reading.venue,
            state=_state(reading, mine),
            since=iso_ms(min(since)) if since else None,
            reason=_why(reading, mine),
            blocked_until=iso_ms(until_ns) if blocked else None,
            success_rate=None if failed is None else 1 - failed,
            p50_ms=_ms(calls.p50_s),
            p95_ms=_ms(calls.p95_s),
            breaker=reading.circuit,
            budget=_budget(reading.budget),
            sockets=[_socket(item) for item in reading.sockets],
        )


def _why(reading: UpstreamReading, alerts: list[Alert]) -> str | None:
    if reading.blocked_s > 0:
        return reading.blocked_reason
    if reading.away_since_ns is not None:
        return f"unavailable since {iso_ms(reading.away_since_ns)}: {reading.away_reason}"
    return alerts[0].finding.message if alerts else None


def _state(reading: UpstreamReading, alerts: list[Alert]) -> UpstreamState:
    if reading.blocked_s > 0:
        return "limited"
    down = (
        reading.circuit == "open"
        or reading.away_since_ns is not None
        or any(not socket.up for socket in reading.sockets)
    )
    return "failing" if alerts or down else "healthy"


def _budget(reading: BudgetReading | None) -> BudgetBody | None:
    if reading is None:
        return None
    forecast_s = None if math.isinf(reading.room_s) else reading.room_s
    return BudgetBody(reading.used, reading.most, reading.window_s, forecast_s)


def _concerns(alert: Alert, name_of_part: str) -> bool:
    """Whether an alert is about a part of the system: by the thing it names, or by the part its cause begins with."""
    part, _, thing = alert.finding.cause.partition(":")
    kind, _, name = name_of_part.partition(":")
    if name:
        socket_of = thing.partition(".")[0]
        return name in (thing, socket_of)
    return part.partition(".")[0] in (kind, kind.removesuffix("s")) or part == f"health.{kind}"


def _part(check: Check | None, told: Summary, up: Summary | None, warnings: list[str]) -> PartBody:
    word: PartWord = "degraded" if warnings else "healthy" if told.count else "idle"
    down = None if up is None else up.error_frac
    return PartBody(
        status=word if check is None else check.state,
        since=None if check is None else iso_ms(check.since_ns),
        uptime_pct=None if down is None else round(100 * (1 - down), 3),
        p50_ms=_ms(told.p50_s),
        p95_ms=_ms(told.p95_s),
        p99_ms=_ms(told.p99_s),
        error_rate=told.error_frac,
        throughput=told.count / told.seconds,
        warnings=warnings,
    )


def _alert(alert: Alert) -> AlertBody:
    finding = alert.finding
    return AlertBody(
        severity=finding.severity,
        message=finding.message,
        metric=finding.metric,
        observed_value=finding.observed,
        threshold=finding.threshold,
        since=iso_ms(alert.since_ns),
        timestamp=iso_ms(alert.last_ns),
    )


def _socket(reading: SocketReading) -> SocketBody:
    return SocketBody(
        id=reading.name,
        state="up" if reading.up else "down",
        reason=None if reading.up else reading.reason,
        last_message_age_s=reading.last_message_age_s,
        resyncs_total=reading.resyncs,
        drops_total=reading.drops,
        wire_errors_total=reading.wire_errors,
    )


def _incident(item: Incident) -> IncidentBody:
    return IncidentBody(
        incident_id=item.incident_id,
        cause=item.cause,
        severity=item.severity,
        opened_at=iso_ms(item.opened_ns),
        last_at=iso_ms(item.last_ns),
        closed_at=None if item.closed_ns is None else iso_ms(item.closed_ns),
        count=item.count,
        affected=list(item.affected),
        request_ids=list(item.request_ids),
    )


def _log_use(used: log_budget.LogUse) -> LogBudgetBody:
    return LogBudgetBody(
        window_s=used.window_s,
        lines=used.lines,
        budget=log_budget.BUDGET_PER_H,
        suppressed=used.suppressed,
        top=[LogTop(item.event, item.count) for item in used.top],
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1_000 * seconds, 3)
