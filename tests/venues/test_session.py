from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from sextant.kit.clock import ManualClock
from sextant.model.events import BookDelta, BookSnapshot, Event, StreamAlive, StreamDown, Trade
from sextant.venues.library.bybit import VENUE
from sextant.venues.link import Outlet, Subscription
from sextant.venues.port import Listing, SymbolTable, Venue
from sextant.venues.session import Session, runtime
from support.listings import BTC, BTC_SPOT, ETH, listing
from support.loopback import SpokenSocket, SpokenVenue, advance_until, serving, settle

NOW_NS = 1_786_310_817_000_000_000


def _book(symbol: str, update: int, kind: str = "delta") -> dict[str, object]:
    return {
        "topic": f"orderbook.50.{symbol}",
        "type": kind,
        "ts": 1_786_310_818_130,
        "data": {"s": symbol, "b": [["65095.30", "0.005"]], "a": [["65116.60", "1"]], "u": update, "seq": 1},
        "cts": 1_786_310_818_129,
    }


class Stage:
    """A session against a spoken venue, with everything it said."""

    def __init__(self, venue: Venue, spoken: SpokenVenue, wanted: Sequence[Subscription]) -> None:
        self.spoken = spoken
        self.clock = ManualClock(NOW_NS)
        self.events: list[Event] = []
        self.frames: list[tuple[str, int, bytes]] = []
        self.fraction = random.Random(11).random  # noqa: S311  # seeded, not secret
        self.session = Session(
            venue,
            wanted,
            SymbolTable(subscription.listing for subscription in wanted),
            Outlet(self.events.extend, lambda *frame: self.frames.append(frame)),
            runtime(venue, self.clock, self.fraction),
        )

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if type(event) is kind]

    async def until_up(self) -> SpokenSocket:
        await advance_until(self.clock, 0.5, lambda: all(state.up for state in self.session.states()))
        return self.spoken.open[-1]


def _wanted(*listings: Listing) -> list[Subscription]:
    return [Subscription(each, ("book", "trades", "quote", "bars")) for each in listings]


@asynccontextmanager
async def staged(*wanted: Subscription, **limits: object) -> AsyncIterator[Stage]:
    spoken = SpokenVenue()
    async with serving(spoken.serve) as host:
        venue = dataclasses.replace(
            VENUE,
            sockets={name: f"ws://{host}/v5/public/{name}" for name in VENUE.sockets},
            limits=dataclasses.replace(VENUE.limits, **limits),  # type: ignore[arg-type]  # by name
        )
        stage = Stage(venue, spoken, wanted)
        running = asyncio.ensure_future(stage.session.run())
        try:
            yield stage
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running


async def test_topics_of_each_category_go_to_its_socket_in_the_venues_chunks() -> None:
    spot = [listing(f"C{number}USDT", f"C{number}", "spot") for number in range(3)]
    async with staged(*_wanted(BTC, *spot)) as stage:
        await stage.until_up()
        by_path = {socket.path: socket for socket in stage.spoken.open}
        assert by_path["/v5/public/linear"].topics() == [
            "orderbook.50.BTCUSDT",
            "publicTrade.BTCUSDT",
            "tickers.BTCUSDT",
            "kline.1.BTCUSDT",
        ]
        chunks = [len(message["args"]) for message in by_path["/v5/public/spot"].asked]  # type: ignore[arg-type]
        assert chunks == [10, 2]  # Bybit takes at most ten topics a message on spot
        assert "orderbook.1.C0USDT" in by_path["/v5/public/spot"].topics()


async def test_instruments_that_exceed_the_characters_of_one_connection_share_several() -> None:
    many = [listing(f"COIN{number:03}USDT", f"COIN{number:03}") for number in range(40)]
    async with staged(*_wanted(*many), topic_characters=1000) as stage:
        await stage.until_up()
        held = [socket.topics() for socket in stage.spoken.open]
        assert sum(len(topics) for topics in held) == 160
        assert all(sum(len(topic) + 3 for topic in topics) <= 1000 for topics in held)
        homes = [{topic.rpartition(".")[2] for topic in topics} for topics in held]
        assert sum(len(home) for home in homes) == 40  # no instrument is spread over two connections


async def test_events_arrive_in_wire_order_and_every_frame_is_tapped_first() -> None:
    async with staged(*_wanted(BTC)) as stage:
        socket = await stage.until_up()
        tapped = len(stage.frames)
        await socket.say(_book("BTCUSDT", 7, "snapshot"))
        await socket.say(_book("BTCUSDT", 8))
        await socket.say("{not json")
        await socket.say(_book("BTCUSDT", 9))
        await settle(lambda: len(stage.of(BookDelta)) == 2)
        books = [event for event in stage.events if isinstance(event, BookSnapshot | BookDelta)]
        assert [(type(book), book.sequence) for book in books] == [
            (BookSnapshot, 7),
            (BookDelta, 8),
            (BookDelta, 9),
        ]
        assert books[0].instrument is BTC.instrument
        name, receive_ns, raw = stage.frames[tapped + 2]
        assert (name, raw) == ("bybit.linear.0", b"{not json")
        assert receive_ns == stage.clock.now_ns()
        assert stage.session.states()[0].counts.wire_errors == 1


