"""Our feed of a venue, its broker and a market state, at a simulated venue whose time the test drives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeVar

from sextant.kit.clock import ManualClock
from sextant.market.state import MarketState
from sextant.model.events import Event
from sextant.model.instrument import Instrument
from sextant.venues.asking import broker_of
from sextant.venues.feed import Feed, Wanted, Watcher, at
from sextant.venues.port import Venue

STEP_S: Final = 0.25
_TURNS: Final = 12  # of the loop after each step: enough for a message to pass both sockets


Heard = TypeVar("Heard", bound="Listening")


class Simulated(Protocol):
    """A simulated venue."""

    base_url: str

    def pump(self) -> None: ...


@dataclass
class Listening:
    """What a test looks at and drives; the feed's jitter follows from ``seed``."""

    clock: ManualClock
    there: Simulated
    state: MarketState
    feed: Feed = field(init=False)
    seed: int = field(default=7, kw_only=True)
    events: list[Event] = field(default_factory=list)
    filled: list[object] = field(default_factory=list)

    def learn(self, events: Iterable[Event]) -> Sequence[Instrument]:
        """Apply events as the product does."""
        for event in events:
            self.events.append(event)
            self.state.apply(event)
        return [instrument for instrument, _ in self.state.drain_resyncs()]

    async def step(self, seconds: float = STEP_S) -> None:
        """Let so many seconds pass at once, and every socket speak."""
        self.clock.advance(seconds)
        self.there.pump()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float, step_s: float = STEP_S) -> None:
        """Let time pass in steps."""
        for _ in range(round(seconds / step_s)):
            await self.step(step_s)

    async def until(self, holds: Callable[[], bool], within_s: float = 30.0) -> float:
        """Seconds until something holds; an error if it does not within ``within_s``."""
        passed = 0.0
        while not holds():
            assert passed < within_s, f"not within {within_s} s"
            await self.step()
            passed += STEP_S
        return passed

    def valid(self, *instruments: Instrument) -> bool:
        """Whether the books of instruments are listed and believed."""
        known = {spec.instrument for spec in self.state.instruments}
        return known.issuperset(instruments) and all(self.state.book(each).valid for each in instruments)

    def count(self, kind: type[Event]) -> int:
        """How many events of a kind arrived."""
        return sum(type(event) is kind for event in self.events)


@asynccontextmanager
async def fed(
    heard: Heard, venue: Venue, folder: Path | None, wanted: Wanted, watcher: Watcher
) -> AsyncIterator[Heard]:
    """What is heard of the venue until the block ends; with a folder through a broker whose bans lie there."""
    address = heard.there.base_url
    heard.feed = Feed(
        at(venue, address, address.replace("http", "ws", 1)), heard.clock, heard.learn, wanted, watcher
    )
    heard.feed.draw(random.Random(heard.seed).random)  # noqa: S311  # a repeatable run, no secret
    if folder is not None:
        heard.feed.within(broker_of(venue, heard.clock, folder))
    running = asyncio.ensure_future(heard.feed.run())
    try:
        yield heard
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def listening(
    venue: Venue, there: Simulated, clock: ManualClock, folder: Path, wanted: Wanted
) -> AsyncIterator[Listening]:
    """Our feed of a simulated venue, within a broker whose bans lie in the folder, until the block ends."""
    heard = Listening(clock, there, MarketState("demo", simulated=True))
    async with fed(heard, venue, folder, wanted, Watcher(filled=heard.filled.append)):
        yield heard
