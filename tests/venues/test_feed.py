"""The whole way from a venue's addresses to ordered events, over real loopback sockets and REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sextant.kit.clock import ManualClock
from sextant.kit.silences import Silences
from sextant.model.bar import BarBlock
from sextant.model.event_block import Events
from sextant.model.events import (
    BookSnapshot,
    Event,
    Listed,
    OptionUpdate,
    StreamAlive,
    StreamDown,
    Unfollowed,
)
from sextant.model.instrument import Instrument
from sextant.model.times import DAY_NS
from sextant.sim import deribit as simulated_deribit
from sextant.venues.backfill import Failure, Plan
from sextant.venues.broker import Broker
from sextant.venues.feed import Feed, Wanted, Watcher, at
from sextant.venues.library.bybit import VENUE
from sextant.venues.library.deribit import VENUE as DERIBIT
from support.loopback import advance_until, serving, settle
from support.whole_venue import NOW_NS, Whole


class Stage:
    def __init__(self, whole: Whole, clock: ManualClock) -> None:
        self.whole = whole
        self.clock = clock
        self.events: list[Event] = []
        self.lost: list[Instrument] = []
        self.filled: list[Sequence[Failure]] = []
        self.listed: list[int] = []
        self.feed: Feed

    def learn(self, events: Events) -> Sequence[Instrument]:
        self.events += events
        lost, self.lost = self.lost, []
        return lost

    def count(self, kind: type[Event]) -> int:
        return sum(type(event) is kind for event in self.events)


@asynccontextmanager
async def fed(wanted: Wanted, *, away: bool = False) -> AsyncIterator[Stage]:
    whole, clock = Whole(), ManualClock(NOW_NS)
    whole.away = away
    async with serving(whole.serve) as host:
        stage = Stage(whole, clock)
        watcher = Watcher(listed=stage.listed.append, filled=stage.filled.append)
        venue = at(VENUE, f"http://{host}", f"ws://{host}")
        stage.feed = Feed(venue, clock, stage.learn, wanted, watcher)
        assert stage.feed.states() == ()
        running = asyncio.ensure_future(stage.feed.run())
        try:
            yield stage
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running


BARS = Plan(bars={"1m": 1}, funding=0, open_interest=0, account_ratio=0)


async def test_the_largest_instruments_that_trade_are_listed_subscribed_and_filled() -> None:
    async with fed(Wanted(most=2, history=BARS)) as stage:
        await advance_until(stage.clock, 0.1, lambda: bool(stage.filled) and stage.count(StreamAlive) > 0)
        listed = [event.spec.instrument.base for event in stage.events if isinstance(event, Listed)]
        assert sorted(listed) == ["BTC", "SOL"]
        assert stage.listed == [2]
        (socket,) = stage.whole.spoken.open
        assert {topic.rpartition(".")[2] for topic in socket.topics()} == {"BTCUSDT", "SOLUSDT"}
        blocks = [event for event in stage.events if isinstance(event, BarBlock)]
        assert sorted(block.instruments[0].base for block in blocks) == ["BTC", "SOL"]
        assert stage.filled == [()]
        (state,) = stage.feed.states()
        assert (state.name, state.up, state.instruments) == ("bybit.linear.0", True, 2)
        assert isinstance(stage.events[0], Listed)  # rules come before anything is said about an instrument


async def test_a_part_is_of_the_largest_of_all_and_carries_nothing_else() -> None:
    def part(instrument: Instrument) -> bool:
        return instrument.base in ("BTC", "ETH")  # of the two largest, BTC and SOL, only one

    async with fed(Wanted(most=2, history=BARS, part=part)) as stage:
        await advance_until(stage.clock, 0.1, lambda: bool(stage.filled) and stage.count(StreamAlive) > 0)
        listed = [event.spec.instrument.base for event in stage.events if isinstance(event, Listed)]
        assert listed == ["BTC"]
        (socket,) = stage.whole.spoken.open
        assert {topic.rpartition(".")[2] for topic in socket.topics()} == {"BTCUSDT"}


async def test_a_book_that_the_learner_lost_is_asked_for_anew() -> None:
    async with fed(Wanted(most=1, history=None)) as stage:
        await advance_until(stage.clock, 0.1, lambda: stage.count(StreamAlive) > 0)
        (socket,) = stage.whole.spoken.open
        asked = len(socket.asked)
        stage.lost = [event.spec.instrument for event in stage.events if isinstance(event, Listed)]
        data = {"s": "SOLUSDT", "b": [["1", "1"]], "a": [["2", "1"]], "u": 5, "seq": 1}
        await socket.say({"topic": "orderbook.50.SOLUSDT", "type": "snapshot", "ts": 1, "data": data})
        await settle(lambda: stage.count(BookSnapshot) == 1 and len(socket.asked) == asked + 2)
        assert [message["args"] for message in socket.asked[asked:]] == [["orderbook.50.SOLUSDT"]] * 2


@pytest.mark.parametrize(("drawn", "wait_s"), [(0.0, 0.0), (0.5, 0.25), (0.98, 0.49)])
async def test_waits_are_drawn_from_the_source_that_was_given(drawn: float, wait_s: float) -> None:
    """A connection that was lost is opened again after the drawn part of half a second (full jitter)."""
    whole, clock = Whole(), ManualClock(NOW_NS)
    async with serving(whole.serve) as host:
        stage = Stage(whole, clock)
        venue = at(VENUE, f"http://{host}", f"ws://{host}")
        stage.feed = Feed(venue, clock, stage.learn, Wanted(most=1, history=None))
        stage.feed.draw(lambda: drawn)
        running = asyncio.ensure_future(stage.feed.run())
        await advance_until(clock, 0.1, lambda: stage.count(StreamAlive) > 0)
        (socket,) = whole.spoken.open
        lost_ns = clock.now_ns()
        socket.reset()
        await settle(lambda: stage.count(StreamDown) > 0)
        await advance_until(clock, 0.01, lambda: stage.feed.states()[0].counts.attempts == 2)
        assert (clock.now_ns() - lost_ns) / 1e9 == pytest.approx(wait_s, abs=0.011)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_feed_within_a_broker_asks_nothing_while_the_venue_rests(tmp_path: Path) -> None:
    whole, clock = Whole(), ManualClock(NOW_NS)
    silences = Silences(tmp_path / "silences.json", clock)
    silences.ask("bybit|", 100, "banned before a restart")
    async with serving(whole.serve) as host:
        stage = Stage(whole, clock)
        venue = at(VENUE, f"http://{host}", f"ws://{host}")
        stage.feed = Feed(venue, clock, stage.learn, Wanted(most=1, history=None))
        policy = VENUE.variations.policy
        assert policy is not None
        stage.feed.within(Broker(policy, clock, silences))
        running = asyncio.ensure_future(stage.feed.run())
        for _ in range(90):
            clock.advance(1.0)
            for _ in range(5):
                await asyncio.sleep(0)
        assert stage.events == []
        await advance_until(clock, 0.5, lambda: stage.count(StreamAlive) > 0)
        assert clock.now_ns() - NOW_NS >= 100e9
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_venue_that_is_away_at_the_start_is_found_when_it_is_back() -> None:
    async with fed(Wanted(most=1, history=None), away=True) as stage:
        for _ in range(60):
            stage.clock.advance(1.0)
            for _ in range(10):
                await asyncio.sleep(0)
        assert stage.events == []
        stage.whole.away = False
        back_ns = stage.clock.monotonic_ns()
        await advance_until(stage.clock, 0.5, lambda: stage.count(StreamAlive) > 0)
        assert (stage.clock.monotonic_ns() - back_ns) / 1e9 <= 15  # a wait of ten, repeats of a read, a start
        assert stage.count(StreamDown) == 0


async def test_changed_rules_and_a_delisting_are_told_within_ten_minutes() -> None:
    async with fed(Wanted(most=3, history=None)) as stage:
        await advance_until(stage.clock, 0.1, lambda: stage.count(StreamAlive) > 0)
        assert stage.count(Listed) == 3
        stage.whole.bases.remove("ETH")
        stage.whole.tick = "0.5"
        changed_ns = stage.clock.monotonic_ns()
        await advance_until(stage.clock, 5.0, lambda: stage.count(Listed) == 6)
        assert (stage.clock.monotonic_ns() - changed_ns) / 1e9 <= 610
        told = [event.spec for event in stage.events if isinstance(event, Listed)][3:]
        assert {(spec.instrument.base, spec.status, str(spec.tick)) for spec in told} == {
            ("ETH", "delisted", "0.1"),
            ("BTC", "trading", "0.5"),
            ("SOL", "trading", "0.5"),
        }
        stage.whole.away = True
        await advance_until(
            stage.clock, 5.0, lambda: stage.clock.monotonic_ns() - changed_ns > 1300e9, most=400
        )
        assert stage.count(Listed) == 6


async def test_only_the_kinds_that_are_wanted_are_read_and_none_that_settles_too_late() -> None:
    clock = ManualClock(NOW_NS)
    async with simulated_deribit.start(clock, seed=7, instruments=24) as there:
        stage = Stage(Whole(), clock)
        venue = at(DERIBIT, there.base_url, there.base_url.replace("http", "ws", 1))
        wanted = Wanted(
            quotes=frozenset({"USD"}), most=2_000, history=None, kinds=frozenset({"option"}), within_days=5.0
        )
        stage.feed = Feed(venue, clock, stage.learn, wanted)
        running = asyncio.ensure_future(stage.feed.run())
        await advance_until(clock, 0.1, lambda: stage.count(OptionUpdate) > 0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    listed = [event.spec.instrument for event in stage.events if isinstance(event, Listed)]
    assert {(instrument.base, instrument.kind) for instrument in listed} == {
        ("BTC", "option"),
        ("ETH", "option"),
    }
    ends = {instrument.expiry_ns for instrument in listed}
    assert len(ends) > 1
    assert all(end is not None and NOW_NS < end <= NOW_NS + 5 * DAY_NS for end in ends)


async def test_what_was_listed_since_is_subscribed_on_the_connection_that_stands_and_its_past_is_fetched() -> (
    None
):
    async with fed(Wanted(most=10, history=BARS)) as stage:
        await advance_until(stage.clock, 0.1, lambda: bool(stage.filled) and stage.count(StreamAlive) > 0)
        stage.whole.bases.append("ADA")
        await advance_until(stage.clock, 5.0, lambda: len(stage.filled) == 2, most=400)
        assert stage.listed == [3, 4]
        await advance_until(stage.clock, 0.1, lambda: "ADAUSDT" in topics_of(stage))
        assert topics_of(stage) == {"BTCUSDT", "ETHUSDT", "SOLUSDT", "ADAUSDT"}
        assert len(stage.whole.spoken.sockets) == 1
        assert stage.count(StreamDown) == 0
        blocks = [event.instruments[0].base for event in stage.events if isinstance(event, BarBlock)]
        assert sorted(blocks) == ["ADA", "BTC", "ETH", "SOL"]


async def test_one_that_fell_out_of_the_largest_is_left_after_three_looks_and_forgotten() -> None:
    async with fed(Wanted(most=2, history=None)) as stage:
        await advance_until(stage.clock, 0.1, lambda: stage.count(StreamAlive) > 0)
        assert topics_of(stage) == {"BTCUSDT", "SOLUSDT"}
        stage.whole.bases += ["ADA", "XRP"]
        stage.whole.turnover |= {"ADA": "7000", "XRP": "6000"}  # BTC is now fourth, beyond 1.5 times two
        fell_ns = stage.clock.monotonic_ns()
        await advance_until(stage.clock, 5.0, lambda: stage.count(Unfollowed) == 1, most=400)
        # The list is read at the second look; from then on it takes two looks to enter and three to leave.
        assert (stage.clock.monotonic_ns() - fell_ns) / 1e9 == pytest.approx(1_200, abs=10)
        (gone,) = [event for event in stage.events if isinstance(event, Unfollowed)]
        assert [instrument.base for instrument in gone.instruments] == ["BTC"]
        await advance_until(stage.clock, 0.1, lambda: "BTCUSDT" not in topics_of(stage))
        assert topics_of(stage) == {"SOLUSDT", "ADAUSDT", "XRPUSDT"}
        assert len(stage.whole.spoken.sockets) == 1
        (socket,) = stage.whole.spoken.open
        seen = len(stage.events)
        data = {"s": "BTCUSDT", "b": [["1", "1"]], "a": [["2", "1"]], "u": 5, "seq": 1}
        await socket.say({"topic": "orderbook.50.BTCUSDT", "type": "snapshot", "ts": 1, "data": data})
        await settle(lambda: stage.feed.states()[0].counts.unlisted == 1)
        assert len(stage.events) == seen  # what still arrives of it is counted and said to nobody


async def test_a_look_that_fails_keeps_what_is_followed() -> None:
    async with fed(Wanted(most=2, history=None)) as stage:
        await advance_until(stage.clock, 0.1, lambda: stage.count(StreamAlive) > 0)
        stage.whole.away = True
        began_ns = stage.clock.monotonic_ns()
        await advance_until(
            stage.clock, 5.0, lambda: stage.clock.monotonic_ns() - began_ns > 1300e9, most=400
        )
        assert stage.listed == [2]
        assert stage.count(Unfollowed) == 0
        assert topics_of(stage) == {"BTCUSDT", "SOLUSDT"}


async def test_a_venue_that_says_nothing_is_away_since_then_and_there_again_with_its_first_connection() -> (
    None
):
    async with fed(Wanted(most=1, history=None), away=True) as stage:
        assert stage.feed.away() is None  # nobody has asked yet
        await advance_until(stage.clock, 0.5, lambda: stage.feed.away() is not None)
        away = stage.feed.away()
        assert away is not None
        assert away.reason == "unreachable"
        stage.clock.advance(5.0)
        assert stage.feed.away() == away
        stage.whole.away = False
        await advance_until(stage.clock, 0.5, lambda: stage.count(StreamAlive) > 0)
        assert stage.feed.away() is None
        stage.whole.spoken.status = 503
        stage.whole.spoken.open[0].reset()
        await settle(lambda: stage.feed.away() is not None)
        again = stage.feed.away()
        assert again is not None
        assert again.since_ns == stage.clock.now_ns()


def topics_of(stage: Stage) -> set[str]:
    open_sockets = stage.whole.spoken.open
    return {topic.rpartition(".")[2] for socket in open_sockets for topic in socket.topics()}