async def test_junk_of_every_shape_leaves_the_connection_standing() -> None:
    async with staged(*_wanted(BTC)) as stage:
        socket = await stage.until_up()
        junk = [b"\x00\xff", "", "[]", "null", '{"topic":5}', '{"a":' * 2000, '{"topic":"x.y"}', "{}"]
        for frame in junk:
            await socket.say(frame)
        await socket.say(_book("SOLUSDT", 3))
        await socket.say(_book("BTCUSDT", 7, "snapshot"))
        await settle(lambda: len(stage.of(BookSnapshot)) == 1)
        state = stage.session.states()[0]
        assert state.up
        assert (state.counts.wire_errors, state.counts.unknown_topics, state.counts.unlisted) == (7, 1, 1)
        assert len(stage.spoken.sockets) == 1


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1012])
async def test_a_closed_connection_is_told_once_and_the_identical_set_is_subscribed_again(code: int) -> None:
    async with staged(*_wanted(BTC, ETH)) as stage:
        first = await stage.until_up()
        if code == 1006:
            first.reset()
        else:
            await first.response.close(code=code)
        await settle(lambda: bool(stage.of(StreamDown)))
        second = await stage.until_up()
        assert second is not first
        assert second.topics() == first.topics()
        down = stage.of(StreamDown)
        assert len(down) == 1
        assert isinstance(down[0], StreamDown)
        assert down[0].instruments == (BTC.instrument, ETH.instrument)
        assert down[0].streams == ("book", "trades", "quote", "bars")
        assert down[0].reason == f"closed_{code}"
        assert type(stage.events[-1]) is StreamAlive


async def test_a_silent_peer_is_dead_within_thirty_seconds() -> None:
    async with staged(*_wanted(BTC)) as stage:
        await stage.until_up()
        stage.spoken.pongs = False
        heard_ns = stage.clock.monotonic_ns()
        await advance_until(stage.clock, 1.0, lambda: bool(stage.of(StreamDown)))
        assert 20 < (stage.clock.monotonic_ns() - heard_ns) / 1e9 <= 30
        assert stage.of(StreamDown)[0].reason == "silent"  # type: ignore[union-attr]  # filtered above


async def test_a_quiet_peer_that_answers_pings_stays_and_proves_it_every_twenty_seconds() -> None:
    async with staged(*_wanted(BTC)) as stage:
        await stage.until_up()
        before = len(stage.of(StreamAlive))
        start_ns = stage.clock.monotonic_ns()
        await advance_until(stage.clock, 1.0, lambda: len(stage.of(StreamAlive)) == before + 6)
        assert (stage.clock.monotonic_ns() - start_ns) / 1e9 == pytest.approx(120, abs=7)
        assert not stage.of(StreamDown)
        assert len(stage.spoken.sockets) == 1


async def test_only_the_topic_of_a_lost_book_is_left_and_rejoined() -> None:
    async with staged(*_wanted(BTC, ETH)) as stage:
        socket = await stage.until_up()
        held = socket.topics()
        asked = len(socket.asked)
        stage.session.request_resync(BTC.instrument)
        stage.session.request_resync(BTC.instrument)  # already awaited
        stage.session.request_resync(BTC_SPOT.instrument)  # not carried here
        await settle(lambda: len(socket.asked) == asked + 2)
        assert [(message["op"], message["args"]) for message in socket.asked[asked:]] == [
            ("unsubscribe", ["orderbook.50.BTCUSDT"]),
            ("subscribe", ["orderbook.50.BTCUSDT"]),
        ]
        assert sorted(socket.topics()) == sorted(held)
        await socket.say(_book("BTCUSDT", 100, "snapshot"))
        await settle(lambda: len(stage.of(BookSnapshot)) == 1)
        stage.session.request_resync(BTC.instrument)  # the book came, so a further loss asks again
        await settle(lambda: len(socket.asked) == asked + 4)
        assert not stage.of(StreamDown)


async def test_a_requested_book_that_does_not_come_is_requested_again() -> None:
    async with staged(*_wanted(BTC)) as stage:
        socket = await stage.until_up()
        asked = len(socket.asked)
        stage.session.request_resync(BTC.instrument)
        await settle(lambda: len(socket.asked) == asked + 2)
        await advance_until(stage.clock, 1.0, lambda: len(socket.asked) == asked + 4)
        assert stage.session.states()[0].counts.resyncs == 2


