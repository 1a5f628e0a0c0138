"""A follower goes on from any place it can trust, and from no other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sextant.kit.bus import Bus
from sextant.kit.clock import ManualClock
from sextant.model.shard import Shard
from sextant.scans.publishing import LEAST_SNAPSHOT_S, LOOK_S
from sextant.scans.shared_market import (
    CARD_KEY,
    FeedCard,
    ShardFollower,
    read_card,
    stream_key,
    wish_key,
    write_card,
)
from support.shared import CARD, WHOLE, Owner, begun, digest_of, read, told
from support.told import START_NS, Told
from support.valkey import Valkey, connected

KEY = stream_key(WHOLE)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_NS)


@pytest.fixture
async def bus(store: Valkey, clock: ManualClock) -> AsyncIterator[Bus]:
    async with connected(store, clock) as made:
        yield made


async def test_a_card_is_read_as_it_was_written_and_forgotten_after_a_while(bus: Bus) -> None:
    assert await read_card(bus) is None
    card = FeedCard(3, "live", simulated=False)
    await write_card(bus, card)
    assert await read_card(bus) == card
    assert 0 < await bus.call("TTL", CARD_KEY) <= 600


@pytest.mark.parametrize("garbage", [b"\xc1", b"\x83", b"\x93\x00\xa4live\xc2"])
async def test_what_is_no_card_counts_as_none(bus: Bus, garbage: bytes) -> None:
    """faults.md R5."""
    await bus.call("SET", CARD_KEY, garbage)
    assert await read_card(bus) is None
    await bus.call("DEL", CARD_KEY)
    await bus.call("LPUSH", CARD_KEY, "x")
    assert await read_card(bus) is None
    assert bus.counts["garbage"] >= 1
    await write_card(bus, CARD)
    assert await read_card(bus) == CARD


async def test_shards_meet_in_one_market(bus: Bus, clock: ManualClock) -> None:
    card = FeedCard(2, "demo", simulated=True)
    shards, owner, market = (Shard(1, 2), Shard(2, 2)), Owner(), Told(1)
    feeders = [await begun(bus, clock, shard, card) for shard in shards]
    followers = [ShardFollower(owner, bus, shard) for shard in shards]
    for batch in (market.first(), list(market.more(1_000))):
        for feeder in feeders:
            feeder.learn([event for event in batch if _concerns(event, feeder.shard)])
            await told(feeder, clock)
        for follower in followers:
            await read(follower)
    for feeder in feeders:
        assert owner.digest(feeder.shard) == digest_of(feeder)
    known = {spec.instrument for spec in owner.state.instruments}
    assert known == set(market.names)


def _concerns(event: object, shard: Shard) -> bool:
    spec = getattr(event, "spec", None)
    name = spec.instrument if spec is not None else getattr(event, "instrument", None)
    names = (name,) if name is not None else event.instruments  # type: ignore[attr-defined]  # every kind has one
    return all(shard.holds(one) for one in names)


async def test_a_follower_that_was_away_for_too_long_takes_the_newest_snapshot(
    bus: Bus, clock: ManualClock
) -> None:
    feeder, market, owner = await begun(bus, clock), Told(2), Owner()
    feeder.learn(market.first())
    await told(feeder, clock)
    follower = ShardFollower(owner, bus, WHOLE)
    await read(follower)
    for _ in range(4):
        feeder.learn(list(market.more(100)))
        await told(feeder, clock)
    await bus.call("XTRIM", KEY, "MAXLEN", 1)
    await read(follower)
    assert (follower.counts["gap"], follower.counts["restored"]) == (1, 2)
    assert owner.digest() == digest_of(feeder)


async def test_a_snapshot_from_which_nothing_goes_on_is_taken_once_and_a_newer_one_wished_for(
    bus: Bus, clock: ManualClock
) -> None:
    """faults.md R4: a store that comes back with an old dump has neither what was told since, nor the newest snapshot."""
    feeder, market, owner = await begun(bus, clock), Told(3), Owner()
    feeder.learn(market.first())
    await told(feeder, clock)
    follower = ShardFollower(owner, bus, WHOLE)
    await read(follower)
    clock.advance(LOOK_S)
    feeder.learn(list(market.more(100)))
    await feeder.tell()
    (newest, *_) = (await bus.call("XREVRANGE", KEY, "+", "-", "COUNT", 1))[0]
    await bus.call("XDEL", KEY, newest)
    feeder.learn(list(market.more(100)))
    await feeder.tell()
    before = owner.digest()
    await read(follower)
    assert follower.counts["restored"] == 1  # the snapshot there is leads nowhere further: it is left alone
    assert owner.digest() == before
    assert await bus.call("EXISTS", wish_key(WHOLE)) == 1
    for _ in range(2):
        clock.advance(max(LEAST_SNAPSHOT_S, LOOK_S))
        feeder.learn(list(market.more(10)))
        await feeder.tell()
        await feeder.kept()
    await read(follower)
    assert owner.digest() == digest_of(feeder)
    assert await bus.call("EXISTS", wish_key(WHOLE)) == 0


async def test_a_follower_whose_market_is_not_what_the_feed_says_begins_anew(
    bus: Bus, clock: ManualClock
) -> None:
    feeder, market, owner = await begun(bus, clock), Told(4), Owner()
    feeder.learn(market.first())
    await told(feeder, clock)
    follower = ShardFollower(owner, bus, WHOLE)
    await read(follower)
    for event in Told(99).more(50):  # somebody else teaches this state
        owner.state.apply(event)
    for _ in range(2):
        feeder.learn(list(market.more(100)))
        await told(feeder, clock)
    await read(follower)
    assert follower.counts["differs"] == 1
    assert owner.digest() == digest_of(feeder)


async def test_entries_that_cannot_be_read_are_a_hole(bus: Bus, clock: ManualClock) -> None:
    feeder, market, owner = await begun(bus, clock), Told(5), Owner()
    feeder.learn(market.first())
    await told(feeder, clock)
    follower = ShardFollower(owner, bus, WHOLE)
    await read(follower)
    (newest, *_) = (await bus.call("XREVRANGE", KEY, "+", "-", "COUNT", 1))[0]
    epoch, _, number = newest.decode().partition("-")
    stray = f"{epoch}-{int(number) + 1}"
    await bus.call("XADD", KEY, stray, "a", newest, "k", "events", "b", b"no batch")
    await read(follower)
    assert follower.counts["gap"] == 1
    assert not follower.placed
    assert bus.counts["garbage"] >= 1
