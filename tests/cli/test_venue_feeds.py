"""Several venues into one market, over real loopback sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sextant.cli.venue_feeds import Following, feeds_of, places_of, simulated_at, wanted_of
from sextant.config import load
from sextant.errors import ConfigError
from sextant.kit.clock import ManualClock
from sextant.market.state import MarketState
from sextant.model.events import Event, OptionUpdate, StreamAlive, StreamDown
from sextant.model.instrument import Instrument
from sextant.sim import together
from sextant.venues.catalog import venue, venues
from sextant.venues.feed import Feed, Wanted, Watcher, at
from sextant.venues.port import Venue
from support.loopback import advance_until

NOW_NS = 1_786_310_817_000_000_000
NOWHERE = "http://127.0.0.1:9"  # the port of discard; nothing listens there
SMALL = Wanted(quotes=frozenset({"USDT", "USD", "USDC"}), most=9, history=None)


class Together:
    """One market that learns from the feeds of several venues."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.state = MarketState("demo", simulated=True)
        self.events: list[Event] = []
        self.feeds: dict[str, list[Feed]] = {}

    def learn(self, told: Iterable[Event]) -> Sequence[Instrument]:
        events = list(told)
        self.events += events
        for event in events:
            self.state.apply(event)
        return [instrument for instrument, _ in self.state.drain_resyncs()]

    def up(self, name: str) -> bool:
        states = [state for feed in self.feeds[name] for state in feed.states()]
        return bool(states) and all(state.up for state in states)

    def names(self) -> set[str]:
        return {spec.instrument.venue for spec in self.state.instruments}


@asynccontextmanager
async def following(names: Sequence[str], more: Sequence[Venue] = ()) -> AsyncIterator[Together]:
    clock = ManualClock(NOW_NS)
    async with together.start(clock, seed=7, instruments=40) as address:
        stage = Together(clock)
        follow = Following([*simulated_at(names, address), *more], SMALL)
        stage.feeds = feeds_of(follow, clock, stage.learn, lambda _: Watcher())
        running = [asyncio.ensure_future(feed.run()) for feeds in stage.feeds.values() for feed in feeds]
        try:
            yield stage
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def test_one_venue_that_cannot_be_reached_harms_none_of_the_others() -> None:
    dead = at(venue("okx"), NOWHERE, NOWHERE.replace("http", "ws"))
    async with following(("bybit", "kraken", "coinbase"), [dead]) as stage:
        live = ("bybit", "kraken", "coinbase")
        await advance_until(stage.clock, 0.1, lambda: all(map(stage.up, live)), most=600)
        assert stage.names() == set(live)
        (okx,) = stage.feeds["okx"]
        await advance_until(stage.clock, 0.5, lambda: okx.away() is not None)
        away = okx.away()
        assert away is not None
        assert away.reason == "unreachable"
        assert NOW_NS <= away.since_ns < NOW_NS + 60 * 10**9
        assert okx.states() == ()
        assert all(stage.feeds[name][0].away() is None for name in live)
        # What one market knows of each venue lives: its books come and go on.
        before = len(stage.events)
        await advance_until(stage.clock, 0.1, lambda: len(stage.events) > before + 200)
        assert not [event for event in stage.events if isinstance(event, StreamDown)]
        assert {name.venue for event in stage.events if isinstance(event, StreamAlive) for name in event.instruments} == set(live)  # fmt: skip


async def test_each_venue_has_an_equal_share_whether_the_others_answer_or_not() -> None:
    dead = at(venue("okx"), NOWHERE, NOWHERE.replace("http", "ws"))
    async with following(("bybit", "kraken"), [dead]) as stage:
        await advance_until(stage.clock, 0.1, lambda: stage.up("bybit") and stage.up("kraken"), most=600)
        by_venue = [spec.instrument.venue for spec in stage.state.instruments]
        assert (by_venue.count("bybit"), by_venue.count("kraken")) == (3, 3)


async def test_deribit_has_links_of_its_own_for_options_and_for_the_rest() -> None:
    async with following(("deribit",)) as stage:
        await advance_until(
            stage.clock,
            0.1,
            lambda: stage.up("deribit") and any(isinstance(event, OptionUpdate) for event in stage.events),
            most=600,
        )
        futures, options = stage.feeds["deribit"]
        assert {state.name for state in options.states()} == {
            "deribit.btc.options-0",
            "deribit.eth.options-0",
        }
        assert not {state.name for state in futures.states()} & {state.name for state in options.states()}
        assert {spec.instrument.kind for spec in stage.state.instruments} <= {"perpetual", "future"}
        assert {spec.instrument.base for spec in stage.state.instruments} >= {"BTC", "ETH"}


def test_a_configuration_says_what_is_wanted_of_all_venues() -> None:
    config = load(
        {"HOME": "/h", "SEXTANT_UNIVERSE": "70", "SEXTANT_TIER": "retail", "SEXTANT_EXCLUDE": "DOGE"}
    )
    wanted = wanted_of(config)
    assert (wanted.most, wanted.floor_usd, wanted.exclude) == (70, 1e6, ("DOGE",))
    assert wanted_of(load({"HOME": "/h"})).floor_usd == 0.0


def test_every_venue_of_the_library_can_be_followed_and_an_unknown_one_is_named() -> None:
    clock = ManualClock(NOW_NS)
    follow = Following(places_of(list(venues())), replace(SMALL, most=700))
    feeds = feeds_of(follow, clock, lambda _: (), lambda _: Watcher())
    assert set(feeds) == {"binance", "bybit", "coinbase", "deribit", "kraken", "kucoin", "okx"}
    assert {name: len(some) for name, some in feeds.items() if len(some) > 1} == {"deribit": 2}
    with pytest.raises(ConfigError, match="no venue 'mtgox'; known are binance, bybit"):
        places_of(["bybit", "mtgox"])


def test_the_feeds_of_a_venue_keep_one_silence() -> None:
    """Deribit has no broker, and its options a feed of their own; a wish that one hears holds for both."""
    follow = Following(simulated_at(("deribit", "bybit"), NOWHERE), SMALL)
    feeds = feeds_of(follow, ManualClock(NOW_NS), lambda _: [], lambda _: Watcher())
    futures, options = feeds["deribit"]
    options._silence.ask(30.0, "too many requests")
    assert futures.silence() == options.silence() == (30.0, "too many requests")
    assert feeds["bybit"][0].silence() == (0.0, "")
