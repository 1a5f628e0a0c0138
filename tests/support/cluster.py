"""A whole installation as an operator runs it: PostgreSQL, a simulated venue, api and work processes, all real."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sextant.kit.clock import SystemClock
from sextant.kit.db import migrate, open_engine
from sextant.strategies.catalog import strategies
from sextant.vault.keys import ApiKeys
from sextant.vault.passwords import Passwords
from sextant.vault.records import KeySpec
from sextant.vault.sessions import Sessions
from sextant.vault.users import Users, UserSpec
from support.people import CHEAP, HERE, KEY
from support.postgres import postgresql
from support.valkey import Valkey, valkey

START_S: Final = 120.0  # a loaded machine compiles kernels in this time
INSTRUMENTS: Final = 6
STOP_S: Final = 15.0  # faults.md P2: a process drains within 10 s


@dataclass
class Member:
    """One process of the cluster: its command, and where it tells what it says."""

    command: tuple[str, ...]
    environ: dict[str, str]
    told: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self) -> None:
        """Start it; it is not waited for."""
        self.starts += 1
        with self.told.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sextant", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environ,
            )

    def wait(self, word: str = "Sextant ") -> None:
        """Wait until it says that it is there, as often as it was started."""
        end = time.monotonic() + START_S
        while self.told.read_text().count(word) < self.starts:
            if self.process is None or self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{self.command} did not come up:\n{self.told.read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as the kernel does when memory is out: without a word."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(STOP_S)

    def terminate(self) -> None:
        """Ask it to end."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        return 0 if self.process is None else self.process.wait(STOP_S)

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        self.terminate()
        return self.ended()


@dataclass
class Cluster:
    """The members of an installation and the keys of its people."""

    url: str
    apis: list[Member] = field(default_factory=list)
    workers: list[Member] = field(default_factory=list)
    feeds: list[Member] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    store: Valkey | None = None

    @property
    def members(self) -> list[Member]:
        return [*self.feeds, *self.apis, *self.workers]


@contextmanager
def cluster(
    folder: Path, apis: int, workers: int, people_count: int, *, stored: bool = False
) -> Iterator[Cluster]:
    """A running cluster; everything is ended with the block.

    Where it is ``stored``, one process feeds the workers through a shared store and they are its replicas.
    """
    with (
        postgresql() as url,
        simulated_venue(folder, INSTRUMENTS) as address,
        valkey() if stored else nullcontext() as store,
    ):
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SEXTANT_")}
        environ |= {
            "SEXTANT_DATA_DIR": str(folder / "data"),
            "SEXTANT_DATABASE_URL": url,
            "SEXTANT_TOKEN_KEY": "a-signing-key-that-every-process-of-the-cluster-shares",
        }
        made = Cluster(url, keys=asyncio.run(keys_of(url, people_count)), store=store)
        if store is not None:
            environ["SEXTANT_REDIS_URL"] = store.url
            made.feeds.append(Member(("feed", "--simulated", address), environ, folder / "feed.log"))
        for number in range(workers):
            command = ("work", "--simulated", address)
            made.workers.append(Member(command, environ, folder / f"work-{number}.log"))
        for number in range(apis):
            port = free_port()
            command = ("api", "--port", str(port))
            made.apis.append(Member(command, environ, folder / f"api-{number}.log", port))
        try:
            for member in made.feeds:  # a worker that finds no feed opens sockets of its own
                member.start()
                member.wait()
            for member in (*made.apis, *made.workers):
                member.start()
            for member in (*made.apis, *made.workers):
                member.wait()
            yield made
        finally:
            for member in made.members:
                member.kill()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def simulated_venue(folder: Path, instruments: int) -> Iterator[str]:
    """The address of a simulated venue in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "sextant",
        "simulate",
        "--instruments",
        str(instruments),
        "--pace",
        "0.2",
    ]
    with (folder / "venue.log").open("wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
    if process.stdin is None or process.stdout is None:
        raise AssertionError("the simulated venue has no pipes")
    try:
        yield str(json.loads(process.stdout.readline())["rest"])
    finally:
        process.stdin.close()
        process.wait(STOP_S)
        process.stdout.close()


async def keys_of(url: str, count: int) -> list[str]:
    """Personal API keys of as many people, each granted every strategy."""
    db, clock, passwords = open_engine(url), SystemClock(), Passwords(CHEAP)
    await migrate(db)
    users, sessions = Users(db, clock, passwords), Sessions(db, clock, KEY, passwords)
    keys = []
    for number in range(count):
        email = f"person{number}@example.org"
        spec = UserSpec(email, "Person", "trader", grants=tuple(strategies()), must_change=False)
        _, password = await users.add(spec)
        identity = await sessions.identify((await sessions.login(email, password, HERE)).access_token)
        made = await ApiKeys(db, clock).create(
            identity, KeySpec(name="poll", scopes=("scan:run", "scan:read")), HERE
        )
        keys.append(made[1])
    await db.dispose()
    return keys


class Gone(Exception):
    """The process did not answer; it was killed, or is just starting."""


@dataclass
class Line:
    """One kept-alive connection to one process; it is made anew when the process comes back."""

    port: int
    key: str
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, method: str, path: str, body: bytes = b"", *headers: str) -> tuple[int, Any]:
        """Status and JSON of an answer.

        Raises
        ------
        Gone
            If none came.
        """
        try:
            async with self.turn, asyncio.timeout(20):
                if self.writer is None or self.reader is None:
                    self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
                head = [f"{method} {path} HTTP/1.1", "Host: sextant", f"Authorization: Bearer {self.key}"]
                head += [*headers, f"Content-Length: {len(body)}"]
                if body:
                    head.append("Content-Type: application/json")
                self.writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
                return await _answer(self.reader)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.close()
            raise Gone(str(self.port)) from error

    def close(self) -> None:
        """Hang up."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


async def _answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    lower = head.lower()
    place = lower.find(b"content-length:")
    length = int(lower[place + 15 : lower.find(b"\r\n", place)]) if place >= 0 else 0
    body = await reader.readexactly(length) if length else b"null"
    return status, json.loads(body)
