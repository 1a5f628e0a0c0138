"""The load of api.md A33: 200 mixed requests a second on a real demo server while a scan is started each second.

The server is the command a user types, in processes of its own, with its own simulated venues. Requests begin at their
time whether earlier ones were answered or not, and a time counts from when the request was to begin. Beside it, under
the same scans, the framework's smallest answer is asked as often in a third process: what the machine itself adds.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing as mp
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop
from litestar import Litestar, get

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness import tell
from sextant.app import http_settings
from sextant.kit.clock import SystemClock
from sextant.kit.db import open_engine
from sextant.strategies.catalog import strategies
from sextant.vault.audit import Origin
from sextant.vault.keys import ApiKeys
from sextant.vault.passwords import HashCost, Passwords
from sextant.vault.records import KeySpec
from sextant.vault.sessions import Sessions
from sextant.vault.signing import key_of
from sextant.vault.users import Users, UserSpec

SECONDS = float(os.environ.get("SECONDS", "60"))
INSTRUMENTS = int(os.environ.get("INSTRUMENTS", "60"))
RATE = 200
PEOPLE = 50  # 600 polls and 300 other requests a minute are allowed each
BARE_S = min(10.0, SECONDS)
READY_S = 240.0
STOP_S = 60.0
MOST_LOST = 100  # beyond it the server is gone and there is nothing to measure
HISTORY = "Long frames are complete"

POLL: Final = "/api/v1/opportunities/status/{scan_id}"
MIX: Final = (
    (40, "status", POLL),
    (20, "unchanged", POLL),
    (10, "results", "/api/v1/opportunities/results/{scan_id}"),
    (8, "me", "/api/v1/auth/me"),
    (6, "scans", "/api/v1/scans?limit=10"),
    (4, "user_status", "/api/v1/opportunities/user-status"),
    (4, "coverage", "/api/v1/scans/{scan_id}/coverage?limit=50"),
    (4, "health", "/api/v1/health"),
    (4, "strategies", "/api/v1/strategies"),
)
"""Shares in percent, names and paths."""


@dataclass
class Person:
    """Who asks: their key, newest scan and the tag they were given for it."""

    key: str
    scan_id: str = "latest"
    tag: str = ""


@dataclass
class Tally:
    """What came back: milliseconds by name, statuses, and requests that were not answered."""

    spent: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    scans: int = 0


class Lines:
    """Connections that are kept and used again, as many as are needed at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        line = self._kept() or await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = line
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(head[9:12])
        pairs = [row.partition(": ") for row in head.split("\r\n")[1:] if row]
        headers = {name.lower(): value for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        body = await reader.readexactly(length) if length and status != 304 else b""
        self._idle.append(line)
        return status, headers, body

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection that the server has not closed for being idle; None where there is none."""
        while self._idle:
            line = self._idle.pop()
            if not line[0].at_eof():
                return line
            line[1].close()
        return None


@get("/", sync_to_thread=False)
def smallest() -> dict[str, str]:
    return {"status": "ok"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _people(folder: Path) -> list[Person]:
    """People with an API key each, in the demo's own database."""
    db, clock, cheap = (
        open_engine(f"sqlite+aiosqlite:///{folder / 'demo' / 'sextant.db'}"),
        SystemClock(),
        Passwords(HashCost(1, 8, 1)),
    )
    key = key_of("a-key-that-only-makes-personal-keys-and-signs-nothing-that-is-kept")
    users, sessions, keys = Users(db, clock, cheap), Sessions(db, clock, key, cheap), ApiKeys(db, clock)
    made = []
    for number in range(PEOPLE):
        spec = UserSpec(
            f"p{number}@example.org", "P", "trader", grants=tuple(strategies()), must_change=False
        )
        user, password = await users.add(spec)
        token = (await sessions.login(user.email, password, Origin())).access_token
        identity = await sessions.identify(token)
        scopes = KeySpec(name="load", scopes=("scan:run", "scan:read", "market:read"))
        made.append(Person((await keys.create(identity, scopes, Origin()))[1]))
    await db.dispose()
    return made


def _request(method: str, path: str, person: Person, body: bytes = b"", tag: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {person.key}"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    if tag:
        lines.append(f"If-None-Match: {tag}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def _first_scans(port: int, people: Sequence[Person]) -> None:
    """Start a scan for everybody, one after the other, so that everybody has something to ask for."""
    lines = Lines(port)
    for person in people:
        await _start(lines, person, Tally(), time.perf_counter())
        await asyncio.sleep(0.2)


async def _start(lines: Lines, person: Person, tally: Tally, begun: float) -> None:
    body = b'{"force_refresh": true}'
    status, _, answer = await lines.ask(_request("POST", "/api/v1/opportunities/discover", person, body))
    tally.statuses[status] += 1
    tally.spent["discover"].append((time.perf_counter() - begun) * 1e3)
    if status == 200:
        tally.scans += 1
        person.scan_id, person.tag = json.loads(answer)["scan_id"], ""


async def _read(lines: Lines, row: tuple[int, str, str], person: Person, tally: Tally, begun: float) -> None:
    _, name, path = row
    tag = person.tag if name == "unchanged" else ""
    scan_id = person.scan_id
    status, headers, _ = await lines.ask(_request("GET", path.format(scan_id=scan_id), person, tag=tag))
    tally.statuses[status] += 1
    tally.spent[name].append((time.perf_counter() - begun) * 1e3)
    if name in ("status", "unchanged") and status in (200, 304) and scan_id == person.scan_id:
        person.tag = headers["etag"]


async def _load(port: int, people: Sequence[Person], tally: Tally) -> None:
    dice = random.Random(20_261_125)  # noqa: S311  # a repeatable mix
    lines, tasks = Lines(port), set()
    first = time.perf_counter()
    for number in range(int(RATE * SECONDS)):
        begun = first + number / RATE
        await asyncio.sleep(max(0.0, begun - time.perf_counter()))
        person = people[number % len(people)]
        if number % RATE == 0:
            person = people[number // RATE % len(people)]
            work = _start(lines, person, tally, begun)
        else:
            row = dice.choices(MIX, [share for share, _, _ in MIX])[0]
            work = _read(lines, row, person, tally, begun)
        task = asyncio.create_task(_noted(work, tally))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        if tally.lost > MOST_LOST:
            break
    late = (await asyncio.wait(tasks, timeout=15.0))[1] if tasks else set()
    tally.lost += len(late)
    for task in late:
        task.cancel()


async def _noted(work: Coroutine[Any, Any, None], tally: Tally) -> None:
    """A request, counted as lost where nobody answers it."""
    try:
        await work
    except (OSError, asyncio.IncompleteReadError):
        tally.lost += 1


async def _bare(port: int, people: Sequence[Person], demo: int) -> list[float]:
    """Milliseconds of the smallest answer, asked as often, while the demo goes on scanning."""
    lines, scans, spent, tasks = Lines(port), Lines(demo), [], set()

    async def ask(begun: float) -> None:
        await lines.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        spent.append((time.perf_counter() - begun) * 1e3)

    for _ in range(RATE):  # the first answer of a process takes a hundred times as long as the others
        await lines.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    first = time.perf_counter()
    for number in range(int(RATE * BARE_S)):
        begun = first + number / RATE
        await asyncio.sleep(max(0.0, begun - time.perf_counter()))
        tasks.add(asyncio.create_task(ask(begun)))
        if number % RATE == 0:
            tasks.add(asyncio.create_task(_start(scans, people[number // RATE], Tally(), begun)))
    await asyncio.gather(*tasks)
    return sorted(spent)


async def _ended(port: int, people: Sequence[Person]) -> list[float]:
    """Seconds that the newest ended scans of everybody took."""
    lines, took = Lines(port), []
    for person in people:
        _, _, body = await lines.ask(_request("GET", "/api/v1/scans?limit=5", person))
        rows: list[dict[str, Any]] = json.loads(body).get("scans", [])
        took += [row["execution_time_ms"] / 1e3 for row in rows if row.get("execution_time_ms")]
    return sorted(took)


def _at(spent: Sequence[float], share: float) -> float:
    ordered = sorted(spent)
    return ordered[int(share * (len(ordered) - 1))] if ordered else float("nan")


def _serve_bare(bound: socket.socket) -> None:
    server = uvicorn.Server(http_settings(Litestar([smallest], openapi_config=None, logging_config=None)))
    uvloop.run(server.serve(sockets=[bound]))


def _figures(tally: Tally, bare: Sequence[float], took: Sequence[float]) -> dict[str, float | None]:
    everything = [one for name, spent in tally.spent.items() for one in spent if name != "discover"]
    figures: dict[str, float | None] = {
        "requests": float(sum(tally.statuses.values())),
        "unanswered": float(tally.lost),
        "answers_5xx": float(sum(count for status, count in tally.statuses.items() if status >= 500)),
        "answers_4xx": float(sum(count for status, count in tally.statuses.items() if 400 <= status < 500)),
        "scans_started": float(tally.scans),
        "scan_p50_s": _at(took, 0.5) if took else None,
        "scan_p95_s": _at(took, 0.95) if took else None,
        "p50_ms": _at(everything, 0.5),
        "p95_ms": _at(everything, 0.95),
        "p99_ms": _at(everything, 0.99),
        "bare_p50_ms": statistics.median(bare),
        "bare_p95_ms": _at(bare, 0.95),
        "bare_p99_ms": _at(bare, 0.99),
    }
    for name, spent in sorted(tally.spent.items()):
        figures |= {f"{name}_p50_ms": _at(spent, 0.5), f"{name}_p99_ms": _at(spent, 0.99)}
    figures["status_p99_to_bare"] = _at(tally.spent["status"], 0.99) / _at(bare, 0.99)
    figures["health_p99_to_bare"] = _at(tally.spent["health"], 0.99) / _at(bare, 0.99)
    return figures


def _wait(told: Path, process: subprocess.Popen[bytes]) -> None:
    """Return once the server says that scans are worth starting."""
    end = time.monotonic() + READY_S
    while HISTORY not in told.read_text():
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"the demo did not come up:\n{told.read_text()[-2_000:]}")
        time.sleep(0.2)


def main() -> None:
    with tempfile.TemporaryDirectory() as name, socket.socket() as bound:
        folder, port = Path(name), _free_port()
        told = folder / "told.txt"
        environ = {key: value for key, value in os.environ.items() if not key.startswith("SEXTANT_")}
        command = ["-m", "sextant", "demo", "--port", str(port), "--instruments", str(INSTRUMENTS)]
        with told.open("wb") as output:
            demo = subprocess.Popen(  # noqa: S603  # our own command, our own interpreter
                [sys.executable, *command],
                env=environ | {"SEXTANT_DATA_DIR": name},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        bound.bind(("127.0.0.1", 0))
        bound.listen(1_024)  # who asks before the server is up waits for it
        bare = mp.get_context("fork").Process(target=_serve_bare, args=(bound,), daemon=True)
        try:
            _wait(told, demo)
            people, tally = uvloop.run(_people(folder)), Tally()
            uvloop.run(_first_scans(port, people))
            uvloop.run(_load(port, people, tally))
            if demo.poll() is not None:
                raise SystemExit(f"the demo ended under load:\n{told.read_text()[-3_000:]}")
            bare.start()
            time.sleep(1.0)
            floor = uvloop.run(_bare(bound.getsockname()[1], people, port))
            took = uvloop.run(_ended(port, people))
        finally:
            begun = time.monotonic()
            demo.terminate()
            with suppress(subprocess.TimeoutExpired):
                demo.wait(STOP_S)
            stop_s = time.monotonic() - begun
            demo.kill()
            if bare.is_alive():
                bare.kill()
        tell("api.mixed", _figures(tally, floor, took) | {"stop_s": stop_s})


if __name__ == "__main__":
    main()