async def test_a_refused_topic_is_found_and_told_and_the_others_are_kept() -> None:
    many = [listing(f"C{number}USDT", f"C{number}") for number in range(8)]
    wanted = [Subscription(each, ("trades",)) for each in many]
    async with staged(*wanted) as stage:
        stage.spoken.refuses.add("publicTrade.C5USDT")
        socket = await stage.until_up()
        assert sorted(socket.topics()) == sorted(
            f"publicTrade.C{number}USDT" for number in range(8) if number != 5
        )
        down = stage.of(StreamDown)
        assert [event.instruments for event in down] == [(many[5].instrument,)]  # type: ignore[union-attr]
        assert stage.session.states()[0].counts.refused == 1


async def test_a_subscription_that_is_never_answered_ends_the_connection() -> None:
    async with staged(*_wanted(BTC)) as stage:
        stage.spoken.acknowledges = False
        await advance_until(stage.clock, 1.0, lambda: bool(stage.of(StreamDown)))
        assert stage.session.states()[0].reason == "unacknowledged"
        stage.spoken.acknowledges = True
        await stage.until_up()


async def test_fifty_connections_to_a_venue_away_for_ten_minutes_stay_within_its_limit() -> None:
    many = [listing(f"COIN{number:03}USDT", f"COIN{number:03}") for number in range(50)]
    async with staged(*_wanted(*many), topic_characters=1) as stage:
        await stage.until_up()
        assert len(stage.spoken.open) == 50
        stage.spoken.status = 503
        for socket in stage.spoken.open:
            socket.reset()
        made: list[int] = []
        for _ in range(600):
            stage.clock.advance(1.0)
            for _ in range(12):
                await asyncio.sleep(0)
            made.append(sum(state.counts.attempts for state in stage.session.states()))
        most = max(later - earlier for earlier, later in zip(made, made[300:], strict=False))
        assert 200 < most <= VENUE.limits.connects_per_5_min
        assert len(stage.of(StreamDown)) == 50  # one a connection, not one an attempt
        stage.spoken.status = None
        healed_ns = stage.clock.monotonic_ns()
        await advance_until(stage.clock, 0.5, lambda: any(state.up for state in stage.session.states()))
        assert (stage.clock.monotonic_ns() - healed_ns) / 1e9 <= 10
        await stage.until_up()


async def _quiet_seconds(stage: Stage, seconds: int) -> None:
    for _ in range(seconds):
        stage.clock.advance(1.0)
        for _ in range(3):
            await asyncio.sleep(0)


async def test_a_ban_of_the_venue_is_waited_out_by_every_connection() -> None:
    async with staged(*_wanted(BTC, BTC_SPOT)) as stage:
        await stage.until_up()
        before = stage.spoken.attempts
        stage.spoken.status = 403  # "access too frequent": ten minutes for the whole address
        stage.spoken.open[0].reset()
        await advance_until(stage.clock, 0.5, lambda: stage.spoken.attempts == before + 1)
        await settle(lambda: any(state.reason == "http_403" for state in stage.session.states()))
        for socket in stage.spoken.open:
            socket.reset()
        await _quiet_seconds(stage, 595)
        assert stage.spoken.attempts == before + 1
        stage.spoken.status = None
        await stage.until_up()


async def test_a_refusal_without_meaning_of_its_own_is_waited_out_as_stated() -> None:
    async with staged(*_wanted(BTC)) as stage:
        stage.spoken.status = 429
        await settle(lambda: stage.session.states()[0].reason == "http_429")
        await _quiet_seconds(stage, 59)
        assert stage.spoken.attempts == 1
        stage.spoken.status = None
        await stage.until_up()


async def test_trades_of_a_burst_are_all_kept() -> None:
    rows = [
        {"T": 1_786_310_819_680, "s": "BTCUSDT", "S": "Sell", "v": "0.004", "p": "65114.20", "i": str(number)}
        for number in range(1024)
    ]
    async with staged(*_wanted(BTC)) as stage:
        socket = await stage.until_up()
        for _ in range(10):
            await socket.say({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": rows})
        await settle(lambda: len(stage.of(Trade)) == 10_240)


async def test_a_receiver_that_raises_ends_the_session() -> None:
    spoken = SpokenVenue()
    async with serving(spoken.serve) as host:
        venue = dataclasses.replace(VENUE, sockets={"linear": f"ws://{host}/v5/public/linear"})

        def broken(_: list[Event]) -> None:
            raise ZeroDivisionError

        clock = ManualClock(NOW_NS)
        session = Session(
            venue, _wanted(BTC), SymbolTable([BTC]), Outlet(broken), runtime(venue, clock, lambda: 0.5)
        )
        with pytest.raises(ExceptionGroup) as raised:
            await session.run()
        assert raised.group_contains(ZeroDivisionError)
