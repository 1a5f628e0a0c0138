from __future__ import annotations

import asyncio
import dataclasses

import pytest

from sextant.kit.clock import ManualClock
from sextant.model.event_block import Events
from sextant.model.events import StreamDown
from sextant.venues.library.bybit import VENUE
from sextant.venues.link import Outlet
from sextant.venues.port import SymbolTable
from sextant.venues.session import Session, runtime
from support.listings import BTC, BTC_SPOT, ETH, listing
from support.loopback import SpokenVenue, advance_until, serving, settle
from support.sessions import NOW_NS, quiet_seconds, staged, whole


async def test_topics_of_each_category_go_to_its_socket_in_the_venues_chunks() -> None:
    spot = [listing(f"C{number}USDT", f"C{number}", "spot") for number in range(3)]
    async with staged(*whole(BTC, *spot)) as stage:
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
    async with staged(*whole(*many), topic_characters=1000) as stage:
        await stage.until_up()
        held = [socket.topics() for socket in stage.spoken.open]
        assert sum(len(topics) for topics in held) == 160
        assert all(sum(len(topic) + 3 for topic in topics) <= 1000 for topics in held)
        homes = [{topic.rpartition(".")[2] for topic in topics} for topics in held]
        assert sum(len(home) for home in homes) == 40  # no instrument is spread over two connections


async def test_fifty_connections_to_a_venue_away_for_ten_minutes_stay_within_its_limit() -> None:
    many = [listing(f"COIN{number:03}USDT", f"COIN{number:03}") for number in range(50)]
    async with staged(*whole(*many), topic_characters=1) as stage:
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


async def test_a_ban_of_the_venue_is_waited_out_by_every_connection() -> None:
    async with staged(*whole(BTC, BTC_SPOT)) as stage:
        await stage.until_up()
        before = stage.spoken.attempts
        stage.spoken.status = 403  # "access too frequent": ten minutes for the whole address
        stage.spoken.open[0].reset()
        await advance_until(stage.clock, 0.5, lambda: stage.spoken.attempts == before + 1)
        await settle(lambda: any(state.reason == "http_403" for state in stage.session.states()))
        for socket in stage.spoken.open:
            socket.reset()
        await quiet_seconds(stage, 595)
        assert stage.spoken.attempts == before + 1
        stage.spoken.status = None
        await stage.until_up()


async def test_a_receiver_that_raises_ends_the_session() -> None:
    spoken = SpokenVenue()
    async with serving(spoken.serve) as host:
        venue = dataclasses.replace(VENUE, sockets={"linear": f"ws://{host}/v5/public/linear"})

        def broken(_: Events) -> None:
            raise ZeroDivisionError

        clock = ManualClock(NOW_NS)
        session = Session(
            venue, whole(BTC), SymbolTable([BTC]), Outlet(broken), runtime(venue, clock, lambda: 0.5)
        )
        with pytest.raises(ExceptionGroup) as raised:
            await session.run()
        assert raised.group_contains(ZeroDivisionError)


async def test_a_change_asks_for_the_new_and_leaves_the_gone_on_the_connection_that_stands() -> None:
    sol = listing("SOLUSDT", "SOL")
    async with staged(*whole(BTC, ETH)) as stage:
        socket = await stage.until_up()
        asked = len(socket.asked)
        stage.session.change(whole(sol), [ETH.instrument])
        await settle(lambda: len(socket.asked) == asked + 2)
        assert {topic.rpartition(".")[2] for topic in socket.topics()} == {"BTCUSDT", "SOLUSDT"}
        # What stays is not asked for again, so that its books go on.
        said = [topic for message in socket.asked[asked:] for topic in message["args"]]  # type: ignore[attr-defined]
        assert not [topic for topic in said if topic.endswith("BTCUSDT")]
        assert not stage.of(StreamDown)
        assert len(stage.spoken.sockets) == 1
        (state,) = stage.session.states()
        assert (state.up, state.instruments, state.topics) == (True, 2, 8)
        socket.reset()
        await settle(lambda: bool(stage.of(StreamDown)))
        again = await stage.until_up()
        assert {topic.rpartition(".")[2] for topic in again.topics()} == {"BTCUSDT", "SOLUSDT"}
        (down,) = stage.of(StreamDown)
        assert isinstance(down, StreamDown)
        assert set(down.instruments) == {BTC.instrument, sol.instrument}


async def test_a_book_that_came_later_is_asked_for_anew_on_its_own_connection() -> None:
    sol = listing("SOLUSDT", "SOL")
    async with staged(*whole(BTC)) as stage:
        socket = await stage.until_up()
        stage.session.change(whole(sol), [])
        await settle(lambda: len(socket.topics()) == 8)
        asked = len(socket.asked)
        stage.session.request_resync(sol.instrument)
        stage.session.request_resync(ETH.instrument)  # is not carried: nothing happens
        await settle(lambda: len(socket.asked) == asked + 2)
        assert [message["args"] for message in socket.asked[asked:]] == [["orderbook.50.SOLUSDT"]] * 2
        stage.session.change([], [sol.instrument])
        await settle(lambda: len(socket.topics()) == 4)
        asked = len(socket.asked)
        stage.session.request_resync(sol.instrument)
        assert len(socket.asked) == asked


async def test_what_finds_no_room_gets_a_connection_and_one_that_carries_nothing_is_closed() -> None:
    first = [listing(f"COIN{number:03}USDT", f"COIN{number:03}") for number in range(10)]
    later = [listing(f"COIN{number:03}USDT", f"COIN{number:03}") for number in range(10, 14)]
    async with staged(*whole(*first), topic_characters=1000) as stage:
        await stage.until_up()
        assert len(stage.spoken.open) == 1
        stage.session.change(whole(*later), [one.instrument for one in first[:2]])
        await settle(lambda: len(stage.spoken.open) == 2)
        await stage.until_up()
        held = [socket.topics() for socket in stage.spoken.open]
        assert [len(topics) for topics in held] == [40, 8]  # ten fit on one: two went where two had been
        assert all(sum(len(topic) + 3 for topic in topics) <= 1000 for topics in held)
        assert [state.name for state in stage.session.states()] == ["bybit.linear.0", "bybit.linear.1"]
        stage.session.change([], [one.instrument for one in later[2:]])
        await settle(lambda: len(stage.spoken.open) == 1)
        assert [state.name for state in stage.session.states()] == ["bybit.linear.0"]
        assert not stage.of(StreamDown)


async def test_a_session_may_begin_with_nothing() -> None:
    async with staged() as stage:
        assert stage.session.states() == ()
        stage.session.change(whole(BTC), [])
        socket = await stage.until_up()
        await settle(lambda: len(socket.topics()) == 4)
