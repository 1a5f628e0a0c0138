"""The sessions of Kraken and Coinbase against their simulators, over real sockets: what they hold is the simulators' truth."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sextant.kit.clock import ManualClock
from sextant.kit.silences import Silences
from sextant.model.events import BarUpdate, BookCleared, BookSnapshot, Listed, StreamDown, Trade
from sextant.sim import coinbase as simulated_coinbase
from sextant.sim import kraken as simulated_kraken
from sextant.venues.backfill import Failure, Plan
from sextant.venues.broker import Broker
from sextant.venues.feed import Feed, Wanted, Watcher, at
from sextant.venues.library.coinbase import VENUE as COINBASE
from sextant.venues.library.kraken import VENUE as KRAKEN
from support.spot_stage import BASES, JOINT, SOCKET, START_NS, Heard, coinbase, kraken


@pytest.mark.parametrize("stage", [kraken, coinbase])
async def test_every_book_is_the_simulators_at_every_look(stage: Any) -> None:
    async with stage() as heard:
        await heard.until(heard.valid)
        for _ in range(40):
            heard.clock.advance(0.5)
            heard.venue.pump()
            await heard.until(lambda: all(heard.true(base) for base in BASES), 0.0, 100)
        assert heard.state.counters["book_gaps"] == 0
        assert heard.of(BookCleared) == []
        assert len(heard.of(BookSnapshot)) == len(BASES)
        assert heard.venue.counters.forbidden == 0


@pytest.mark.parametrize("stage", [kraken, coinbase])
async def test_trades_and_bars_are_the_simulators(stage: Any) -> None:
    async with stage(pace=0.5) as heard:
        await heard.until(heard.valid)
        begun_ms = heard.venue.now_ms()
        await heard.until(lambda: heard.venue.now_ms() > begun_ms + 330_000, 0.5, 1_000)
        listing = heard.venue.live.find("spot", f"SOL{JOINT[heard.name]}USD")
        assert listing is not None
        tape = heard.venue.live.tape(listing)
        found = {
            trade.trade_id: trade
            for trade in heard.of(Trade)
            if trade.instrument.base == "SOL" and begun_ms < trade.event_ns // 1_000_000 < begun_ms + 320_000
        }
        truth = {
            str(tape.number(slot, row)): trade
            for slot in range(tape.due(begun_ms), tape.due(begun_ms + 320_000) + 1)
            for row, trade in enumerate(tape.trades(slot))
            if begun_ms < trade.time_ms < begun_ms + 320_000
        }
        assert found.keys() == truth.keys()
        for name, trade in truth.items():
            ours = found[name]
            assert (round(ours.price / listing.tick), round(ours.size / listing.lot), ours.aggressor) == (
                trade.ticks,
                trade.lots,
                1 if trade.bought else -1,
            )
        minutes = 1 if heard.name == "kraken" else 5
        final = [bar for bar in heard.of(BarUpdate) if bar.final and bar.instrument.base == "SOL"]
        whole = [bar for bar in final if bar.bar.open_ns // 1_000_000 > begun_ms - minutes * 60_000]
        assert len(whole) >= (5 if minutes == 1 else 1)
        for update in whole:
            number = update.bar.open_ns // (minutes * 60 * 10**9)
            bar = heard.venue.model.bars(listing, minutes, number, 1)
            assert round(update.bar.close / listing.tick) == bar.close[0]
            assert round(update.bar.volume / listing.lot) == bar.lots[0]


async def test_a_wrong_checksum_of_kraken_rejoins_that_book_alone() -> None:
    at_push = {"topic": "book-25:ETH/USD", "message": 6}
    async with kraken({"at": at_push, "fault": "drift", "field": "data.0.checksum", "value": 1}) as heard:
        await heard.until(lambda: len(heard.of(BookCleared)) == 1)
        [cleared] = heard.of(BookCleared)
        assert (cleared.instrument.base, cleared.reason) == ("ETH", "checksum")
        await heard.until(lambda: heard.valid() and heard.true("ETH"))
        begun = [event.instrument.base for event in heard.of(BookSnapshot)]
        assert sorted(begun) == ["BTC", "ETH", "ETH", "SOL"]
        assert heard.venue.counters.connections == 1


@pytest.mark.parametrize("kind", ["gap", "swap", "duplicate"])
async def test_a_lost_or_late_push_of_kraken_shows_in_its_checksum(kind: str) -> None:
    async with kraken({"at": {"topic": "book-25:ETH/USD", "message": 6}, "fault": kind}) as heard:
        await heard.until(lambda: len(heard.venue.plan.history) == 1)
        await heard.until(lambda: len(heard.of(BookCleared)) == (kind != "duplicate"), most=40)
        await heard.until(lambda: heard.valid() and all(heard.true(base) for base in BASES))
        assert heard.venue.counters.connections == 1


@pytest.mark.parametrize("channel", ["level2", "ticker", "market_trades"])
async def test_a_lost_frame_of_coinbase_rejoins_every_book(channel: str) -> None:
    async with coinbase({"at": {"topic": f"{channel}:ETH-USD", "message": 6}, "fault": "gap"}) as heard:
        await heard.until(lambda: len(heard.of(BookCleared)) == 3)
        assert {event.reason for event in heard.of(BookCleared)} == {"gap"}
        await heard.until(lambda: heard.valid() and all(heard.true(base) for base in BASES))
        assert len(heard.of(BookSnapshot)) == 6
        assert (
            heard.venue.counters.limited == 0
        )  # eight messages a second are allowed, however many books are lost
        assert heard.venue.counters.connections == 1


@pytest.mark.parametrize(("stage", "silent_s"), [(kraken, 10), (coinbase, 30)])
async def test_a_silent_connection_is_left_and_opened_anew(stage: Any, silent_s: float) -> None:
    async with stage({"at": {"after_s": 20}, "fault": "silence"}) as heard:
        await heard.until(heard.valid)
        await heard.until(lambda: len(heard.of(StreamDown)) > 0)
        spent_s = (heard.clock.now_ns() - START_NS) / 1e9 - 20
        assert silent_s - 2 <= spent_s <= silent_s + 25  # a ping is due, then its answer
        await heard.until(lambda: heard.valid() and all(heard.true(base) for base in BASES))
        assert heard.venue.counters.connections == 2


@pytest.mark.parametrize("stage", [kraken, coinbase])
@pytest.mark.parametrize("kind", ["reset", "close"])
async def test_a_cut_connection_comes_back_with_the_same_subscriptions(stage: Any, kind: str) -> None:
    async with stage({"at": {"after_s": 5}, "fault": kind}) as heard:
        await heard.until(lambda: heard.valid() and heard.up())
        before = sorted(topic for session in heard.venue.hub.sessions.values() for topic in session.topics)
        await heard.until(lambda: len(heard.of(StreamDown)) > 0)
        back_ns = heard.clock.monotonic_ns()
        await heard.until(lambda: heard.up() and all(heard.true(base) for base in BASES))
        assert (heard.clock.monotonic_ns() - back_ns) / 1e9 <= 5
        after = sorted(topic for session in heard.venue.hub.sessions.values() for topic in session.topics)
        assert after == before
        assert len(before) == 4 * len(BASES)


@pytest.mark.parametrize("stage", [kraken, coinbase])
async def test_trades_of_a_short_cut_are_made_up_for(stage: Any) -> None:
    async with stage({"at": {"after_s": 20}, "fault": "away", "seconds": 8}) as heard:
        await heard.until(heard.valid)
        begun_ms = heard.venue.now_ms()
        await heard.until(lambda: len(heard.of(StreamDown)) > 0)
        await heard.until(heard.valid)
        ended_ms = heard.venue.now_ms() + 5_000
        await heard.until(lambda: heard.venue.now_ms() > ended_ms + 2_000)
        listing = heard.venue.live.find("spot", f"SOL{JOINT[heard.name]}USD")
        assert listing is not None
        tape = heard.venue.live.tape(listing)
        truth = {
            str(tape.number(slot, row))
            for slot in range(tape.due(begun_ms), tape.due(ended_ms) + 1)
            for row, trade in enumerate(tape.trades(slot))
            if begun_ms < trade.time_ms < ended_ms
        }
        found = {trade.trade_id for trade in heard.of(Trade) if trade.instrument.base == "SOL"}
        assert len(truth) > 20
        assert truth <= found


@pytest.mark.parametrize("stage", [kraken, coinbase])
async def test_a_venue_that_was_away_for_minutes_is_found_again(stage: Any) -> None:
    async with stage({"at": {"after_s": 5}, "fault": "away", "seconds": 240}, pace=0.2) as heard:
        await heard.until(heard.valid)
        await heard.until(lambda: len(heard.of(StreamDown)) > 0)
        back_ns = START_NS + 245 * 10**9
        await heard.until(lambda: heard.clock.now_ns() >= back_ns, 1.0)
        tries = heard.venue.counters.paths[SOCKET[heard.name]]
        assert 10 <= tries <= 60  # four fifths of what the venue allows an address in five minutes
        await heard.until(lambda: heard.valid() and all(heard.true(base) for base in BASES))
        assert (heard.clock.now_ns() - back_ns) / 1e9 <= 15


async def test_a_kraken_in_maintenance_is_left_alone_and_goes_on_by_itself() -> None:
    async with kraken({"at": {"after_s": 20}, "fault": "maintenance", "seconds": 300}, pace=0.2) as heard:
        await heard.until(heard.valid)
        await heard.until(lambda: heard.venue.resting, 1.0)
        await heard.until(lambda: not heard.venue.resting, 1.0, 500)
        asked = heard.venue.counters.paths
        assert asked.get("/0/public/SystemStatus", 0) >= 8  # looked at every half minute
        await heard.until(lambda: heard.valid() and all(heard.true(base) for base in BASES))


@pytest.mark.parametrize("stage", [kraken, coinbase])
async def test_an_instrument_that_is_delisted_is_told_so_and_the_others_go_on(stage: Any) -> None:
    faults = [
        {"at": {"after_s": 5}, "fault": "delist", "symbol": f"ETH{joint}USD"} for joint in JOINT.values()
    ]
    async with stage(*faults, pace=0.1) as heard:
        await heard.until(heard.valid)

        def delisted() -> bool:
            return any(
                event.spec.status == "delisted" and event.spec.instrument.base == "ETH"
                for event in heard.of(Listed)
            )

        await heard.until(delisted, 2.0, 500)  # the list is read again every ten minutes
        await heard.until(lambda: all(heard.true(base) for base in ("BTC", "SOL")))
        assert heard.valid("BTC", "SOL")


@pytest.mark.parametrize("stage", [kraken, coinbase])
async def test_a_changed_price_step_is_learnt_and_until_then_nobody_hammers(stage: Any) -> None:
    faults = [
        {"at": {"after_s": 5}, "fault": "retick", "symbol": f"ETH{joint}USD"} for joint in JOINT.values()
    ]
    async with stage(*faults, pace=0.1) as heard:
        await heard.until(heard.valid)
        before = next(event.spec for event in heard.of(Listed) if event.spec.instrument.base == "ETH")

        def learnt() -> bool:
            return any(
                event.spec.instrument.base == "ETH" and event.spec.tick == before.tick * 10
                for event in heard.of(Listed)
            )

        await heard.until(learnt, 2.0, 500)
        # A checksum is of the digits of a step, so Kraken's book cannot be believed until the new one is known.
        assert len(heard.of(BookCleared)) <= 20
        await heard.until(lambda: heard.valid() and all(heard.true(base) for base in BASES), 1.0)


@pytest.mark.parametrize("stage", [kraken, coinbase])
async def test_history_comes_by_rest_within_the_venues_limits(stage: Any) -> None:
    plan = Plan(bars={"1m": 300, "1h": 100, "1d": 50}, funding=0, open_interest=0, account_ratio=0)
    async with stage(history=plan) as heard:
        await heard.until(heard.valid)
        instruments = [heard.instrument(base) for base in BASES]

        def filled() -> bool:
            frames = [heard.state.bars(one, "1h", 100) for one in instruments]
            return all(frame is not None and len(frame.open_ns) >= 100 for frame in frames)

        await heard.until(filled, 0.5)
        listing = heard.venue.live.find("spot", f"ETH{JOINT[heard.name]}USD")
        assert listing is not None
        frame = heard.state.bars(heard.instrument("ETH"), "1h", 50)
        assert frame is not None
        first = int(frame.open_ns[0]) // (3_600 * 10**9)
        truth = heard.venue.model.bars(listing, 60, first, len(frame.open_ns))
        closes = [round(float(close) / listing.tick) for close in frame.close[:, 0]]
        assert closes == truth.close.tolist()
        assert heard.venue.counters.bans == 0


@pytest.mark.parametrize("name", ["kraken", "coinbase"])
async def test_the_history_of_forty_instruments_breaks_no_limit(tmp_path: Path, name: str) -> None:
    clock = ManualClock(START_NS)
    simulator, venue = (simulated_kraken, KRAKEN) if name == "kraken" else (simulated_coinbase, COINBASE)
    policy = venue.variations.policy
    assert policy is not None
    plan = Plan(bars={"1h": 50}, funding=0, open_interest=0, account_ratio=0)
    filled: list[Sequence[Failure]] = []
    async with simulator.start(clock, seed=7, instruments=240, pace=0.05) as simulation:
        heard = Heard(name, simulation, clock)
        moved = at(venue, simulation.base_url, simulation.base_url.replace("http", "ws", 1))
        wanted = Wanted(quotes=frozenset({"USD"}), history=plan)
        heard.feed = Feed(moved, clock, heard.learn, wanted, Watcher(filled=filled.append))
        heard.feed.within(Broker(policy, clock, Silences(tmp_path / "silences.json", clock)))
        running = asyncio.ensure_future(heard.feed.run())
        await heard.until(lambda: bool(filled), 0.5, 1_000)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert filled == [()]
        assert len({event.spec.instrument for event in heard.of(Listed)}) == 40
        asked = sum(simulation.counters.paths.values())
        assert asked >= 40
        assert (simulation.counters.limited, simulation.counters.bans) == (0, 0)


async def test_many_connections_to_coinbase_start_within_eight_messages_a_second() -> None:
    clock = ManualClock(START_NS)
    async with simulated_coinbase.start(clock, seed=7, instruments=72, pace=0.05) as simulation:
        heard = Heard("coinbase", simulation, clock)
        moved = at(COINBASE, simulation.base_url, simulation.base_url.replace("http", "ws", 1))
        few = replace(moved, limits=replace(moved.limits, topic_characters=80))
        heard.feed = Feed(few, clock, heard.learn, Wanted(quotes=frozenset({"USD"}), history=None))
        running = asyncio.ensure_future(heard.feed.run())

        def up() -> bool:
            states = heard.feed.states()
            return len(states) >= 10 and all(state.up for state in states)

        await heard.until(up)
        await heard.until(lambda: clock.now_ns() > START_NS + 45 * 10**9)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert simulation.counters.limited == 0
        assert simulation.counters.connections == len(heard.feed.states())  # none was cut for its silence
