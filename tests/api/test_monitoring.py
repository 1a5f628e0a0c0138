from __future__ import annotations

import math
from typing import Any

import pytest

from sextant.monitoring.records import BudgetReading, SocketReading, UpstreamReading
from support.api import Api

BASE = "/api/v1/monitoring"
SOCKET = SocketReading(
    name="bybit.linear.0",
    up=False,
    reason="silent",
    last_message_age_s=40.0,
    resyncs=3,
    drops=2,
    wire_errors=1,
)


async def read(api: Api, path: str, bearer: dict[str, str] | None = None) -> Any:
    api.clock.advance(1)  # within a second everybody is told the same
    answer = await api.client.get(f"{BASE}/{path}", headers=bearer or {})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_is_wrong_is_told_to_everybody_with_value_limit_and_since_when(api: Api) -> None:
    assert await read(api, "alerts") == {"alerts": [], "system_status": "operational"}
    api.rooms.metrics.queried("select scans", 1.5, failed=False)
    first = await read(api, "alerts")
    api.clock.advance(5)
    told = await read(api, "alerts")
    assert told["system_status"] == "degraded"
    [alert] = told["alerts"]
    assert alert == {
        "severity": "warning",
        "message": "The slowest statement (select scans) of five minutes: 1.5 s; 1 s are allowed.",
        "metric": "database_query_s",
        "observed_value": 1.5,
        "threshold": 1.0,
        "since": first["alerts"][0]["since"],
        "timestamp": "2026-03-01T12:00:08.000Z",
    }


