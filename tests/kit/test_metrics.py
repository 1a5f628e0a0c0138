from __future__ import annotations

from sextant.kit.metrics import Metrics


async def test_answers_and_refusals_are_counted_by_operation_and_outcome() -> None:
    metrics = Metrics()
    metrics.answered("auth_me", "200", 0.004)
    metrics.answered("auth_me", "200", 0.2)
    metrics.refused("auth_me", "denied")
    text = (await metrics.render()).decode()
    assert 'sextant_http_request_seconds_count{op="auth_me",outcome="200"} 2.0' in text
    assert 'sextant_http_request_seconds_bucket{le="0.005",op="auth_me",outcome="200"} 1.0' in text
    assert 'sextant_http_refusals_total{op="auth_me",outcome="denied"} 1.0' in text


async def test_two_processes_parts_share_nothing() -> None:
    first, second = Metrics(), Metrics()
    first.refused("op", "denied")
    assert b'op="op"' not in await second.render()
