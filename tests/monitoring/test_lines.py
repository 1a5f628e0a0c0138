"""Each fault crosses exactly its own line: expected causes are written by hand from the thresholds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sextant.kit.clock import ManualClock
from sextant.kit.health import Check
from sextant.kit.metrics import Metrics
from sextant.monitoring.lines import Facts, findings
from sextant.monitoring.records import MachineReading, SocketReading, UpstreamReading

Fault = Callable[[Metrics], Facts | None]


def told(fault: Fault) -> list[tuple[str, str, float, float]]:
    metrics = Metrics(ManualClock())
    facts = fault(metrics) or Facts()
    return [(row.cause, row.severity, row.observed, row.threshold) for row in findings(metrics, facts)]


def queries(*seconds: float) -> Fault:
    def fault(metrics: Metrics) -> None:
        for spent in seconds:
            metrics.queried("select scans", spent, failed=False)

    return fault


def scans(*seconds: float) -> Fault:
    def fault(metrics: Metrics) -> None:
        for spent in seconds:
            metrics.scanned("ok", spent, whole=True)

    return fault


def strategies(late: int, fine: int) -> Fault:
    def fault(metrics: Metrics) -> None:
        for number in range(late + fine):
            metrics.evaluated("momentum", "late" if number < late else "ok", 0.1)

    return fault


def calls(failed: int, fine: int, *, end: str = "timeout") -> Fault:
    def fault(metrics: Metrics) -> None:
        for number in range(failed + fine):
            metrics.called("bybit", "kline", end if number < failed else "ok", 0.1)  # type: ignore[arg-type]  # any end

    return fault


def facts(**given: object) -> Fault:
    return lambda _: Facts(**given)  # type: ignore[arg-type]  # any field


def socket(age_s: float | None) -> UpstreamReading:
    one = SocketReading(
        name="bybit.linear.0",
        up=True,
        reason="",
        last_message_age_s=age_s,
        resyncs=0,
        drops=0,
        wire_errors=0,
    )
    return UpstreamReading(venue="bybit", sockets=(one,))


def check(state: str) -> Check:
    return Check(state, "It does not answer.", 0, 0)  # type: ignore[arg-type]  # any state


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (queries(0.4, 1.0), []),
        (queries(0.4, 1.5), [("database.query", "warning", 1.5, 1.0)]),
        (queries(2.5), [("database.query", "critical", 2.5, 2.0)]),
        (scans(9.0), []),
        (scans(12.0), [("scan.slow", "warning", 12.0, 10.0)]),
        (scans(*[1.0] * 99, 31.0), [("scan.duration", "warning", 31.0, 30.0)]),
        (scans(*[1.0] * 99, 61.0), [("scan.duration", "critical", 61.0, 60.0)]),
        (strategies(late=1, fine=9), []),
        (strategies(late=2, fine=8), [("strategy.late:momentum", "warning", 20.0, 10.0)]),
        (strategies(late=3, fine=7), [("strategy.late:momentum", "critical", 30.0, 25.0)]),
        (strategies(late=9, fine=0), []),  # nine runs say nothing
        (calls(1, 19), []),
        (calls(2, 18), [("upstream.failing:bybit", "warning", 10.0, 5.0)]),
        (calls(5, 15), [("upstream.failing:bybit", "critical", 25.0, 20.0)]),
        (calls(19, 0), []),  # nineteen calls say nothing
        (calls(20, 0, end="rejected"), []),  # the caller's mistake is no failure of the venue
        (calls(1, 0, end="nonce_refused"), [("nonce.refused:bybit", "critical", 1.0, 0.0)]),
        (facts(still_s=(3.0, 14.9)), []),
        (facts(still_s=(3.0, 15.5)), [("scan.stuck", "warning", 15.5, 15.0)]),
        (facts(loop_lag_s=0.2), []),
        (facts(loop_lag_s=0.3), [("loop.lag", "warning", 0.3, 0.25)]),
        (facts(upstreams=(socket(None),)), []),
        (facts(upstreams=(socket(29.0),)), []),
        (facts(upstreams=(socket(31.0),)), [("feed.stale:bybit.linear.0", "critical", 31.0, 30.0)]),
        (
            facts(upstreams=(UpstreamReading(venue="bybit", blocked_s=600.0, blocked_reason="418"),)),
            [("venue.ban:bybit", "warning", 600.0, 0.0)],
        ),
        (facts(machine=MachineReading(50.0, 50.0, 89.0)), []),
        (facts(machine=MachineReading(None, None, 91.0)), [("machine.disk", "warning", 91.0, 90.0)]),
        (facts(machine=MachineReading(None, 98.0, None)), [("machine.memory", "critical", 98.0, 97.0)]),
        (facts(machine=MachineReading(96.0, None, None)), [("machine.cpu", "warning", 96.0, 95.0)]),
        (facts(checks={"database": check("healthy")}), []),
        (facts(checks={"database": check("unhealthy")}), [("health.database", "critical", 0.0, 1.0)]),
        (facts(checks={"feeds": check("degraded")}), [("feed.stale", "warning", 0.0, 1.0)]),
    ],
)
def test_a_fault_crosses_its_line_and_no_other(
    fault: Fault, expected: list[tuple[str, str, float, float]]
) -> None:
    rows = told(fault)
    assert [row[:2] for row in rows] == [row[:2] for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert row[2:] == pytest.approx(wanted[2:], rel=0.02)


def test_a_message_names_value_and_limit() -> None:
    metrics = Metrics(ManualClock())
    metrics.queried("update scans", 1.5, failed=False)
    [row] = findings(metrics, Facts())
    assert row.message == "The slowest statement (update scans) of five minutes: 1.5 s; 1 s are allowed."
    assert row.metric == "database_query_s"


def test_a_healed_fault_crosses_no_line_any_more() -> None:
    clock = ManualClock()
    metrics = Metrics(clock)
    metrics.queried("update scans", 1.5, failed=False)
    metrics.scanned("ok", 90.0, whole=True)
    assert len(findings(metrics, Facts())) == 3
    clock.advance(361)
    assert {row.cause for row in findings(metrics, Facts())} == {"scan.duration", "scan.slow"}
    clock.advance(300)
    assert findings(metrics, Facts()) == []
