"""The simulated venues in a process of their own; it loads nothing of the server."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from sextant.kit.clock import SystemClock
from sextant.sim.bybit_account import key_of
from sextant.sim.together import start


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
