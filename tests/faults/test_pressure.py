"""Pressure on one process: rows N4, P4, P5 and P7 of the fault catalogue."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

import pytest
import structlog

from sextant.api import connections
from sextant.api.limits import POLICIES, RateLimits
from sextant.errors import RateLimited, Unauthenticated
from sextant.kit import health as health_module
from sextant.kit import watchdog
from sextant.kit.breaker import Breaker, BreakerRules
from sextant.kit.clock import Deadline, ManualClock, SystemClock
from sextant.kit.health import Health, LoopLag
from sextant.kit.log_files import LogFiles
from sextant.kit.watchdog import Watchdog
from support.api import Api, api_on
from support.cluster import Cluster, Gone, Line, Member, cluster
from support.database import sqlite
from support.people import HERE, PASSWORD
from support.served import Served, served

SOCKETS: Final = int(os.environ.get("SOCKETS", "500"))
BLOCKED_S: Final = float(os.environ.get("BLOCKED_S", "1.2"))  # the row says 5
FILES: Final = 64
HOUR_NS: Final = 3_600 * 10**9
ME: Final = "/api/v1/auth/me"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with sqlite(tmp_path) as db, api_on(db) as api, served(api) as server:
        yield server


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with sqlite(tmp_path) as db, api_on(db) as api:
        yield api


async def test_n4_five_hundred_clients_that_dribble_are_cut_and_others_are_answered(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N4: header timers close them; nobody else notices."""
    monkeypatch.setattr(connections, "HEAD_S", 2.0)
    token = (await server.api.session())[1]["Authorization"]
    ask = f"GET {ME} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode()
    lines = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(SOCKETS)]
    dribbling = asyncio.create_task(_dribble([writer for _, writer in lines]))  # noqa: RUF006  # awaited below
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(20):
        writer.write(ask)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5.0)
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
    async with asyncio.timeout(30):
        told = await asyncio.gather(*(line.read() for line, _ in lines), return_exceptions=True)
    dribbling.cancel()
    await asyncio.gather(dribbling, return_exceptions=True)
    for one in (writer, *(writer for _, writer in lines)):
        one.transport.abort()
    await asyncio.sleep(0)
    assert [answer for answer in told if isinstance(answer, bytes) and answer] == []


async def _dribble(writers: list[asyncio.StreamWriter]) -> None:
    """One byte of a head to each, again and again."""
    for byte in (f"GET {ME} HTTP/1.1\r\nX: " + "a" * 10_000).encode():
        for writer in writers:
            with suppress(ConnectionError):
                writer.write(bytes([byte]))
        await asyncio.sleep(0.1)


def hold_the_loop_up(until: float) -> None:
    """What a defect of some plug-in would do."""
    while time.monotonic() < until:
        time.sleep(0.01)


