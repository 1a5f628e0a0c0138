from __future__ import annotations

import pytest

from sextant.kit.health import Reading
from support.api import Api


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_health_is_public_and_says_since_when(api: Api, prefix: str) -> None:
    body = (await api.client.get(f"{prefix}/health", headers={"Authorization": "Bearer nonsense"})).json()
    assert (body["status"], body["version"], body["feed"]) == ("healthy", "0.1.0+test", "demo")
    assert body["checks"]["database"] == {
        "status": "healthy",
        "detail": None,
        "since": "2026-03-01T12:00:00.000Z",
        "age_s": 0.0,
    }
    assert (await api.client.get(f"{prefix}/health/live")).json() == {"status": "ok", "loop_lag_ms": 0.0}
    assert (await api.client.get(f"{prefix}/health/ready")).json() == {"ready": True, "reasons": []}


async def test_ping_gives_the_time(api: Api) -> None:
    body = (await api.client.get("/api/v1/health/ping")).json()
    assert body == {"status": "ok", "timestamp": "2026-03-01T12:00:00.000Z"}


async def test_without_the_database_health_is_503_and_nothing_is_ready(api: Api) -> None:
    async def gone() -> Reading:
        return Reading("unhealthy", "The database does not answer.")

    api.rooms.health._probes["database"] = gone
    health = await api.client.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
    ready = await api.client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "reasons": ["database"]})
    assert (await api.client.get("/health/live")).status_code == 200


async def test_a_degraded_part_is_told_with_200(api: Api) -> None:
    async def late() -> Reading:
        return Reading("degraded", "The newest fact is 9 s old; 5 s are allowed.")

    api.rooms.health._probes["shared_store"] = late
    answer = await api.client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["shared_store"]["detail"].startswith("The newest fact")


async def test_a_draining_process_is_not_ready(api: Api) -> None:
    api.rooms.health.stage = "draining"
    ready = await api.client.get("/health/ready")
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["draining"])


async def test_health_may_be_asked_six_hundred_times_a_minute_per_address(api: Api) -> None:
    for _ in range(600):
        assert (await api.client.get("/health/live")).status_code == 200
    assert (await api.client.get("/health/live")).status_code == 429
    async with api.from_address("198.51.100.1") as elsewhere:
        assert (await elsewhere.get("/health/live")).status_code == 200
