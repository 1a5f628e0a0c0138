from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sextant.errors import ConfigError
from sextant.kit.clock import ManualClock
from sextant.kit.metrics import Metrics
from sextant.kit.traces import PATH, NoTraces, OtlpTraces, open_traces
from support.api import Api, api_on
from support.database import sqlite

CANARY = "canary-5f0c2a9b17"


@dataclass
class Collector:
    """A collector of OTLP over HTTP: what it was sent."""

    url: str
    raw: list[bytes] = field(default_factory=list)

    def spans(self) -> list[Any]:
        """Every span it was sent, in order of their ends."""
        found = []
        for body in self.raw:
            request = ExportTraceServiceRequest.FromString(body)
            found += [
                span
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]
        return sorted(found, key=lambda span: int(span.end_time_unix_nano))


@asynccontextmanager
async def collector(status: int = 200) -> AsyncIterator[Collector]:
    made = Collector("")

    async def take(request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        made.raw.append(await request.read())
        return web.Response(status=status)

    application = web.Application()
    application.router.add_post(PATH, take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


def said(span: Any) -> dict[str, str]:
    return {item.key: item.value.string_value for item in span.attributes}


async def traced(api: Api, url: str) -> OtlpTraces:
    traces = OtlpTraces(url, api.clock)
    api.rooms.metrics.traces = traces
    return traces


async def test_a_request_and_a_scan_are_trees_of_what_they_did(tmp_path: Path) -> None:
    async with collector() as taken, sqlite(tmp_path) as db, api_on(db, working=True) as api:
        user, bearer = await api.onboarded()
        traces = await traced(api, taken.url)
        headers = bearer | {"X-Request-ID": CANARY}
        body = {"strategy_ids": ["ai_spot_momentum_strategy"]}
        answer = await api.client.post("/api/v1/opportunities/discover", json=body, headers=headers)
        await api.ended(user, answer.json()["scan_id"])
        poll = await api.client.get(
            f"/api/v1/opportunities/status/{answer.json()['scan_id']}", headers=headers
        )
        missing = await api.client.get(f"/api/v1/opportunities/status/{CANARY}", headers=headers)
        api.rooms.metrics.called("bybit", "tickers", "ok", 0.25)
        await asyncio.to_thread(traces.close)
        assert (poll.status_code, missing.status_code) == (200, 404)
    spans = taken.spans()
    by_name: dict[str, list[Any]] = {}
    for span in spans:
        by_name.setdefault(span.name, []).append(span)
    by_id = {span.span_id: span for span in spans}
    [discover] = by_name["request opportunities_discover"]
    [scan] = by_name["scan run"]
    [strategy] = by_name["strategy ai_spot_momentum_strategy"]
    [call] = by_name["call bybit tickers"]
    assert said(discover)["sextant.outcome"] == "200"
    assert [said(span)["sextant.outcome"] for span in by_name["request opportunities_status"]] == [
        "200",
        "404",
    ]
    assert said(scan)["sextant.outcome"] in ("ok", "empty", "partial")
    assert strategy.parent_span_id == scan.span_id
    assert strategy.trace_id == scan.trace_id != discover.trace_id
    assert (scan.parent_span_id, discover.parent_span_id, call.parent_span_id) == (b"", b"", b"")
    assert call.end_time_unix_nano - call.start_time_unix_nano == 250_000_000
    parents = {
        by_id[span.parent_span_id].name
        for span in spans
        if span.name.startswith("statement ") and span.parent_span_id
    }
    assert {"request opportunities_discover", "scan run"} <= parents
    assert "statement insert scans" in by_name


async def test_no_text_of_a_caller_and_no_secret_is_in_a_span(tmp_path: Path) -> None:
    async with collector() as taken, sqlite(tmp_path) as db, api_on(db) as api:
        _, bearer = await api.onboarded()
        traces = await traced(api, taken.url)
        headers = bearer | {"X-Request-ID": CANARY}
        login = {"email": f"{CANARY}@example.org", "password": CANARY}
        await api.client.post("/api/v1/auth/login", json=login, headers=headers)
        await api.client.get(f"/api/v1/opportunities/status/{CANARY}?{CANARY}=1", headers=headers)
        await api.client.post("/api/v1/opportunities/discover", json={"symbols": [CANARY]}, headers=headers)
        await api.client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {CANARY}"})
        await asyncio.to_thread(traces.close)
    sent = b"".join(taken.raw)
    assert sent
    token = bearer["Authorization"].removeprefix("Bearer ")
    assert CANARY.encode() not in sent
    assert token.encode() not in sent
    assert {key for span in taken.spans() for key in said(span)} == {
        "sextant.kind",
        "sextant.op",
        "sextant.outcome",
    }


async def test_a_collector_that_refuses_is_told_once_and_costs_no_answer(tmp_path: Path) -> None:
    async with collector(400) as taken, sqlite(tmp_path) as db, api_on(db) as api:
        _, bearer = await api.onboarded()
        traces = await traced(api, taken.url)
        with structlog.testing.capture_logs() as events:
            for _ in range(3):
                assert (await api.client.get("/api/v1/auth/me", headers=bearer)).status_code == 200
                await asyncio.to_thread(traces._provider.force_flush)
            await asyncio.to_thread(traces.close)
        assert [event["event"] for event in events if event["event"].startswith("traces.")] == ["traces.lost"]


def test_nobody_is_told_where_no_collector_is_named() -> None:
    traces = open_traces(None, ManualClock())
    assert isinstance(traces, NoTraces)
    assert traces.begin("request", "x") is None
    with traces.around("scan", "run"):
        traces.outcome("ok")
        traces.ended("statement", "select x", "ok", 0.1)
    traces.end(None, "200")
    traces.close()
    assert isinstance(Metrics(ManualClock()).traces, NoTraces)


def test_without_a_collector_the_library_is_not_even_imported() -> None:
    script = (
        "import sys, sextant.app; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_machine_without_the_library_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"sextant\[traces\]"):
        OtlpTraces("http://127.0.0.1:4318", ManualClock())
