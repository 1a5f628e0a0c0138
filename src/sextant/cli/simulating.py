"""The simulated venue in a process of its own; it loads nothing of the server."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from sextant.kit.clock import SystemClock
from sextant.sim.bybit import start


class Addresses(msgspec.Struct, frozen=True):
    """Where a simulated venue listens."""

    rest: str
    sockets: str


async def run_simulation(port: int, seed: int, instruments: int, pace: float) -> None:
    """Run the simulated venue, print its addresses as one line of JSON, and end with standard input."""
    async with start(SystemClock(), seed=seed, port=port, instruments=instruments, pace=pace) as venue_server:
        addresses = Addresses(venue_server.base_url, venue_server.base_url.replace("http://", "ws://", 1))
        sys.stdout.write(msgspec.json.encode(addresses).decode() + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(
            sys.stdin.read
        )  # whoever started us holds the other end; when it is gone, so are we