async def test_p4_a_loop_that_is_held_up_is_named_and_health_says_how_late_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P4: the watchdog dumps the stack, and health shows the lag until some seconds later."""
    monkeypatch.setattr(watchdog, "BLOCKED_S", BLOCKED_S / 4)
    monkeypatch.setattr(watchdog, "BEAT_S", 0.05)
    monkeypatch.setattr(health_module, "LAG_EVERY_S", 0.1)
    monkeypatch.setattr(health_module, "FRESH_S", 0.0)
    clock = SystemClock()
    lag = LoopLag(clock)
    health = Health(clock, {"loop": lag.probe}, vital="loop")
    with structlog.testing.capture_logs() as events:
        tasks = [asyncio.create_task(work) for work in (Watchdog(clock).watch(), lag.watch())]
        await asyncio.sleep(0.2)
        before = (await health.checks())["loop"]
        hold_the_loop_up(time.monotonic() + BLOCKED_S)
        await asyncio.sleep(0.3)
        after = (await health.checks())["loop"]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert before.state == "healthy"
    assert (after.state, "late" in str(after.detail)) == ("degraded", True)
    [blocked] = [event for event in events if event["event"] == "loop.blocked"]
    assert any(frame.endswith("hold_the_loop_up") for frame in blocked["stack"])


@pytest.mark.parametrize("step_ns", [HOUR_NS, -HOUR_NS])
def test_p5_what_lasts_for_a_time_lasts_it_by_the_monotonic_clock(step_ns: int) -> None:
    """P5: deadlines, windows and pauses do not follow a wall clock that is put elsewhere."""
    clock = ManualClock(1_772_366_400 * 10**9)
    deadline, limits = Deadline(clock, 10.0), RateLimits(clock)
    breaker = Breaker(clock, BreakerRules(failures=1, open_s=30.0))
    breaker.fail("timeout")
    policy = POLICIES["login"]
    for _ in range(policy.quota):
        limits.take(policy, "ada")
    clock.set_now_ns(clock.now_ns() + step_ns)
    assert deadline.remaining_s() == 10.0
    assert (breaker.circuit, breaker.remaining_s()) == ("open", 30.0)
    with pytest.raises(RateLimited) as refused:
        limits.take(policy, "ada")
    assert refused.value.retry_after_s == policy.window_s
    clock.advance(30.0)
    assert (deadline.remaining_s(), breaker.circuit) == (0.0, "half_open")


@pytest.mark.parametrize(
    ("step_s", "reason"),
    [(55, None), (-55, None), (900 + 55, None), (900 + 61, "token_expired"), (-61, "token_invalid")],
)
async def test_p5_tokens_are_judged_with_a_minute_of_leeway(
    api: Api, step_s: int, reason: str | None
) -> None:
    """P5: a wall clock that is wrong by less than a minute ends no session; by more it does."""
    user = await api.vault.settled()
    tokens = await api.vault.sessions.login(user.email, PASSWORD, HERE)
    api.clock.set_now_ns(api.clock.now_ns() + step_s * 10**9)
    if reason is None:
        assert (await api.vault.sessions.identify(tokens.access_token)).user.user_id == user.user_id
        return
    with pytest.raises(Unauthenticated) as refused:
        await api.vault.sessions.identify(tokens.access_token)
    assert refused.value.reason == reason


def test_p7_a_process_without_files_left_goes_on_and_takes_callers_again(tmp_path: Path) -> None:
    """P7: with 64 files accepting pauses, nothing crashes, and whoever is connected is answered."""
    with cluster(tmp_path, 1, 0, 1) as made:
        asyncio.run(_without_files(made))


async def _without_files(made: Cluster) -> None:
    [member] = made.apis
    assert member.process is not None
    line, fresh = Line(member.port, made.keys[0]), Line(member.port, made.keys[0])
    assert (await line.ask("GET", "/api/v1/scans"))[0] == 200
    resource.prlimit(member.process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
    crowd = [await _connected(member) for _ in range(2 * FILES)]
    for _ in range(5):
        assert (await line.ask("GET", "/api/v1/health"))[0] == 200
    for writer in crowd:
        if writer is not None:
            writer.transport.abort()
    answered = False
    for _ in range(50):
        answered = answered or await _answers(fresh)
        await asyncio.sleep(0 if answered else 0.2)
    assert answered
    assert member.process.poll() is None
    assert member.told.read_text().count("\n") < 50
    line.close()
    fresh.close()


async def _connected(member: Member) -> asyncio.StreamWriter | None:
    try:
        return (await asyncio.open_connection("127.0.0.1", member.port))[1]
    except OSError:
        return None


async def _answers(line: Line) -> bool:
    try:
        return (await asyncio.wait_for(line.ask("GET", "/api/v1/health"), 2.0))[0] == 200
    except (Gone, TimeoutError):
        line.close()
        return False


class _Full:
    """A file on a disk without room."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        self._file.close()

    def tell(self) -> int:
        return 0


def test_p7_a_full_log_disk_drops_and_counts_lines_and_holds_nobody_up(tmp_path: Path) -> None:
    """P7: a line is taken at once whether the disk has room or not; what was lost is counted when it has again."""
    clock = ManualClock(1_772_366_400 * 10**9)
    files = LogFiles(tmp_path, clock)
    files.write('{"event":"first"}')
    files.drain()
    whole = files._file
    assert whole is not None
    files._file = _Full(whole)  # type: ignore[assignment]  # a disk that is full
    for number in range(5):
        files.write(f'{{"event":"lost","number":{number}}}')
    files.drain()
    files._file = whole
    files.write('{"event":"later"}')
    files.close()
    [path] = tmp_path.iterdir()
    told = [json.loads(row) for row in path.read_text().splitlines()]
    assert [row["event"] for row in told] == ["first", "log.dropped", "later"]
    assert told[1]["count"] == 5