async def test_figures_are_for_operators_only(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    _, trader = await api.session()
    for bearer in (None, trader, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic x"}):
        assert "metrics" not in await read(api, "alerts", bearer)
    metrics = (await read(api, "alerts", root))["metrics"]
    assert metrics["shared_store_latency_ms"] is None
    assert metrics["endpoint_latency"]["count"] >= 4
    assert metrics["database_query_ms"] is not None
    key = await api.client.post(
        "/api/v1/api-keys", json={"name": "probe", "scopes": ["ops:read"]}, headers=root
    )
    assert "metrics" in await read(api, "alerts", {"Authorization": f"Bearer {key.json()['secret']}"})


async def test_percentiles_are_those_of_what_was_measured(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    for number in range(1, 101):
        api.rooms.metrics.scanned("ok", number / 10, whole=True)
    scans = (await read(api, "system-health", root))["services"]["scans"]
    assert scans["p50_ms"] == pytest.approx(5_000, rel=0.02)
    assert scans["p95_ms"] == pytest.approx(9_500, rel=0.02)
    assert scans["p99_ms"] == pytest.approx(9_900, rel=0.02)
    assert (scans["error_rate"], scans["throughput"]) == (0.0, pytest.approx(100 / 300))
    assert scans["status"] == "healthy"


async def test_health_of_each_part_is_told_over_a_window(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    metrics = api.rooms.metrics
    metrics.called("bybit", "kline", "ok", 0.2)
    for number in range(10):
        metrics.evaluated("momentum", "late" if number < 3 else "ok", 2.0)
    metrics.queried("update scans", 0.6, failed=False)
    await read(api, "alerts")
    body = await read(api, "system-health", root)
    assert body["window"] == "5m"
    assert {"database", "shared_store", "api", "venue:bybit", "strategy:momentum"} <= set(body["services"])
    assert not any(name.startswith(("slo:", "late:", "health:")) for name in body["services"])
    assert body["services"]["strategy:momentum"]["warnings"] == [
        "Late runs of momentum in a quarter of an hour: 30 %; 25 % are allowed."
    ]
    assert body["services"]["strategy:momentum"]["status"] == "degraded"
    assert body["services"]["database"]["uptime_pct"] == 100.0
    assert body["slow_queries"] == [{"op": "update scans", "seconds": 0.6, "scan_id": None, "count": 1}]
    assert body["summary"] == "critical"
    assert {slo["name"] for slo in body["slos"]} >= {"scan-latency", "db", "upstream:bybit"}
    api.clock.advance(3_000)
    _, root = await api.session("root@example.org", "admin")
    api.rooms.metrics.evaluated("momentum", "ok", 1.0)
    assert (await read(api, "system-health?window=5m", root))["services"]["strategy:momentum"][
        "error_rate"
    ] == 0
    hour = (await read(api, "system-health?window=1h", root))["services"]["strategy:momentum"]
    assert hour["error_rate"] == pytest.approx(3 / 11)
    refused = await api.client.get(f"{BASE}/system-health?window=2h", headers=root)
    assert refused.status_code == 422


async def test_venues_are_told_as_this_process_sees_them(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    assert await read(api, "upstreams", root) == {"upstreams": []}
    reading = UpstreamReading(
        venue="bybit",
        blocked_s=30.0,
        blocked_reason="418",
        sockets=(SOCKET,),
        circuit="closed",
        budget=BudgetReading(40.0, 50.0, 5.0, 1.5),
    )
    api.rooms.watch.attach(lambda: reading)
    api.rooms.metrics.called("kraken", "Depth", "ok", 0.1)
    api.rooms.metrics.called("kraken", "Depth", "timeout", 5.0)
    bybit, kraken = (await read(api, "upstreams", root))["upstreams"]
    assert bybit["sockets"] == [
        {
            "id": "bybit.linear.0",
            "state": "down",
            "reason": "silent",
            "last_message_age_s": 40.0,
            "resyncs_total": 3,
            "drops_total": 2,
            "wire_errors_total": 1,
        }
    ]
    assert (bybit["state"], bybit["reason"]) == ("limited", "418")
    assert bybit["blocked_until"] == "2026-03-01T12:00:32.000Z"
    assert bybit["since"] is not None
    assert bybit["breaker"] == "closed"
    assert bybit["budget"] == {"used": 40.0, "limit": 50.0, "window_s": 5.0, "forecast_s": 1.5}
    assert (kraken["breaker"], kraken["budget"]) == (None, None)
    assert (kraken["state"], kraken["success_rate"], kraken["sockets"]) == ("healthy", 0.5, [])
    assert kraken["p95_ms"] == pytest.approx(5_000, rel=0.02)
    gone = UpstreamReading(venue="okx", away_since_ns=1_772_366_400 * 10**9, away_reason="unreachable")
    api.rooms.watch.attach(lambda: gone)
    (okx,) = (await read(api, "upstreams?venue=okx", root))["upstreams"]
    assert (okx["state"], okx["since"]) == ("failing", "2026-03-01T12:00:00.000Z")
    assert okx["reason"] == "unavailable since 2026-03-01T12:00:00.000Z: unreachable"
    spent = BudgetReading(0.0, 0.5, 60.0, math.inf)
    api.rooms.watch.attach(lambda: UpstreamReading(venue="kucoin", circuit="open", budget=spent))
    (kucoin,) = (await read(api, "upstreams?venue=kucoin", root))["upstreams"]
    assert (kucoin["state"], kucoin["breaker"], kucoin["budget"]["forecast_s"]) == ("failing", "open", None)
    only = (await read(api, "upstreams?venue=kraken", root))["upstreams"]
    assert [row["venue"] for row in only] == ["kraken"]
    assert (await read(api, "upstreams?venue=nobody", root))["upstreams"] == []


async def test_incidents_are_listed_filtered_and_paged(api: Api) -> None:
    _, root = await api.session("root@example.org", "admin")
    for number in range(3):
        api.clock.advance(1)
        api.rooms.watch.incidents.failed(f"op{number}", ValueError("x"), f"req_{number}")
    body = await read(api, "incidents", root)
    assert [row["cause"] for row in body["incidents"]] == [f"failure:op{n}:ValueError" for n in (2, 1, 0)]
    assert body["incidents"][0]["request_ids"] == ["req_2"]
    assert body["incidents"][0]["closed_at"] is None
    first = await read(api, "incidents?limit=2", root)
    second = await read(api, f"incidents?limit=2&cursor={first['next_cursor']}", root)
    assert first["incidents"] + second["incidents"] == body["incidents"]
    assert second["next_cursor"] is None
    assert (await read(api, "incidents?state=closed", root))["incidents"] == []
    late = await read(api, "incidents?since=2026-03-01T12:00:03.000Z", root)
    assert len(late["incidents"]) == 1
    for query in (
        "state=gone",
        "since=yesterday",
        "limit=0",
        "cursor=x",
        f"cursor={first['next_cursor']}&state=open",
    ):
        assert (await api.client.get(f"{BASE}/incidents?{query}", headers=root)).status_code == 422, query


async def test_a_defect_of_the_server_is_an_incident_whose_id_the_caller_is_told(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, root = await api.session("root@example.org", "admin")

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret of the inside")

    monkeypatch.setattr(api.vault.users, "page", broken)
    answers = [await api.client.get("/api/v1/admin/users", headers=root) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {500}
    [detail] = {answer.json()["detail"] for answer in answers}
    assert "secret" not in answers[0].text
    [incident] = (await read(api, "incidents?state=open", root))["incidents"]
    assert incident["incident_id"] in detail
    assert (incident["count"], incident["severity"]) == (3, "critical")
    assert incident["request_ids"] == [answer.headers["X-Request-ID"] for answer in answers]
