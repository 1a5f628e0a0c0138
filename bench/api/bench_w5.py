"""W5: the state of a scan over HTTP beside the bare framework's smallest answer, 64 connections, one server process.

Both are served by the same HTTP server with the same settings; a second process asks. What is compared is requests per
second of the server's processor time, so that other work on the machine does not count. The 200 requests a second are spread
evenly; their times are wall times.
"""

from __future__ import annotations

import asyncio
import multiprocessing as mp
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
import uvloop
from litestar import Litestar, get
from litestar.types import ASGIApp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness import tell
from sextant.api import limits
from sextant.api.server import create
from sextant.app import assemble, http_settings
from sextant.config import load
from sextant.kit.clock import SystemClock
from sextant.scans.lifecycle import Caller
from sextant.scans.records import ScanRequest
from sextant.strategies.catalog import strategies
from sextant.vault.audit import Origin
from sextant.vault.passwords import HashCost, Passwords
from sextant.vault.sessions import Sessions
from sextant.vault.users import Users, UserSpec

CONNECTIONS = 64
PEOPLE = 16  # eight requests at a time are allowed each
SECONDS = float(os.environ.get("SECONDS", "3"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
RATE = 200


class Pace(NamedTuple):
    """When a connection asks first, and how far apart its requests begin; 0 is as fast as answers come."""

    first_s: float = 0.0
    gap_s: float = 0.0


@get("/", sync_to_thread=False)
def smallest() -> dict[str, str]:
    return {"status": "ok"}


def _endless(_: limits.RateLimits, policy: limits.Policy) -> limits.Policy:
    return limits.Policy(policy.name, 10**9, policy.window_s)


async def _bare(bound: socket.socket, told: Connection) -> None:
    await _serve(Litestar([smallest], openapi_config=None, logging_config=None), bound, told, [("/", "")])


async def _ours(bound: socket.socket, told: Connection) -> None:
    # Thousands of polls a second are what is measured; the limits are counted all the same.
    limits.RateLimits._share = _endless  # type: ignore[method-assign,assignment]  # noqa: SLF001  # the limits themselves are not measured
    with tempfile.TemporaryDirectory() as folder:
        config = load({"HOME": folder, "SEXTANT_DATA_DIR": folder})
        async with assemble(config, SystemClock(), "demo", "bench", simulated=True) as server:
            rooms = server.rooms
            cheap = Passwords(HashCost(1, 8, 1))
            rooms = replace(
                rooms,
                users=Users(server.db, rooms.clock, cheap),
                sessions=Sessions(server.db, rooms.clock, rooms.key, cheap),
            )
            asked = []
            for number in range(PEOPLE):
                spec = UserSpec(
                    f"p{number}@example.org", "P", "trader", grants=tuple(strategies()), must_change=False
                )
                user, password = await rooms.users.add(spec)
                tokens = await rooms.sessions.login(user.email, password, Origin())
                caller = Caller(user.user_id, frozenset(strategies()), await rooms.account_of(user))
                accepted = await rooms.scans.discover(caller, ScanRequest())
                asked.append((f"/api/v1/opportunities/status/{accepted.scan_id}", tokens.access_token))
            await _serve(create(rooms), bound, told, asked)


async def _serve(
    application: ASGIApp, bound: socket.socket, told: Connection, asked: Sequence[tuple[str, str]]
) -> None:
    server = uvicorn.Server(http_settings(application))
    told.send(asked)
    await server.serve(sockets=[bound])


def _process(
    serve: Callable[[socket.socket, Connection], Awaitable[None]], bound: socket.socket, told: Connection
) -> None:
    uvloop.run(serve(bound, told))  # type: ignore[arg-type]  # a coroutine


async def _ask(port: int, requests: Sequence[bytes], until: float, spent: list[float], pace: Pace) -> None:
    await asyncio.sleep(pace.first_s)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = 0
    while time.perf_counter() < until:
        begun = time.perf_counter()
        writer.write(requests[number % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        assert status in (200, 304), (head, await reader.read(600))
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if length and status != 304:
            await reader.readexactly(int(length))
        spent.append(time.perf_counter() - begun)
        number += 1
        if pace.gap_s:
            await asyncio.sleep(max(0.0, pace.gap_s - (time.perf_counter() - begun)))
    writer.close()


async def _load(
    port: int, asked: Sequence[tuple[str, str]], tags: Sequence[str] = (), rate: int = 0
) -> tuple[float, list[float]]:
    def request(path: str, token: str, tag: str) -> bytes:
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        known = f"If-None-Match: {tag}\r\n" if tag else ""
        return f"GET {path} HTTP/1.1\r\nHost: x\r\n{bearer}{known}\r\n".encode()

    spent: list[float] = []
    begun, busy = time.perf_counter(), _busy_s()
    gap_s = CONNECTIONS / rate if rate else 0.0
    known = tags or [""] * len(asked)
    made = [request(path, token, tag) for (path, token), tag in zip(asked, known, strict=True)]
    await asyncio.gather(
        *(
            _ask(
                port,
                [made[n % len(made)]],
                begun + SECONDS,
                spent,
                Pace(gap_s * n / CONNECTIONS, gap_s),
            )
            for n in range(CONNECTIONS)
        )
    )
    return len(spent) / max(1e-9, _busy_s() - busy), sorted(spent)


def _busy_s() -> float:
    """Processor seconds of all servers this process has started (proc(5), fields 14 and 15)."""
    ticks = 0
    for child in mp.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(") ")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def _tags(port: int, asked: Sequence[tuple[str, str]]) -> list[str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    tags = []
    for path, token in asked:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        await reader.readexactly(int(head.lower().partition("content-length: ")[2].partition("\r\n")[0]))
        tags.append(head.partition("etag: ")[2].partition("\r\n")[0])
    writer.close()
    return tags


def measure(
    serve: Callable[[socket.socket, Connection], Awaitable[None]], work: Callable[[int, Any], Any]
) -> Any:
    """What ``work(port, asked)`` gives while another process serves."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    mine, theirs = mp.get_context("fork").Pipe()
    process = mp.get_context("fork").Process(target=_process, args=(serve, bound, theirs), daemon=True)
    process.start()
    theirs.close()  # so that the death of the other process is noticed
    asked = mine.recv()
    time.sleep(0.3)
    try:
        return uvloop.run(work(bound.getsockname()[1], asked))
    finally:
        process.kill()
        process.join()
        bound.close()


async def _all(port: int, asked: Sequence[tuple[str, str]]) -> dict[str, float]:
    full, _ = await _load(port, asked)
    same, _ = await _load(port, asked, await _tags(port, asked))
    _, calm = await _load(port, asked, rate=RATE)
    return {
        "status_per_cpu_s": full,
        "unchanged_per_cpu_s": same,
        "p50_at_200_per_s_ms": statistics.median(calm) * 1e3,
        "p99_at_200_per_s_ms": calm[int(0.99 * (len(calm) - 1))] * 1e3,
    }


async def _plain(port: int, asked: Sequence[tuple[str, str]]) -> float:
    return (await _load(port, asked))[0]


def main() -> None:
    rounds = [(measure(_bare, _plain), measure(_ours, _all)) for _ in range(ROUNDS)]
    shares = [
        {
            **ours,
            "bare_per_cpu_s": bare,
            "share_of_bare": ours["status_per_cpu_s"] / bare,
            "unchanged_share_of_bare": ours["unchanged_per_cpu_s"] / bare,
            "unchanged_to_full_cost": ours["status_per_cpu_s"] / ours["unchanged_per_cpu_s"],
        }
        for bare, ours in rounds
    ]
    tell("api.w5", {name: statistics.median(share[name] for share in shares) for name in shares[0]})


if __name__ == "__main__":
    main()
