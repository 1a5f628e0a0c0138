"""A process whose market comes from feeds of others: it follows, stands still while it must, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sextant.kit.bus import Bus
from sextant.kit.clock import SystemClock
from sextant.market.parts import StatePart
from sextant.market.state import MarketState
from sextant.model.bar import BarBlock
from sextant.model.events import Listed
from sextant.model.instrument import Instrument
from sextant.model.shard import Shard
from sextant.scans.publishing import Feeder
from sextant.scans.replica import CARD_S, Replica
from sextant.scans.shared_market import FeedCard, write_card
from sextant.scans.source import MarketSource
from sextant.strategies.prices import CostAssumptions
from support.shared import CARD, WHOLE, digest_of
from support.told import Told
from support.valkey import Valkey, connected

PATIENCE_S = 60.0


@pytest.fixture
async def bus(store: Valkey) -> AsyncIterator[Bus]:
    async with connected(store, SystemClock()) as made:
        yield made


class HurriedClock(SystemClock):
    """A clock on which five seconds pass at once."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(0.0 if seconds == CARD_S else seconds)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110  # what is waited for happens in the product
            await asyncio.sleep(0.01)


def source() -> MarketSource:
    return MarketSource(MarketState("demo", simulated=True), SystemClock(), CostAssumptions())


def digest(market: MarketSource, shard: Shard = WHOLE) -> str:
    return market.within(lambda state: StatePart(state, shard).digest())


async def test_a_replica_hears_what_a_feeder_tells_and_says_which_hash_it_reached(bus: Bus) -> None:
    told, market = Told(1), source()
    feeder = Feeder(WHOLE, bus, SystemClock(), CARD)
    await feeder.begin()
    replica = Replica(market, bus, SystemClock(), CARD, "one")
    assert (await market.probe()).state == "degraded"
    tasks = [asyncio.create_task(feeder.publish()), asyncio.create_task(replica.run())]
    feeder.learn(told.first())
    feeder.learn(list(told.more(200)))
    await until(lambda: feeder.told > 0 or digest(market) == digest_of(feeder))
    feeder.learn(list(told.more(200)))
    await until(lambda: digest(market) == digest_of(feeder))
    assert (await market.probe()).state == "healthy"
    assert market.read().view.size == len(told.names)
    await until(lambda: bool(replica.followers[0].agreed[1]))
    counts = dict(replica.counts())
    assert counts["1/1", "agrees"] >= 1
    assert counts["1/1", "restored"] == 1
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    said = await bus.call("GET", "sextant:replica:one:1/1")
    assert said.decode() == " ".join(replica.followers[0].agreed)


async def test_a_replica_begins_anew_when_the_number_of_shards_changes(bus: Bus) -> None:
    told, market, clock = Told(2), source(), SystemClock()
    two = FeedCard(2, "demo", simulated=True)
    feeder = Feeder(WHOLE, bus, clock, CARD)
    await feeder.begin()
    await feeder.tell()
    feeder.learn(told.first())
    await feeder.tell()
    replica = Replica(market, bus, HurriedClock(), CARD, "two")
    running = asyncio.create_task(replica.run())
    await until(lambda: digest(market) == digest_of(feeder))
    feeders = [Feeder(Shard(number, 2), bus, clock, two) for number in (1, 2)]
    for one in feeders:
        await one.begin()
        names = [event for event in told.first() if one.shard.holds(_named(event))]
        one.learn(names[:2])
        await one.tell()
    await write_card(bus, two)
    await until(lambda: all(digest(market, one.shard) == digest_of(one) for one in feeders))
    assert len(replica.followers) == 2
    await write_card(bus, FeedCard(5, "live", simulated=False))  # another market: it is not followed
    await asyncio.sleep(0.05)
    assert len(replica.followers) == 2
    running.cancel()
    await asyncio.wait({running})


def _named(event: Any) -> Instrument:
    if isinstance(event, Listed):
        return event.spec.instrument
    name: Instrument = event.instruments[0] if isinstance(event, BarBlock) else event.instrument
    return name
