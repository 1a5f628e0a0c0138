"""Feeders and followers over a real store, driven by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sextant.kit.bus import Bus
from sextant.kit.clock import ManualClock
from sextant.market.parts import StatePart
from sextant.market.state import MarketState
from sextant.model.shard import Shard
from sextant.scans.publishing import DIGEST_S, SNAPSHOT_S, Feeder
from sextant.scans.shared_market import FeedCard, ShardFollower

T = TypeVar("T")

CARD = FeedCard(1, "demo", simulated=True)
WHOLE = Shard(1, 1)


class Owner:
    """A state of one's own."""

    def __init__(self) -> None:
        self.state = MarketState("demo", simulated=True)

    def within(self, work: Callable[[MarketState], T]) -> T:
        return work(self.state)

    def digest(self, shard: Shard = WHOLE) -> str:
        return StatePart(self.state, shard).digest()


def digest_of(feeder: Feeder) -> str:
    return feeder.within(lambda state: StatePart(state, feeder.shard).digest())


async def begun(bus: Bus, clock: ManualClock, shard: Shard = WHOLE, card: FeedCard = CARD) -> Feeder:
    feeder = Feeder(shard, bus, clock, card)
    await feeder.begin()
    await feeder.tell()
    await feeder.kept()
    return feeder


async def told(feeder: Feeder, clock: ManualClock) -> None:
    """Everything that waits is told, with a digest and a snapshot."""
    clock.advance(max(DIGEST_S, SNAPSHOT_S))
    await feeder.tell()
    await feeder.kept()


async def read(follower: ShardFollower) -> None:
    """All there is now."""
    for _ in range(4):
        if await follower.place():
            while await follower.step(0.0):
                pass
