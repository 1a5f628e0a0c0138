"""A whole installation over a store: workers that are replicas, a store that dies under a scan, one that is absent at boot."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from support.cluster import Line, Member, free_port, keys_of, simulated_venue
from support.postgres import postgresql
from support.valkey import valkey

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not os.environ.get("WHOLE_CLUSTERS"), reason="five processes; `make attack` asks for it"
    ),
]
PATIENCE_S = 150.0


async def completed(port: int, key: str) -> None:
    """Return when a scan was complete; on a machine that compiles kernels beside, a first one may lapse."""
    line = Line(port, key)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while await ended(line) != "complete":
                continue
    finally:
        line.close()


async def ended(line: Line) -> str:
    """How a new scan ended; each answer on the way has a state."""
    body = json.dumps({"force_refresh": True}).encode()
    status, accepted = await line.ask("POST", "/api/v1/opportunities/discover", body)
    if status != 200:
        await asyncio.sleep(0.5)
        return "refused"
    while True:
        status, told = await line.ask("GET", f"/api/v1/opportunities/status/{accepted['scan_id']}")
        assert status == 200
        if told["status"] != "scanning":
            return str(told["status"])
        await asyncio.sleep(0.1)


def test_workers_are_replicas_and_outlive_the_store(tmp_path: Path) -> None:
    """faults.md R1, by processes."""
    with postgresql() as url, valkey() as server, simulated_venue(tmp_path, 6) as address:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SEXTANT_")}
        environ |= {
            "SEXTANT_DATA_DIR": str(tmp_path / "data"),
            "SEXTANT_DATABASE_URL": url,
            "SEXTANT_REDIS_URL": server.url,
            "SEXTANT_TOKEN_KEY": "a-signing-key-that-every-process-of-the-cluster-shares",
        }
        (key,) = asyncio.run(keys_of(url, 1))
        port = free_port()
        feed = Member(("feed", "--simulated", address), environ, tmp_path / "feed.log")
        work = Member(("work",), environ, tmp_path / "work.log")
        api = Member(("api", "--port", str(port)), environ, tmp_path / "api.log", port)
        members = [feed, work, api]
        try:
            for member in members:
                member.start()
                member.wait()
            assert "replica.following" in work.told.read_text()
            assert "feed.up" not in work.told.read_text()  # it opens no sockets
            asyncio.run(completed(port, key))
            with server.client() as client:
                assert client.keys("sextant:replica:*")
            server.kill()
            asyncio.run(completed(port, key))
            work.kill()
            work.start()
            work.wait()  # absent at boot: it opens sockets of its own
            assert "store.absent_at_start" in work.told.read_text()
        finally:
            for member in members:
                member.kill()
