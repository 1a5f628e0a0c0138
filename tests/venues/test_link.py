from __future__ import annotations

from itertools import pairwise

import pytest

from sextant.model.events import BookDelta, BookSnapshot, StreamAlive, StreamDown, Trade
from sextant.venues.link import Subscription
from support.listings import BTC, BTC_SPOT, ETH, listing
from support.loopback import advance_until, settle
from support.sessions import book, quiet_seconds, staged, whole


async def test_events_arrive_in_wire_order_and_every_frame_is_tapped_first() -> None:
    async with staged(*whole(BTC)) as stage:
        socket = await stage.until_up()
        tapped = len(stage.frames)
        await socket.say(book("BTCUSDT", 7, "snapshot"))
        await socket.say(book("BTCUSDT", 8))
        await socket.say("{not json")
        await socket.say(book("BTCUSDT", 9))
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
    async with staged(*whole(BTC)) as stage:
        socket = await stage.until_up()
        junk = [b"\x00\xff", "", "[]", "null", '{"topic":5}', '{"a":' * 2000, '{"topic":"x.y"}', "{}"]
        for frame in junk:
            await socket.say(frame)
        await socket.say(book("SOLUSDT", 3))
        await socket.say(book("BTCUSDT", 7, "snapshot"))
        await settle(lambda: len(stage.of(BookSnapshot)) == 1)
        state = stage.session.states()[0]
        assert state.up
        assert (state.counts.wire_errors, state.counts.unknown_topics, state.counts.unlisted) == (7, 1, 1)
        assert len(stage.spoken.sockets) == 1


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1012])
async def test_a_closed_connection_is_told_once_and_the_identical_set_is_subscribed_again(code: int) -> None:
    async with staged(*whole(BTC, ETH)) as stage:
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
    async with staged(*whole(BTC)) as stage:
        await stage.until_up()
        stage.spoken.pongs = False
        heard_ns = stage.clock.monotonic_ns()
        await advance_until(stage.clock, 1.0, lambda: bool(stage.of(StreamDown)))
        assert 20 < (stage.clock.monotonic_ns() - heard_ns) / 1e9 <= 30
        assert stage.of(StreamDown)[0].reason == "silent"  # type: ignore[union-attr]  # filtered above


async def test_a_quiet_peer_that_answers_pings_stays_and_proves_it_every_twenty_seconds() -> None:
    async with staged(*whole(BTC)) as stage:
        await stage.until_up()
        before = len(stage.of(StreamAlive))
        start_ns = stage.clock.monotonic_ns()
        await advance_until(stage.clock, 1.0, lambda: len(stage.of(StreamAlive)) == before + 6)
        assert (stage.clock.monotonic_ns() - start_ns) / 1e9 == pytest.approx(120, abs=7)
        assert not stage.of(StreamDown)
        assert len(stage.spoken.sockets) == 1


async def test_only_the_topic_of_a_lost_book_is_left_and_rejoined() -> None:
    async with staged(*whole(BTC, ETH)) as stage:
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
        await socket.say(book("BTCUSDT", 100, "snapshot"))
        await settle(lambda: len(stage.of(BookSnapshot)) == 1)
        stage.session.request_resync(BTC.instrument)  # the book came, so a further loss asks again
        await settle(lambda: len(socket.asked) == asked + 4)
        assert not stage.of(StreamDown)


async def test_a_requested_book_that_does_not_come_is_requested_again() -> None:
    async with staged(*whole(BTC)) as stage:
        socket = await stage.until_up()
        asked = len(socket.asked)
        stage.session.request_resync(BTC.instrument)
        await settle(lambda: len(socket.asked) == asked + 2)
        await advance_until(stage.clock, 1.0, lambda: len(socket.asked) == asked + 4)
        assert stage.session.states()[0].counts.resyncs == 2


async def test_a_book_that_breaks_as_soon_as_it_comes_is_asked_for_later_and_later() -> None:
    async with staged(*whole(BTC)) as stage:
        socket = await stage.until_up()
        begun_ns, number = stage.clock.monotonic_ns(), 0
        moments: list[float] = []

        def resyncs() -> int:
            return stage.session.states()[0].counts.resyncs

        while len(moments) < 9:
            stage.session.request_resync(BTC.instrument)
            wanted = len(moments) + 1
            await advance_until(stage.clock, 0.5, lambda wanted=wanted: resyncs() == wanted)  # type: ignore[misc]
            moments.append((stage.clock.monotonic_ns() - begun_ns) / 1e9)
            number += 100
            await socket.say(book("BTCUSDT", number, "snapshot"))
            await settle(lambda: len(stage.of(BookSnapshot)) == len(moments))
        waits = [round(later - earlier) for earlier, later in pairwise(moments)]
        assert waits[:2] == [0, 1]
        assert waits == sorted(waits)
        assert 55 <= waits[-1] <= 70
        await advance_until(stage.clock, 1.0, lambda: stage.clock.monotonic_ns() / 1e9 > moments[-1] + 80)
        stage.session.request_resync(BTC.instrument)  # it has stood: the next loss is another one
        await settle(lambda: resyncs() == 10)


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
    async with staged(*whole(BTC)) as stage:
        stage.spoken.acknowledges = False
        await advance_until(stage.clock, 1.0, lambda: bool(stage.of(StreamDown)))
        assert stage.session.states()[0].reason == "unacknowledged"
        stage.spoken.acknowledges = True
        await stage.until_up()


async def test_a_refusal_without_meaning_of_its_own_is_waited_out_as_stated() -> None:
    async with staged(*whole(BTC)) as stage:
        stage.spoken.status = 429
        await settle(lambda: stage.session.states()[0].reason == "http_429")
        await quiet_seconds(stage, 59)
        assert stage.spoken.attempts == 1
        stage.spoken.status = None
        await stage.until_up()


async def test_trades_of_a_burst_are_all_kept() -> None:
    rows = [
        {"T": 1_786_310_819_680, "s": "BTCUSDT", "S": "Sell", "v": "0.004", "p": "65114.20", "i": str(number)}
        for number in range(1024)
    ]
    async with staged(*whole(BTC)) as stage:
        socket = await stage.until_up()
        for _ in range(10):
            await socket.say({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": rows})
        await settle(lambda: len(stage.of(Trade)) == 10_240)


async def test_a_silence_that_is_asked_for_while_a_link_waits_for_its_turn_is_kept() -> None:
    """One connection in 250 s is allowed; the venue bans the address while the second is waited for."""
    async with staged(*whole(BTC), connects_per_5_min=2) as stage:
        first = await stage.until_up()
        first.reset()
        await settle(lambda: bool(stage.of(StreamDown)))
        await quiet_seconds(stage, 10)
        assert len(stage.spoken.sockets) == 1
        stage.silence.ask(900.0, "banned")
        await quiet_seconds(stage, 890)
        assert len(stage.spoken.sockets) == 1
        await advance_until(stage.clock, 1.0, lambda: len(stage.spoken.sockets) == 2, most=600)
