"""Two feeds, three replicas, one real store: all know the same, also after a feed was killed and started again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sextant.kit.bus import Bus
from sextant.kit.clock import SystemClock
from sextant.kit.streams import order
from sextant.market.parts import StatePart
from sextant.market.state import MarketState
from sextant.model.shard import Shard
from sextant.scans.replica import Replica
from sextant.scans.shared_market import FeedCard, ShardFollower
from sextant.scans.source import MarketSource
from sextant.strategies.prices import CostAssumptions
from support.cluster import Member, simulated_venue
from support.valkey import connected, valkey

CARD = FeedCard(2, "demo", simulated=True)
SHARDS = (Shard(1, 2), Shard(2, 2))
REPLICAS = 3
PATIENCE_S = 90.0  # a machine that runs other tests beside

pytestmark = pytest.mark.timeout(240)


class Reached:
    """What each replica knew at every place at which the feed said its hash."""

    def __init__(self) -> None:
        self.hashes: dict[tuple[int, str], dict[int, str]] = {}

    def note(self, number: int, follower: ShardFollower) -> None:
        place, digest = follower.agreed
        if place:
            self.hashes.setdefault((follower.shard.number, place), {})[number] = digest

    def shared(self, shard: int, epoch: int = 0) -> list[str]:
        """Hashes of the places, of an epoch at least, that all replicas were seen at."""
        return [
            next(iter(known.values()))
            for (number, place), known in self.hashes.items()
            if number == shard and order(place)[0] >= epoch and len(known) == REPLICAS
        ]

    def epoch(self, shard: int) -> int:
        return max((order(place)[0] for number, place in self.hashes if number == shard), default=0)


async def test_hashes_are_equal_after_a_feed_is_killed_and_started_again(tmp_path: Path) -> None:
    clock = SystemClock()
    with valkey() as server, simulated_venue(tmp_path, 8) as address:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SEXTANT_")}
        environ |= {"SEXTANT_DATA_DIR": str(tmp_path / "data"), "SEXTANT_REDIS_URL": server.url}
        feeds = [
            Member(
                ("feed", "--shard", str(shard), "--simulated", address), environ, tmp_path / f"{shard.number}"
            )
            for shard in SHARDS
        ]
        async with connected(server, clock) as bus:
            sources = [
                MarketSource(MarketState("demo", simulated=True), clock, CostAssumptions())
                for _ in range(REPLICAS)
            ]
            replicas = [
                Replica(source, bus, clock, CARD, f"replica-{number}")
                for number, source in enumerate(sources)
            ]
            running = [asyncio.create_task(replica.run()) for replica in replicas]
            try:
                await _killed_and_started_again(feeds, replicas, bus)
                for shard in SHARDS:  # what they know is a whole market, not an empty one
                    sizes = {source.within(_size(shard)) for source in sources}
                    assert min(sizes) > 0
                assert sum(replica.followers[0].counts["differs"] for replica in replicas) == 0
            finally:
                for task in running:
                    task.cancel()
                await asyncio.wait(running)
                for feed in feeds:
                    feed.kill()


async def _killed_and_started_again(feeds: list[Member], replicas: list[Replica], bus: Bus) -> None:
    reached = Reached()

    async def until(true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                for number, replica in enumerate(replicas):
                    for follower in replica.followers:
                        reached.note(number, follower)
                await asyncio.sleep(0.02)

    for feed in feeds:
        feed.start()
    await until(lambda: all(reached.shared(shard.number) for shard in SHARDS))
    before = reached.epoch(1)
    feeds[0].kill()
    feeds[0].start()
    await until(lambda: reached.epoch(1) > before and bool(reached.shared(1, before + 1)))
    await until(lambda: len(reached.shared(2)) >= 2)  # the other shard goes on meanwhile
    for known in reached.hashes.values():
        assert len(set(known.values())) == 1
    restored = [replica.followers[0].counts["restored"] for replica in replicas]
    assert restored == [1] * REPLICAS  # nobody had to begin anew


def _size(shard: Shard) -> Callable[[MarketState], int]:
    return lambda state: len(StatePart(state, shard).instruments())
