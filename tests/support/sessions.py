"""A session against a spoken venue on loopback, driven by a manual clock."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from sextant.kit.clock import ManualClock
from sextant.kit.rate_limit import Silence
from sextant.model.events import Event
from sextant.venues.library.bybit import VENUE
from sextant.venues.link import Outlet, Subscription
from sextant.venues.port import Listing, SymbolTable, Venue
from sextant.venues.session import Session, runtime
from support.loopback import SpokenSocket, SpokenVenue, advance_until, serving

NOW_NS = 1_786_310_817_000_000_000


def book(symbol: str, update: int, kind: str = "delta") -> dict[str, object]:
    return {
        "topic": f"orderbook.50.{symbol}",
        "type": kind,
        "ts": 1_786_310_818_130,
        "data": {"s": symbol, "b": [["65095.30", "0.005"]], "a": [["65116.60", "1"]], "u": update, "seq": 1},
        "cts": 1_786_310_818_129,
    }


class Stage:
    """A session against a spoken venue, with everything it said."""

    def __init__(self, venue: Venue, spoken: SpokenVenue, wanted: Sequence[Subscription]) -> None:
        self.spoken = spoken
        self.clock = ManualClock(NOW_NS)
        self.events: list[Event] = []
        self.frames: list[tuple[str, int, bytes]] = []
        self.fraction = random.Random(11).random  # noqa: S311  # seeded, not secret
        self.silence = Silence(self.clock)
        self.session = Session(
            venue,
            wanted,
            SymbolTable(subscription.listing for subscription in wanted),
            Outlet(self.events.extend, lambda *frame: self.frames.append(frame)),
            runtime(venue, self.clock, self.fraction, self.silence),
        )

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if type(event) is kind]

    async def until_up(self) -> SpokenSocket:
        await advance_until(self.clock, 0.5, lambda: all(state.up for state in self.session.states()))
        return self.spoken.open[-1]


def whole(*listings: Listing) -> list[Subscription]:
    return [Subscription(each, ("book", "trades", "quote", "bars")) for each in listings]


@asynccontextmanager
async def staged(*wanted: Subscription, **limits: object) -> AsyncIterator[Stage]:
    spoken = SpokenVenue()
    async with serving(spoken.serve) as host:
        venue = dataclasses.replace(
            VENUE,
            sockets={name: f"ws://{host}/v5/public/{name}" for name in VENUE.sockets},
            limits=dataclasses.replace(VENUE.limits, **limits),  # type: ignore[arg-type]  # by name
        )
        stage = Stage(venue, spoken, wanted)
        running = asyncio.ensure_future(stage.session.run())
        try:
            yield stage
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running


async def quiet_seconds(stage: Stage, seconds: int) -> None:
    for _ in range(seconds):
        stage.clock.advance(1.0)
        for _ in range(3):
            await asyncio.sleep(0)
