"""Alert lines: which figure beyond which limit is a warning, and which is critical."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from sextant.kit.health import Check
from sextant.kit.metrics import Metrics
from sextant.monitoring.records import Finding, MachineReading, Severity, UpstreamReading

RECENT_S: Final = 300  # a slow statement is told for five minutes
SCANS_S: Final = 600  # a slow scan is told for ten minutes
CALLS_S: Final = 600
LATE_S: Final = 900
LEAST_CALLS: Final = 20  # below it a share says nothing
LEAST_RUNS: Final = 10


class Line(msgspec.Struct, frozen=True):
    """Two limits of a figure; None where a figure is never that bad by itself."""

    metric: str
    warning: float | None
    critical: float | None
    unit: str = "s"

    def judge(self, cause: str, observed: float, words: str) -> Finding | None:
        """The finding of a figure beyond a limit, the harder one first."""
        limits: tuple[tuple[Severity, float | None], ...] = (
            ("critical", self.critical),
            ("warning", self.warning),
        )
        for severity, limit in limits:
            if limit is not None and observed > limit:
                text = f"{words}: {_shown(observed)} {self.unit}; {_shown(limit)} {self.unit} are allowed."
                return Finding(cause, severity, text, self.metric, observed, limit)
        return None


# faults.md, "Thresholds"; memory, processor and loop have no figures there and are chosen here.
QUERY: Final = Line("database_query_s", 1.0, 2.0)
SCAN: Final = Line("scan_s", 30.0, 60.0)
SCAN_SLOW: Final = Line("scan_p95_s", 10.0, None)
LATE: Final = Line("strategy_late_pct", 10.0, 25.0, "%")
UPSTREAM: Final = Line("upstream_failed_pct", 5.0, 20.0, "%")
STUCK: Final = Line("scan_without_progress_s", 15.0, None)
LOOP: Final = Line("loop_lag_s", 0.25, 1.0)  # a heartbeat of a venue is missed, then a scan is
SOCKET: Final = Line("last_message_age_s", None, 30.0)
NONCE: Final = Line("nonce_refused_count", None, 0.0, "")
BAN: Final = Line("venue_blocked_s", 0.0, None)
DISK: Final = Line("disk_pct", 90.0, 98.0, "%")
MEMORY: Final = Line("memory_pct", 90.0, 97.0, "%")
CPU: Final = Line("cpu_pct", 95.0, None, "%")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that lines are judged by, read at one time.

    Parameters
    ----------
    still_s
        How long each running scan has not moved.
    """

    checks: Mapping[str, Check] = {}
    machine: MachineReading = MachineReading(None, None, None)
    upstreams: tuple[UpstreamReading, ...] = ()
    still_s: tuple[float, ...] = ()
    loop_lag_s: float = 0.0


def findings(metrics: Metrics, facts: Facts) -> list[Finding]:
    """Everything beyond its line now."""
    parts: tuple[Iterable[Finding | None], ...] = (
        _of_database(metrics),
        _of_scans(metrics, facts),
        _of_upstreams(metrics, facts),
        _of_machine(facts),
        _of_checks(facts),
    )
    return [finding for part in parts for finding in part if finding is not None]


def _of_database(metrics: Metrics) -> Iterable[Finding | None]:
    slowest = metrics.part("database").summary(RECENT_S).greatest_s
    if slowest is not None:
        rows = metrics.slow_queries(RECENT_S)
        which = f" ({rows[0].op})" if rows else ""
        yield QUERY.judge("database.query", slowest, f"The slowest statement{which} of five minutes")


def _of_scans(metrics: Metrics, facts: Facts) -> Iterable[Finding | None]:
    told = metrics.part("scans").summary(SCANS_S)
    if told.greatest_s is not None and told.p95_s is not None:
        yield SCAN.judge("scan.duration", told.greatest_s, "The longest scan of ten minutes")
        yield SCAN_SLOW.judge("scan.slow", told.p95_s, "One scan in twenty of ten minutes")
    for strategy, rolling in metrics.parts("late:").items():
        late = rolling.summary(LATE_S)
        if late.count >= LEAST_RUNS and late.error_frac is not None:
            words = f"Late runs of {strategy} in a quarter of an hour"
            yield LATE.judge(f"strategy.late:{strategy}", 100 * late.error_frac, words)
    if facts.still_s:
        yield STUCK.judge("scan.stuck", max(facts.still_s), "A running scan without progress")


def _of_upstreams(metrics: Metrics, facts: Facts) -> Iterable[Finding | None]:
    for venue, rolling in metrics.parts("venue:").items():
        calls = rolling.summary(CALLS_S)
        if calls.count >= LEAST_CALLS and calls.error_frac is not None:
            words = f"Failed calls to {venue} in ten minutes"
            yield UPSTREAM.judge(f"upstream.failing:{venue}", 100 * calls.error_frac, words)
    for venue, rolling in metrics.parts("nonce:").items():
        refused = rolling.summary(CALLS_S).errors
        yield NONCE.judge(f"nonce.refused:{venue}", float(refused), f"Counters refused by {venue}")
    for upstream in facts.upstreams:
        if upstream.blocked_s > 0:
            words = f"{upstream.venue} asked for silence"
            yield BAN.judge(f"venue.ban:{upstream.venue}", upstream.blocked_s, words)
        for socket in upstream.sockets:
            if socket.last_message_age_s is not None:
                words = f"Silence on {socket.name}"
                yield SOCKET.judge(f"feed.stale:{socket.name}", socket.last_message_age_s, words)


def _of_machine(facts: Facts) -> Iterable[Finding | None]:
    machine = facts.machine
    for line, cause, observed, words in (
        (DISK, "machine.disk", machine.disk_pct, "The disk is full to"),
        (MEMORY, "machine.memory", machine.memory_pct, "Memory in use"),
        (CPU, "machine.cpu", machine.cpu_pct, "The processors are busy"),
        (LOOP, "loop.lag", facts.loop_lag_s, "The event loop is late"),
    ):
        if observed is not None:
            yield line.judge(cause, observed, words)


def _of_checks(facts: Facts) -> Iterable[Finding | None]:
    for name, check in facts.checks.items():
        if check.state == "healthy" or name in ("disk", "loop"):
            continue  # disk and loop have lines of their own
        severity: Severity = "critical" if check.state == "unhealthy" else "warning"
        cause = "feed.stale" if name == "feeds" else f"health.{name}"
        yield Finding(
            cause, severity, check.detail or f"{name} is {check.state}.", f"{name}_healthy", 0.0, 1.0
        )


def _shown(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:.0f}"
