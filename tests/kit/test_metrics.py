from __future__ import annotations

import re

import pytest

from sextant.kit.clock import ManualClock
from sextant.kit.metrics import BOUNDS_S, Gauge, Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(ManualClock())


async def text_of(metrics: Metrics) -> str:
    return (await metrics.render()).decode()


async def test_answers_and_refusals_are_counted_by_operation_and_outcome(metrics: Metrics) -> None:
    metrics.answered("auth_me", "200", 0.004)
    metrics.answered("auth_me", "200", 0.2)
    metrics.refused("auth_me", "denied.role")
    text = await text_of(metrics)
    assert 'sextant_http_request_seconds_count{op="auth_me",outcome="200"} 2.0' in text
    assert 'sextant_http_request_seconds_bucket{le="0.005",op="auth_me",outcome="200"} 1.0' in text
    assert 'sextant_http_refusals_total{op="auth_me",outcome="denied.role"} 1.0' in text


async def test_two_processes_parts_share_nothing() -> None:
    first, second = Metrics(ManualClock()), Metrics(ManualClock())
    first.refused("op", "denied")
    assert b'op="op"' not in await second.render()


def test_every_threshold_of_an_alert_is_a_bound_of_the_histograms() -> None:
    assert {1.0, 2.0, 10.0, 30.0, 60.0} <= set(BOUNDS_S)
    assert list(BOUNDS_S) == sorted(BOUNDS_S)


async def test_statements_scans_strategies_and_calls_are_counted(metrics: Metrics) -> None:
    metrics.queried("select scans", 0.002, failed=False)
    metrics.queried("update scans", 1.5, failed=False)
    metrics.scanned("ok", 3.0, whole=True)
    metrics.scanned("partial", 31.0, whole=False)
    metrics.evaluated("momentum", "ok", 0.1)
    metrics.evaluated("momentum", "late", 30.0)
    metrics.evaluated("momentum", "skipped", 0.0)
    metrics.called("bybit", "kline", "ok", 0.05)
    metrics.called("bybit", "kline", "timeout", 5.0)
    metrics.called("bybit", "order", "nonce_refused", 0.1)
    text = await text_of(metrics)
    for line in (
        'sextant_db_query_seconds_bucket{le="1.0",op="update scans"} 0.0',
        'sextant_db_query_seconds_bucket{le="2.0",op="update scans"} 1.0',
        'sextant_scan_seconds_bucket{le="30.0",outcome="partial"} 0.0',
        'sextant_strategy_runs_total{outcome="late",strategy="momentum"} 1.0',
        'sextant_strategy_runs_total{outcome="skipped",strategy="momentum"} 1.0',
        'sextant_strategy_seconds_count{strategy="momentum"} 2.0',
        'sextant_upstream_requests_total{outcome="timeout",venue="bybit"} 1.0',
        'sextant_nonce_refused_total{venue="bybit"} 1.0',
    ):
        assert line in text
    assert metrics.part("scans").summary(300).count == 2
    assert metrics.part("late:momentum").summary(300).error_frac == 0.5
    assert metrics.part("venue:bybit").summary(300).errors == 1, "a refused nonce is not the venue's failure"
    assert {name: slo.summary(300).errors for name, slo in metrics.parts("slo:").items()} == {
        "db": 1,
        "scan-latency": 1,
        "scan-complete": 1,
    }


async def test_a_gauge_is_read_when_all_is_rendered(metrics: Metrics) -> None:
    depth = [3.0]
    metrics.gauge(Gauge("sextant_queue_depth", "Waiting.", ["op"], lambda: [(["scan"], depth[0])]))
    assert 'sextant_queue_depth{op="scan"} 3.0' in await text_of(metrics)
    depth[0] = 5.0
    assert 'sextant_queue_depth{op="scan"} 5.0' in await text_of(metrics)


def test_slow_statements_are_told_by_operation_slowest_first() -> None:
    clock = ManualClock()
    metrics = Metrics(clock)
    for op, seconds in (("select a", 0.3), ("select b", 1.2), ("select a", 0.5), ("select c", 0.2)):
        metrics.queried(op, seconds, failed=False)
    assert [(row.op, row.seconds, row.count) for row in metrics.slow_queries(300)] == [
        ("select b", 1.2, 1),
        ("select a", 0.5, 2),
    ]
    clock.advance(301)
    assert metrics.slow_queries(300) == []


async def test_labels_name_no_user_id_or_address(metrics: Metrics) -> None:
    metrics.answered("auth_me", "200", 0.1)
    metrics.called("bybit", "kline", "ok", 0.1)
    metrics.queried("select users", 0.1, failed=False)
    metrics.scanned("ok", 1.0, whole=True)
    metrics.evaluated("momentum", "ok", 0.1)
    labels = set(re.findall(r"[{,](\w+)=", await text_of(metrics)))
    assert labels <= {"venue", "strategy", "op", "outcome", "le"}
