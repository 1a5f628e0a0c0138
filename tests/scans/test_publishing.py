"""A feeder tells what it learnt, in order and once, whatever happens to it and to the store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sextant.errors import Conflict, StoreAway
from sextant.kit.bus import Bus
from sextant.kit.clock import ManualClock
from sextant.kit.streams import Snapshots, StreamReader
from sextant.scans import publishing
from sextant.scans.publishing import DIGEST_S, SNAPSHOT_S, Feeder
from sextant.scans.shared_market import ShardFollower, read_card, stream_key
from support.shared import CARD, WHOLE, Owner, begun, digest_of, read, told
from support.told import START_NS, Told
from support.valkey import Valkey, connected, valkey

KEY = stream_key(WHOLE)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_NS)


@pytest.fixture
async def bus(store: Valkey, clock: ManualClock) -> AsyncIterator[Bus]:
    async with connected(store, clock) as made:
        yield made


async def test_a_reader_knows_what_the_feeder_knows(bus: Bus, clock: ManualClock) -> None:
    market, owner = Told(1), Owner()
    follower = ShardFollower(owner, bus, WHOLE)
    assert not await follower.place()  # nothing was told yet
    feeder = await begun(bus, clock)
    feeder.learn(market.first())
    await feeder.tell()
    await read(follower)
    for _ in range(5):
        feeder.learn(list(market.more(300)))
        await told(feeder, clock)
        await read(follower)
    assert owner.digest() == digest_of(feeder)
    assert follower.counts["agrees"] >= 5
    assert follower.counts["restored"] == 1
    assert feeder.told == len(market.first()) + 5 * 300
    assert await read_card(bus) == CARD


async def test_large_batches_are_told_in_entries_of_bounded_size(
    bus: Bus, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MOST_AT_ONCE", 50)
    feeder, market, owner = await begun(bus, clock), Told(2), Owner()
    await feeder.tell()
    feeder.learn(market.first())
    feeder.learn(list(market.more(500)))
    await told(feeder, clock)
    follower = ShardFollower(owner, bus, WHOLE)
    await read(follower)
    assert owner.digest() == digest_of(feeder)
    reader = StreamReader(bus, KEY)
    found = []
    while entries := await reader.read():
        found += entries
    assert len(found) >= 500 / 50
    assert max(len(entry.body) for entry in found) < 20_000


async def test_a_feeder_that_starts_again_goes_on_and_readers_need_no_snapshot(
    bus: Bus, clock: ManualClock
) -> None:
    first, market, owner = await begun(bus, clock), Told(3), Owner()
    first.learn(market.first())
    await told(first, clock)
    follower = ShardFollower(owner, bus, WHOLE)
    await read(follower)
    first.learn(list(market.more(400)))
    await told(first, clock)
    first.learn(list(market.more(100)))  # learnt, never told: gone with its process
    second = await begun(bus, clock)
    assert all(not second.within(lambda state: state).book(name).valid for name in market.names)
    second.learn(list(market.more(400)))
    await told(second, clock)
    await read(follower)
    assert owner.digest() == digest_of(second)
    assert (follower.counts["restored"], follower.counts["gap"], follower.counts["differs"]) == (1, 0, 0)
    first.learn(list(market.more(1)))
    with pytest.raises(Conflict):  # the first lives on after all: it is refused
        await first.tell()


async def test_a_feeder_finds_its_own_past_only_if_it_is_whole(bus: Bus, clock: ManualClock) -> None:
    first, market, owner = await begun(bus, clock), Told(4), Owner()
    first.learn(market.first())
    await told(first, clock)
    follower = ShardFollower(owner, bus, WHOLE)
    await read(follower)
    await bus.call("DEL", f"{KEY}:snapshot")
    second = await begun(bus, clock)
    assert second.within(lambda state: state.instruments) == ()
    second.learn(Told(5, ("NEW",)).first())
    await told(second, clock)
    await read(follower)
    assert owner.digest() == digest_of(second)
    assert [spec.instrument.base for spec in owner.state.instruments] == ["NEW"]


async def test_events_wait_while_the_store_is_away(clock: ManualClock) -> None:
    """faults.md R1."""
    with valkey() as store:
        async with connected(store, clock) as bus:
            feeder, market, owner = await begun(bus, clock), Told(6), Owner()
            feeder.learn(market.first())
            await told(feeder, clock)
            follower = ShardFollower(owner, bus, WHOLE)
            await read(follower)
            store.kill()
            for _ in range(5):
                feeder.learn(list(market.more(100)))
                with pytest.raises(StoreAway):
                    await feeder.tell()
            store.start()  # with an empty memory
            for _ in range(3):
                clock.advance(5.0)
                await tolerant(feeder)
            await told(feeder, clock)
            await read(follower)
            assert owner.digest() == digest_of(feeder)
            assert follower.counts["differs"] == 0


async def tolerant(feeder: Feeder) -> None:
    try:
        await feeder.tell()
        await feeder.kept()
    except StoreAway:
        pass


async def test_what_does_not_fit_into_memory_is_told_by_a_snapshot(
    bus: Bus, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MOST_WAITING", 5_000)
    feeder, market, owner = await begun(bus, clock), Told(7), Owner()
    feeder.learn(market.first())
    await told(feeder, clock)
    follower = ShardFollower(owner, bus, WHOLE)
    await read(follower)
    for _ in range(4):
        feeder.learn(list(market.more(3_000)))
    await told(feeder, clock)
    feeder.learn(list(market.more(10)))
    await told(feeder, clock)
    await read(follower)
    assert owner.digest() == digest_of(feeder)
    assert (follower.counts["gap"], follower.counts["restored"]) == (1, 2)


async def test_a_snapshot_is_made_when_a_reader_wishes_for_one(bus: Bus, clock: ManualClock) -> None:
    feeder, market = await begun(bus, clock), Told(8)
    feeder.learn(market.first())
    await told(feeder, clock)
    kept = Snapshots(bus, KEY)
    before = await kept.position()
    clock.advance(SNAPSHOT_S / 4)
    feeder.learn(list(market.more(10)))
    await feeder.tell()
    await feeder.kept()
    assert await kept.position() == before  # not yet due
    await bus.call("DEL", f"{KEY}:snapshot")  # evicted: faults.md R3
    for _ in range(2):
        clock.advance(SNAPSHOT_S / 8)
        feeder.learn(list(market.more(10)))
        await feeder.tell()
        await feeder.kept()
    assert await kept.position() not in (None, before)


async def test_a_digest_is_told_only_with_all_that_was_learnt(bus: Bus, clock: ManualClock) -> None:
    feeder, market = await begun(bus, clock), Told(9)
    feeder.learn(market.first())
    await told(feeder, clock)
    feeder.learn(list(market.more(5)))
    await feeder.tell()
    clock.advance(DIGEST_S)
    await feeder.tell()  # nothing waits: nothing is said
    feeder.learn(list(market.more(5)))
    await feeder.tell()
    kinds = [entry.kind for entry in await StreamReader(bus, KEY).read()]
    assert kinds[-4:] == ["digest", "events", "events", "digest"]


async def test_a_restarted_feed_says_that_its_connections_were_lost(bus: Bus, clock: ManualClock) -> None:
    first, market = await begun(bus, clock), Told(10)
    first.learn(market.first())
    await told(first, clock)
    second = await begun(bus, clock)
    assert second.told == 1
    owner = Owner()
    await read(ShardFollower(owner, bus, WHOLE))
    freshness = owner.state.freshness(market.now_ns)
    assert {row["quote"].reason for row in freshness.values()} == {"feed_restarted"}
