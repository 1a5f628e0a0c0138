"""A recorded session is played as it was: to a plain client, and to the product's own sessions."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path

import aiohttp
import pytest

from sextant.errors import InputError
from sextant.kit.clock import Deadline, ManualClock, SystemClock
from sextant.kit.frames import Frame
from sextant.kit.http import Answer, RestClient
from sextant.kit.retry import Retrying
from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.event_block import Events
from sextant.model.events import Event, Listed
from sextant.sim.hosting import hosted
from sextant.sim.recorded import RecordedVenue, acknowledged
from sextant.venues.feed import at
from sextant.venues.library import binance
from sextant.venues.link import Outlet, Subscription
from sextant.venues.port import Request, SymbolTable
from sextant.venues.recordings import read_recording
from sextant.venues.replay import replay_events
from sextant.venues.session import Session, runtime

S = 1_000_000_000
T = 1_700_000_000 * S

FRAMES = [
    Frame(T, "x.http", "http", "https://x.com/list?kind=spot", b'["spot"]'),
    Frame(T, "x.http", "http", "https://x.com/book?symbol=A&limit=5", b'["A"]'),
    Frame(T, "x.http", "http", "https://x.com/book?symbol=B&limit=5", b'["B"]'),
    Frame(T, "x.0", "open", "wss://x.com/stream?streams=a/b", b""),
    Frame(T + 1 * S, "x.0", "sent", "", b"{}"),
    Frame(T + 2 * S, "x.0", "received", "", b'{"first":1}'),
    Frame(T + 3 * S, "x.1", "open", "wss://x.com/stream", b""),
    Frame(T + 4 * S, "x.1", "received", "", b'{"other":1}'),
    Frame(T + 6 * S, "x.0", "received", "", b'{"second":1}'),
]


async def test_answers_are_the_recorded_ones_of_the_same_instrument() -> None:
    async with (
        hosted({"/": RecordedVenue(ManualClock(T), FRAMES)}, 0) as address,
        aiohttp.ClientSession() as http,
    ):

        async def ask(path: str) -> tuple[int, str]:
            async with http.get(address + path) as answer:
                return answer.status, await answer.text()

        assert await ask("/list") == (200, '["spot"]')
        assert await ask("/book?symbol=B&limit=500") == (200, '["B"]')
        assert await ask("/book?symbol=A") == (200, '["A"]')
        assert (await ask("/book?symbol=C"))[0] == 404
        assert (await ask("/nothing"))[0] == 404


async def test_frames_come_when_as_much_time_has_passed_as_in_the_recording() -> None:
    clock = ManualClock(T + 500 * S)
    venue = RecordedVenue(clock, FRAMES, lambda text: [f'{{"heard":{text}}}'])
    async with (
        hosted({"/": venue}, 0) as address,
        aiohttp.ClientSession() as http,
        http.ws_connect(address.replace("http", "ws", 1) + "/stream") as one,
        http.ws_connect(address.replace("http", "ws", 1) + "/stream") as two,
    ):
        await one.send_str("7")
        assert await one.receive_json(timeout=5) == {"heard": 7}
        clock.advance(1.5)
        assert await two.receive_json(timeout=5) == {"other": 1}  # one second after its own beginning
        await asyncio.sleep(0.01)
        assert venue.played == 1
        clock.advance(0.5)
        assert await one.receive_json(timeout=5) == {"first": 1}
        clock.advance(4)
        assert await one.receive_json(timeout=5) == {"second": 1}
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            await http.ws_connect(address.replace("http", "ws", 1) + "/other")
    assert venue.heard == ["7"]


async def test_a_faster_pace_plays_the_same_frames_sooner() -> None:
    clock = ManualClock(T)
    async with (
        hosted({"/": RecordedVenue(clock, FRAMES, pace=60.0)}, 0) as address,
        aiohttp.ClientSession() as http,
        http.ws_connect(address.replace("http", "ws", 1) + "/stream") as socket,
    ):
        clock.advance(0.1)
        assert [await socket.receive_json(timeout=5) for _ in range(2)] == [{"first": 1}, {"second": 1}]


def test_a_recording_without_a_connection_is_refused() -> None:
    with pytest.raises(InputError, match="no connection"):
        RecordedVenue(SystemClock(), FRAMES[:3])


def test_three_venues_acknowledgements_are_known_and_nothing_is_said_to_others() -> None:
    assert acknowledged('{"method":"GET_PROPERTY","params":["combined"],"id":0}') == [
        '{"result":true,"id":0}'
    ]
    [answer] = acknowledged('{"op":"subscribe","args":["x"],"req_id":"4"}')
    assert json.loads(answer).items() >= {"success": True, "op": "subscribe", "req_id": "4"}.items()
    [answer] = acknowledged('{"op":"ping"}')
    assert json.loads(answer)["ret_msg"] == "pong"
    assert acknowledged('{"id":"7","type":"subscribe","topic":"/market/match:A"}') == [
        '{"id":"7","type":"ack"}'
    ]
    assert [list(acknowledged(text)) for text in ("{", "[]", '{"channel":"x"}')] == [[], [], []]


@pytest.mark.data
async def test_the_products_session_hears_of_a_played_recording_what_its_replay_says(data_dir: Path) -> None:
    place = data_dir / "cryptofeed" / "v3" / "BINANCE.jsonl.zst"
    frames = list(read_recording(place))
    clock = ManualClock(frames[0].receive_ns)
    played = RecordedVenue(clock, frames, acknowledged)
    body = next(frame.data for frame in frames if frame.kind == "http" and "exchangeInfo" in frame.address)
    listings = [
        each
        for each in binance.VENUE.parse_instruments(body, clock.now_ns()).listings
        if each.symbol in ("NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR")
    ]
    state, events = MarketState("demo", simulated=False), list[Event]()

    def learn(found: Events) -> None:
        events.extend(found)
        for event in found:
            state.apply(event)

    learn([Listed(each.spec, clock.now_ns(), clock.now_ns()) for each in listings])
    async with hosted({"/": played}, 0) as address:
        venue = at(binance.VENUE, address, address.replace("http", "ws", 1))
        async with RestClient(address, Retrying(clock=clock, fraction=lambda: 0.5)) as client:

            async def ask(request: Request) -> Answer:
                return await client.get(request.path, request.query, Deadline(clock, 60.0))

            wanted = [Subscription(each, ("book", "trades", "quote", "bars")) for each in listings]
            shared = dataclasses.replace(runtime(venue, clock, lambda: 0.5), ask=ask)
            session = Session(venue, wanted, SymbolTable(listings), Outlet(learn), shared)
            running = asyncio.ensure_future(session.run())
            received = sum(frame.kind == "received" for frame in frames)
            for _ in range(600):
                if played.played == received:
                    break
                clock.advance(0.25)
                await asyncio.sleep(0.001)
            for _ in range(50):
                await asyncio.sleep(0.001)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert played.played == received > 250
    replayed = MarketState("replay", simulated=False)
    ingest(replayed, replay_events([place]).events)
    for listing in listings:
        live, again = state.book(listing.instrument), replayed.book(listing.instrument)
        assert live.valid
        # The replay begins a book when its answer arrived; the session asks only once the first change is there.
        assert (live.sequence, live.bids[:20], live.asks[:20]) == (
            again.sequence,
            again.bids[:20],
            again.asks[:20],
        )
