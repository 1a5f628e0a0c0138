"""faults.md D1 and P2: processes that start before their database, lose it, find it again, and are asked to end."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from sextant.kit.db import open_engine
from support.cluster import Gone, Line, Member, free_port, keys_of
from support.postgres import postgresql

FOUND_S: Final = 5.0  # faults.md D1
SLACK_S: Final = 5.0  # a machine that runs other tests beside
ME: Final = "/api/v1/auth/me"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


def ask(member: Member, path: str, key: str = "", method: str = "GET") -> tuple[int, Any]:
    """One answer, or (0, None) where the process is not there."""

    async def once() -> tuple[int, Any]:
        line = Line(member.port, key)
        try:
            return await line.ask(method, path, b"{}" if method == "POST" else b"")
        except Gone:
            return 0, None
        finally:
            line.close()

    return asyncio.run(once())


def until(wanted: Callable[[], bool], seconds: float) -> float:
    """Seconds until it was so."""
    begun = time.monotonic()
    while not wanted():
        assert time.monotonic() - begun < seconds
        time.sleep(0.1)
    return time.monotonic() - begun


async def cut(url: str) -> None:
    """End every connection to the database but our own."""
    db = open_engine(url)
    async with db.begin() as connection:
        await connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
    await db.dispose()


async def last_words(port: int, key: str, scan_id: str, stop: Callable[[], None]) -> str:
    """What a stream of a scan says from its first event until its end, the process being stopped meanwhile."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"GET /api/v1/scans/{scan_id}/events HTTP/1.1\r\nHost: sextant\r\nAuthorization: Bearer {key}\r\n\r\n"
    )
    writer.write(head.encode())
    async with asyncio.timeout(20):
        first = await reader.readuntil(b"event: phase")
        stop()
        rest = await reader.read()
    writer.close()
    return (first + rest).decode()


@pytest.mark.timeout(240)
def test_a_database_that_is_away_is_waited_for_and_found_again(server: str, tmp_path: Path) -> None:
    real = Path(sa.make_url(server).query["host"])  # type: ignore[arg-type]  # one folder
    link = real.with_name(real.name + "-link")
    away = server.replace(str(real), str(link))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SEXTANT_")}
    environ |= {"SEXTANT_DATA_DIR": str(tmp_path / "data"), "SEXTANT_DATABASE_URL": away}
    [key] = asyncio.run(keys_of(server, 1))
    port = free_port()
    api = Member(("api", "--port", str(port)), environ, tmp_path / "api.log", port)
    worker = Member(("work", "--simulated", "http://127.0.0.1:9"), environ, tmp_path / "work.log")
    try:
        worker.start()
        api.start()
        until(lambda: ask(api, "/health/live")[0] == 200, 60)
        assert ask(api, "/health/ready")[0] == 503
        status, problem = ask(api, ME, key)
        assert (status, problem["reason"], problem["retry"]) == (503, "database_unavailable", "after")
        until(lambda: "database.awaited" in worker.told.read_text(), 60)
        assert worker.stop() == 0  # a process that waits can be ended too

        link.symlink_to(real)
        until(lambda: ask(api, "/health/ready")[0] == 200, FOUND_S + SLACK_S)
        assert ask(api, ME, key)[0] == 200

        link.unlink()
        asyncio.run(cut(server))
        until(lambda: ask(api, ME, key)[0] == 503, FOUND_S)
        assert ask(api, ME, key)[1]["code"] == "budget_exceeded"
        assert ask(api, "/health/live")[0] == 200
        link.symlink_to(real)
        until(lambda: ask(api, ME, key)[0] == 200, FOUND_S + SLACK_S)

        status, accepted = ask(api, "/api/v1/opportunities/discover", key, "POST")
        assert status == 200
        words = asyncio.run(last_words(port, key, accepted["scan_id"], api.terminate))
        assert "event: bye" in words
        assert api.ended() == 0
    finally:
        link.unlink(missing_ok=True)
        for member in (api, worker):
            member.kill()
