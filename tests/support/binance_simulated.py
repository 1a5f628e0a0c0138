"""The simulated Binance on loopback, a clock that tests drive, and what they ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from sextant.kit.clock import ManualClock
from sextant.sim.binance import BinanceSimulation, start

NOW_NS = 1_790_000_010_000_000_000  # half a minute after a whole one
NOW_MS = NOW_NS // 1_000_000


@dataclass
class Asking:
    """A running simulation and a client of it."""

    venue: BinanceSimulation
    clock: ManualClock
    http: aiohttp.ClientSession

    async def ask(self, path: str, **asked: object) -> Any:
        """The body of an answer that must be good."""
        status, body, _ = await self.reply(path, **asked)
        assert status == 200, body
        return body

    async def reply(self, path: str, **asked: object) -> tuple[int, Any, Mapping[str, str]]:
        """Status, body and headers of an answer."""
        params = {name: str(value) for name, value in asked.items()}
        async with self.http.get(self.venue.base_url + path, params=params) as answer:
            plain = answer.content_type != "application/json"
            return answer.status, await (answer.text() if plain else answer.json()), answer.headers


@asynccontextmanager
async def asking(*faults: Mapping[str, Any], instruments: int = 12) -> AsyncIterator[Asking]:
    """A simulation of few instruments until the block ends."""
    clock = ManualClock(NOW_NS)
    async with (
        start(clock, seed=7, instruments=instruments, faults=faults) as venue,
        aiohttp.ClientSession() as http,
    ):
        yield Asking(venue, clock, http)
