"""Figures that are read when all figures are rendered: loop, pool, sockets, scans, alerts, log lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from sextant.kit import log_budget
from sextant.kit.clock import Clock
from sextant.kit.health import LoopLag
from sextant.kit.metrics import Gauge, Metrics
from sextant.monitoring.records import SocketReading
from sextant.monitoring.watch import Watch

HOUR_S: Final = 3_600.0

Rows = Iterable[tuple[Sequence[str], float]]


def add_gauges(
    metrics: Metrics, watch: Watch, lag: LoopLag, clock: Clock, pool: Callable[[], tuple[int, int]]
) -> None:
    """Have everything read that is not counted where it happens.

    Parameters
    ----------
    pool
        Connections of the database in use, and how many there may be.
    """
    of_sockets = _sockets(watch)
    for name, text, labels, read in (
        ("sextant_loop_lag_seconds", "How late the event loop wakes.", (), lambda: _one(lag.lag_s)),
        ("sextant_db_pool_in_use", "Database connections in use.", (), lambda: _one(pool()[0])),
        ("sextant_db_pool_size", "Database connections there may be.", (), lambda: _one(pool()[1])),
        ("sextant_scans_unfinished", "Accepted scans that have not ended.", (), lambda: _one(watch.scans())),
        (
            "sextant_scan_seconds_since_progress",
            "Longest time in which a running scan has not moved.",
            ("state",),
            lambda: [(("in_progress",), max(watch.still_s(), default=0.0))],
        ),
        (
            "sextant_ws_last_message_age_seconds",
            "Age of the last frame of a connection.",
            ("conn",),
            of_sockets(lambda socket: socket.last_message_age_s),
        ),
        ("sextant_ws_up", "Whether a connection is open.", ("conn",), of_sockets(lambda it: float(it.up))),
        ("sextant_ws_drops", "Losses of a connection.", ("conn",), of_sockets(lambda it: float(it.drops))),
        ("sextant_ws_resyncs", "Books asked anew.", ("conn",), of_sockets(lambda it: float(it.resyncs))),
        (
            "sextant_upstream_blocked_until_seconds",
            "Unix time until which a venue wants silence; 0 when it does not.",
            ("venue",),
            lambda: _blocked(watch, clock),
        ),
        ("sextant_health", "1 healthy, 0.5 degraded, 0 unhealthy.", ("check",), lambda: _health(watch)),
        ("sextant_alerts", "Alerts that hold.", ("severity",), lambda: _alerts(watch)),
        (
            "sextant_incidents_open",
            "Incidents that last.",
            (),
            lambda: _one(len(watch.incidents.open_causes())),
        ),
        ("sextant_log_lines_hour", "Log lines of the last hour.", (), lambda: _log(suppressed=False)),
        ("sextant_log_suppressed", "Repetitions only counted.", (), lambda: _log(suppressed=True)),
    ):
        metrics.gauge(Gauge(name, text, labels, read))


def _one(value: float) -> Rows:
    return [((), float(value))]


def _sockets(watch: Watch) -> Callable[[Callable[[SocketReading], float | None]], Callable[[], Rows]]:
    def of(figure: Callable[[SocketReading], float | None]) -> Callable[[], Rows]:
        def read() -> Iterator[tuple[Sequence[str], float]]:
            for upstream in watch.upstreams():
                for socket in upstream.sockets:
                    value = figure(socket)
                    if value is not None:
                        yield (socket.name,), value

        return read

    return of


def _blocked(watch: Watch, clock: Clock) -> Rows:
    now_s = clock.now_ns() / 1e9
    for upstream in watch.upstreams():
        yield (upstream.venue,), now_s + upstream.blocked_s if upstream.blocked_s > 0 else 0.0


def _health(watch: Watch) -> Rows:
    values = {"healthy": 1.0, "degraded": 0.5, "unhealthy": 0.0}
    return [((name,), values[check.state]) for name, check in watch.checks().items()]


def _alerts(watch: Watch) -> Rows:
    for severity in ("warning", "critical"):
        yield (severity,), float(sum(item.finding.severity == severity for item in watch.alerts()))


def _log(*, suppressed: bool) -> Rows:
    used = log_budget.use(HOUR_S)
    if used is not None:
        yield (), float(used.suppressed if suppressed else used.lines)
