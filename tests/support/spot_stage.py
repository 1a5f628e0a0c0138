"""Live feeds of Kraken and Coinbase at their simulators, and what is true there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sextant.kit.clock import ManualClock
from sextant.market.state import MarketState
from sextant.model.event_block import Events
from sextant.model.events import Event, Listed
from sextant.model.instrument import Instrument, parse_instrument
from sextant.sim import coinbase as simulated_coinbase
from sextant.sim import kraken as simulated_kraken
from sextant.sim.coinbase import CoinbaseSimulation
from sextant.sim.kraken import KrakenSimulation
from sextant.sim.spot_venue import SpotVenue
from sextant.venues.backfill import Plan
from sextant.venues.feed import Feed, Wanted, at
from sextant.venues.library.coinbase import VENUE as COINBASE
from sextant.venues.library.kraken import VENUE as KRAKEN
from support.loopback import advance_until

START_NS = 1_790_000_010_000_000_000
JITTER_SEED = 7
BASES = ("BTC", "ETH", "SOL")
DEPTH = {"kraken": 25, "coinbase": 1_000}
JOINT = {"kraken": "/", "coinbase": "-"}
SOCKET = {"kraken": "/v2", "coinbase": "/"}


class Heard:
    """A feed and everything it brought."""

    def __init__(self, name: str, venue: SpotVenue, clock: ManualClock) -> None:
        self.name, self.venue, self.clock = name, venue, clock
        self.state = MarketState("live", simulated=True)
        self.events: list[Event] = []
        self.feed: Feed

    def learn(self, events: Events) -> Sequence[Instrument]:
        for event in events:
            self.events.append(event)
            self.state.apply(event)
        return [instrument for instrument, _ in self.state.drain_resyncs()]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    def instrument(self, base: str) -> Instrument:
        return parse_instrument(f"{self.name}:{base}-USD:spot")

    def valid(self, *bases: str) -> bool:
        if not self.of(Listed):
            return False
        return all(self.state.book(self.instrument(base)).valid for base in bases or BASES)

    def up(self) -> bool:
        """Whether every subscription of every connection has been answered."""
        states = self.feed.states()
        return bool(states) and all(state.up for state in states)

    def true(self, base: str) -> bool:
        """Whether our book is the simulator's, level by level, as of what it pushed last."""
        listing = self.venue.live.find("spot", f"{base}{JOINT[self.name]}USD")
        assert listing is not None
        book = self.state.book(self.instrument(base))
        bids, asks = self.venue.book(listing.symbol, DEPTH[self.name])
        for ours, truth in ((book.bids, bids), (book.asks, asks)):
            told = [(round(price / listing.tick), round(size / listing.lot)) for price, size in ours]
            if told != truth[: len(told)] or len(told) < min(10, len(truth)):
                return False
        return book.valid

    async def until(self, what: Any, step_s: float = 0.25, most: int = 400) -> None:
        await advance_until(self.clock, step_s, what, most)


@asynccontextmanager
async def kraken(
    *faults: dict[str, Any], history: Plan | None = None, pace: float = 1.0
) -> AsyncIterator[Heard]:
    clock = ManualClock(START_NS)
    async with (
        simulated_kraken.start(clock, seed=7, instruments=24, faults=faults, pace=pace) as venue,
        fed(Heard("kraken", venue, clock), KRAKEN, venue, history) as heard,
    ):
        yield heard


@asynccontextmanager
async def coinbase(
    *faults: dict[str, Any], history: Plan | None = None, pace: float = 1.0
) -> AsyncIterator[Heard]:
    clock = ManualClock(START_NS)
    async with (
        simulated_coinbase.start(clock, seed=7, instruments=24, faults=faults, pace=pace) as venue,
        fed(Heard("coinbase", venue, clock), COINBASE, venue, history) as heard,
    ):
        yield heard


@asynccontextmanager
async def fed(
    heard: Heard, venue: Any, simulation: KrakenSimulation | CoinbaseSimulation, history: Plan | None
) -> AsyncIterator[Heard]:
    moved = at(venue, simulation.base_url, simulation.base_url.replace("http", "ws", 1))
    wanted = Wanted(bases=frozenset(BASES), quotes=frozenset({"USD"}), history=history)
    heard.feed = Feed(moved, heard.clock, heard.learn, wanted)
    heard.feed.draw(random.Random(JITTER_SEED).random)  # noqa: S311  # a repeatable run, no secret
    running = asyncio.ensure_future(heard.feed.run())
    try:
        yield heard
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
