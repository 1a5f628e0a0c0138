"""A part of a state moves to another process: what arrives is equal, stays equal, and never disturbs other parts."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec
import pytest
import zstandard

from sextant.errors import InputError
from sextant.market.parts import StatePart
from sextant.market.state import MarketState
from sextant.model.events import Event, Listed
from sextant.model.shard import Shard
from support.market import bar_update, listed, state_of
from support.told import Told, perpetual

ALL = Shard(1, 1)
PARTS = (Shard(1, 2), Shard(2, 2))
SMALL = dict.fromkeys(("1m", "5m", "30m", "1h", "4h", "1d"), 24)


def fresh(*, simulated: bool = True) -> MarketState:
    return MarketState("demo", simulated=simulated, keep_rows=SMALL)  # type: ignore[arg-type]  # the intervals


def learnt(state: MarketState, events: Iterable[Event]) -> MarketState:
    for event in events:
        state.apply(event)
    return state


def moved(source: MarketState, target: MarketState, shard: Shard = ALL) -> None:
    part = StatePart(target, shard)
    part.restore(part.load(StatePart(source, shard).dump()()))


def split(seed: int) -> tuple[Told, Told]:
    """Two feeds, one for the instruments of each half."""
    bases = [f"A{number}" for number in range(40)]
    halves = [tuple(base for base in bases if part.holds(perpetual(base)))[:3] for part in PARTS]
    made = [Told(seed + number, half) for number, half in enumerate(halves)]
    for feed, part in zip(made, PARTS, strict=True):
        feed.options = [name for base in bases for name in (Told(0, (base,)).options) if part.holds(name)][:6]
    return made[0], made[1]


@pytest.mark.parametrize("seed", range(6))
def test_a_moved_state_is_equal_and_stays_equal(seed: int) -> None:
    feed = Told(seed)
    source = learnt(fresh(), [*feed.first(), *feed.more(2_000)])
    target = learnt(fresh(), Told(seed + 50).first())  # what it knew before is forgotten
    moved(source, target)
    assert target.state_hash() == source.state_hash()
    assert target.view(feed.now_ns).content_hash == source.view(feed.now_ns).content_hash
    for _ in range(10):
        for event in feed.more(200):
            source.apply(event)
            target.apply(event)
        assert target.state_hash() == source.state_hash()
        assert StatePart(target, ALL).digest() == StatePart(source, ALL).digest()
    assert target.view(feed.now_ns).content_hash == source.view(feed.now_ns).content_hash


@pytest.mark.parametrize("seed", range(4))
def test_what_other_shards_tell_changes_no_part(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311  # seeded order, no secret
    feeds = split(seed)
    own = [fresh(), fresh()]
    merged = fresh()
    parts = [StatePart(merged, shard) for shard in PARTS]
    for feed, state in zip(feeds, own, strict=True):
        for event in feed.first():
            state.apply(event)
            merged.apply(event)
    for _ in range(40):
        which = dice.randrange(2)
        for event in feeds[which].more(dice.randint(1, 150)):
            own[which].apply(event)
            merged.apply(event)
        late = feeds[0].now_ns - feeds[1].now_ns
        feeds[late < 0].now_ns = max(feed.now_ns for feed in feeds)  # the two venues share their time
        for number, shard in enumerate(PARTS):
            assert parts[number].digest() == StatePart(own[number], shard).digest(), number
        if dice.random() < 0.15:
            moved(own[which], merged, PARTS[which])
            assert parts[which].digest() == StatePart(own[which], PARTS[which]).digest()


def test_instruments_that_the_dump_does_not_name_are_forgotten_and_others_stay() -> None:
    first, second = split(3)
    target = learnt(fresh(), [*first.first(), *second.first()])
    kept = [event for event in first.first() if isinstance(event, Listed)][:1]
    source = learnt(fresh(), kept)
    before = StatePart(target, PARTS[1]).digest()
    moved(source, target, PARTS[0])
    assert StatePart(target, PARTS[0]).instruments() == (kept[0].spec.instrument,)
    assert StatePart(target, PARTS[1]).digest() == before


def test_a_view_and_a_dump_keep_what_they_were_made_of() -> None:
    feed = Told(9)
    source = learnt(fresh(), [*feed.first(), *feed.more(500)])
    view, expected = source.view(feed.now_ns), source.state_hash()
    close = view.bars["1m"].close.copy()
    make = StatePart(source, ALL).dump()
    later = learnt(source, feed.more(1_500)).state_hash()  # bars are repaired and rings move on
    target = fresh()
    part = StatePart(target, ALL)
    part.restore(part.load(make()))
    assert target.state_hash() == expected != later
    assert view.bars["1m"].close.tobytes() == close.tobytes()
    kept = target.view(feed.now_ns)
    shown = kept.bars["1m"].close.copy()
    moved(source, target)
    assert kept.bars["1m"].close.tobytes() == shown.tobytes()


def test_an_empty_part_moves() -> None:
    source, target = fresh(), learnt(fresh(), Told(1).first())
    moved(source, target)
    assert StatePart(target, ALL).digest() == StatePart(source, ALL).digest()
    assert target.instruments == ()


def test_a_ring_that_is_further_takes_the_rows_that_fit() -> None:
    """Bars of 24 rows and 8 rows of slack: a shard 8 rows behind is whole, one that is further behind has lost its oldest."""
    ahead, behind = PARTS[0], PARTS[1]
    bases = {
        part: next(b for b in map("B{}".format, range(40)) if part.holds(perpetual(b))) for part in PARTS
    }

    def bars(base: str, rows: range) -> list[Event]:
        return [listed(base), *(bar_update(row, base=base) for row in rows)]

    for lag, equal in ((8, True), (9, False)):
        source = state_of(*bars(bases[behind], range(100, 130)), keep=24)
        target = state_of(*bars(bases[ahead], range(110, 130 + lag)), keep=24)
        part = StatePart(target, behind)
        part.restore(part.load(StatePart(source, behind).dump()()))
        assert (part.digest() == StatePart(source, behind).digest()) is equal


def test_a_dump_of_another_feed_or_format_is_refused() -> None:
    feed = Told(2)
    dumped = StatePart(learnt(fresh(), feed.first()), ALL).dump()()
    with pytest.raises(InputError, match="does not fit"):
        StatePart(fresh(simulated=False), ALL).load(dumped)
    other = msgspec.msgpack.decode(zstandard.decompress(dumped))
    other[0] = 999
    with pytest.raises(InputError, match="format 999"):
        StatePart(fresh(), ALL).load(zstandard.compress(msgspec.msgpack.encode(other)))


def test_bytes_that_are_no_dump_are_refused_and_change_nothing() -> None:
    dice = random.Random(1)  # noqa: S311  # repeatable damage, no secret
    feed = Told(4, ("AAA",))
    state = learnt(fresh(), [*feed.first(), *feed.more(200)])
    expected = state.state_hash()
    part = StatePart(state, ALL)
    inner = zstandard.decompress(part.dump()())
    refused = 0
    for _ in range(300):
        spoilt = bytearray(inner)
        spoilt[dice.randrange(200)] = dice.randrange(256)
        for packed in (bytes(spoilt), zstandard.compress(bytes(spoilt[: dice.randrange(1, len(spoilt))]))):
            try:
                part.load(packed)
            except InputError:
                refused += 1
    assert refused > 500
    assert state.state_hash() == expected
