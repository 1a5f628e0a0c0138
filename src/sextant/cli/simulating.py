"""The simulated venues in a process of their own; it loads nothing of the server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from sextant.errors import Unreachable
from sextant.kit.clock import SystemClock
from sextant.sim.bybit_account import key_of
from sextant.sim.together import start

SIMULATOR_START_S: Final = 30.0
SIMULATOR_STOP_S: Final = 5.0


class Addresses(msgspec.Struct, frozen=True):
    """Where the simulated venues listen, all at one address, and the key of the account that one of them holds."""

    rest: str
    sockets: str
    account_key: str
    account_secret: str


async def run_simulation(port: int, seed: int, instruments: int, pace: float) -> None:
    """Run the simulated venues, print their address as one line of JSON, and end with standard input."""
    async with start(SystemClock(), seed=seed, port=port, instruments=instruments, pace=pace) as address:
        account = key_of(seed)
        addresses = Addresses(address, address.replace("http://", "ws://", 1), account.key, account.secret)
        sys.stdout.write(msgspec.json.encode(addresses).decode() + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(
            sys.stdin.read
        )  # whoever started us holds the other end; when it is gone, so are we


@asynccontextmanager
async def simulated(seed: int, instruments: int) -> AsyncIterator[Addresses]:
    """A simulated venue in a process of its own, ended with this one however it ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sextant",
        "simulate",
        "--seed",
        str(seed),
        "--instruments",
        str(instruments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C reaches us alone; closing its input ends it
    )
    try:
        if process.stdout is None or process.stdin is None:
            raise Unreachable("The simulated venue has no pipes.", reason="reset")
        line = await asyncio.wait_for(process.stdout.readline(), SIMULATOR_START_S)
        if not line:
            raise Unreachable("The simulated venue did not start; its reason is above.", reason="reset")
        yield msgspec.json.decode(line, type=Addresses)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), SIMULATOR_STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
