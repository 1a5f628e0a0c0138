"""A market learnt from feeds of other processes, through their streams in the shared store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from sextant.errors import StoreAway
from sextant.kit import log
from sextant.kit.bus import Bus
from sextant.kit.clock import Clock
from sextant.kit.conditions import Conditions
from sextant.model.shard import Shard
from sextant.scans.shared_market import FeedCard, ShardFollower, read_card
from sextant.scans.source import MarketSource

WAIT_S: Final = 0.5  # an empty stream is asked again after it
PAUSE_S: Final = 0.5  # a store that is away, or a snapshot that is not there, is looked for so often
CARD_S: Final = 5.0  # a changed number of shards is found within
SAID_S: Final = 300  # what a replica said of itself is forgotten after it

_LOG: Final = log.get("scans")


class Replica:
    """Keeps the market of a process equal to what all feeds of an installation tell.

    Parameters
    ----------
    source
        Learns; nobody else teaches it.
    bus
        Where the streams lie; while it is away the market stays as it is and its ages tell so.
    clock
        Of waits.
    card
        What feeds there are.
    name
        Of this process, under which it says which hash it reached.
    """

    def __init__(self, source: MarketSource, bus: Bus, clock: Clock, card: FeedCard, name: str) -> None:
        self._source = source
        self._bus = bus
        self._clock = clock
        self._card = card
        self._name = name
        self._conditions = Conditions(clock)
        self.followers: Sequence[ShardFollower] = ()

    async def run(self) -> None:
        """Follow every shard until cancelled; begin anew when their number changes."""
        while True:
            shards = [Shard(number, self._card.count) for number in range(1, self._card.count + 1)]
            self.followers = [ShardFollower(self._source, self._bus, shard) for shard in shards]
            _LOG.info("replica.following", shards=self._card.count)
            async with asyncio.TaskGroup() as group:
                following = [group.create_task(self._follow(follower)) for follower in self.followers]
                self._card = await self._until_changed()
                for task in following:
                    task.cancel()

    def counts(self) -> list[tuple[tuple[str, str], float]]:
        """How many entries came of each shard, by what became of them."""
        return [
            ((str(follower.shard), met), float(count))
            for follower in self.followers
            for met, count in sorted(follower.counts.items())
        ]

    async def _until_changed(self) -> FeedCard:
        while True:
            await self._clock.sleep(CARD_S)
            try:
                card = await read_card(self._bus)
            except StoreAway:
                continue
            if card is None or card == self._card:
                continue
            same = (card.feed, card.simulated) == (self._card.feed, self._card.simulated)
            facts = {"feed": card.feed, "simulated": card.simulated}
            self._conditions.note("replica_other_feed", "feed", holds=not same, at_once=True, **facts)
            if same:
                return card

    async def _follow(self, follower: ShardFollower) -> None:
        shard, said = str(follower.shard), follower.agreed
        while True:
            trouble = ""
            try:
                if not await follower.place():
                    trouble = "no_snapshot"
                elif await follower.step(WAIT_S):
                    self._source.heard()
                if follower.agreed != said:
                    said = follower.agreed
                    key = f"sextant:replica:{self._name}:{shard}"
                    await self._bus.call("SET", key, " ".join(said), "EX", SAID_S)
            except StoreAway as error:
                trouble = error.reason or error.code
            self._conditions.note("replica_stands", shard, holds=bool(trouble), at_once=True, reason=trouble)
            if trouble:
                await self._clock.sleep(PAUSE_S)
