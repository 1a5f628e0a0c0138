"""The reader of an account against the simulated venue over loopback: real requests, real signatures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sextant.kit.clock import ManualClock
from sextant.kit.http import HttpSettings, RestClient
from sextant.kit.retry import Retrying
from sextant.model.credentials import Credentials
from sextant.portfolio.accounts import AccountReader
from sextant.sim.bybit import Simulation, start
from sextant.venues.catalog import venue
from sextant.venues.feed import at

START_NS: Final = 1_786_310_817_000_000_000


@asynccontextmanager
async def reading(
    clock: ManualClock, secret: str | None = None, **scene: object
) -> AsyncIterator[tuple[AccountReader, Simulation]]:
    """A reader with the venue's own key, or with that key and another secret."""
    async with start(clock, seed=7, instruments=24, **scene) as simulated:  # type: ignore[arg-type]  # fields of Scene
        place = at(venue("bybit"), simulated.base_url, simulated.base_url.replace("http", "ws", 1))
        key = simulated.account_key
        settings = HttpSettings(refusal=place.refusal)
        async with RestClient(place.rest, Retrying(clock, lambda: 0.5, repeats=0), settings) as client:
            credentials = Credentials("bybit", key.key, key.secret if secret is None else secret)
            yield AccountReader(place, credentials, client, clock), simulated
