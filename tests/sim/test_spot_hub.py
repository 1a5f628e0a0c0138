"""What all public sockets share: followers, the clockwork of slots, and faults of pushes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sextant.kit.clock import ManualClock
from sextant.sim.faults import FaultPlan, parse
from sextant.sim.limits import Counters
from sextant.sim.live import Live
from sextant.sim.market_model import MarketModel
from sextant.sim.session import Session
from sextant.sim.spot_hub import Push, SpotHub, parts_of
from sextant.sim.universe import Listing
from support.loopback import serving

START_NS = 1_790_000_010_000_000_000
TOPIC = "slots:BTCUSDT"


class Counting(SpotHub):
    """Pushes the number of each slot; a client that names a symbol follows it, any other text is answered."""

    venue = "counting"

    def hear(self, session: Session, text: str) -> None:
        listing = self.live.find("spot", text)
        if listing is None:
            session.put(f"heard {text}")
        else:
            self.follow(session, f"slots:{text}", listing)
            session.put("following")

    def frames(self, listing: Listing, topics: list[str], slot: int) -> dict[str, list[Push]]:
        self.live.tape(listing).play(slot, 10)
        return {topic: [{"slot": slot}] for topic in topics}

    def spell(self, session: Session, frame: Push) -> str:
        return f"{frame['slot']}"


class Stage:
    def __init__(self, hub: Counting, clock: ManualClock, address: str, http: aiohttp.ClientSession) -> None:
        self.hub, self.clock, self.address, self.http = hub, clock, address, http

    async def client(self) -> aiohttp.ClientWebSocketResponse:
        socket = await self.http.ws_connect(self.address)
        await socket.send_str("BTCUSDT")
        assert await socket.receive_str(timeout=5) == "following"
        return socket

    async def slots(self, socket: aiohttp.ClientWebSocketResponse, seconds: int) -> list[int]:
        """The slots pushed within some seconds, counted from the first that could be."""
        first = self.hub.live.tape(self.listing).due(self.hub.now()) + 1
        for _ in range(seconds * 4):
            self.clock.advance(0.25)
            self.hub.pump()
        await socket.send_str("?")
        found = []
        while (text := await socket.receive_str(timeout=5)) != "heard ?":
            found.append(int(text) - first)
        return found

    @property
    def listing(self) -> Listing:
        found = self.hub.live.find("spot", "BTCUSDT")
        assert found is not None
        return found


@asynccontextmanager
async def staged(*script: dict[str, Any]) -> AsyncIterator[Stage]:
    clock = ManualClock(START_NS)
    plan = FaultPlan(parse(script), START_NS // 1_000_000)
    live = Live(MarketModel(7, 12), 1.0)
    hub = Counting(live, plan, Counters(), lambda: clock.now_ns() // 1_000_000)

    async def serve(request: web.Request) -> web.StreamResponse:
        return await hub.serve(request)

    async with serving(serve) as host, aiohttp.ClientSession() as http:
        try:
            yield Stage(hub, clock, f"http://{host}/", http)
        finally:
            await hub.close_all()


async def test_every_slot_is_pushed_once_and_in_order_to_all_followers() -> None:
    async with staged() as stage:
        one, other = await stage.client(), await stage.client()
        found = await stage.slots(one, 5)
        assert found == list(range(len(found)))
        assert 4 <= len(found) <= 11
        others = [int(await other.receive_str(timeout=5)) for _ in found]
        assert others == list(range(others[0], others[0] + len(found)))
        stage.clock.advance(3_600)  # five minutes of it are made up for
        stage.hub.pump()
        await one.send_str("?")
        behind = 0
        while await one.receive_str(timeout=5) != "heard ?":
            behind += 1
        parts = stage.hub.live.tape(stage.listing).parts
        assert behind == pytest.approx(5 * parts, abs=2)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"fault": "gap"}, [0, 2, 3]),
        ({"fault": "duplicate"}, [0, 1, 1, 2, 3]),
        ({"fault": "swap"}, [0, 2, 1, 3]),
        ({"fault": "swap", "messages": 2}, [0, 2, 3, 1]),
        ({"fault": "frozen"}, [0, 0, 2, 3]),
        ({"fault": "fragments"}, [0, 1, 2, 3]),
    ],
)
async def test_faults_of_order_change_what_is_sent_and_nothing_else(
    fault: dict[str, Any], expected: list[int]
) -> None:
    async with staged({"at": {"topic": TOPIC, "message": 2}, **fault}) as stage:
        assert (await stage.slots(await stage.client(), 8))[: len(expected)] == expected


async def test_a_silenced_connection_hears_nothing_for_a_while() -> None:
    script = {"at": {"topic": TOPIC, "message": 1}, "fault": "silence", "seconds": 4}
    async with staged(script) as stage:
        socket = await stage.client()
        found = await stage.slots(socket, 10)
        assert found[0] == 0
        slot_s = stage.hub.live.tape(stage.listing).slot_ms / 1_000
        assert found[1] == pytest.approx(4 / slot_s, abs=1.5)


@pytest.mark.parametrize(
    ("kind", "last"),
    [("close", (aiohttp.WSMsgType.CLOSE, 1012)), ("reset", (aiohttp.WSMsgType.CLOSED, None))],
)
async def test_a_connection_can_be_closed_or_cut(kind: str, last: tuple[aiohttp.WSMsgType, object]) -> None:
    async with staged({"at": {"topic": TOPIC, "message": 1}, "fault": kind}) as stage:
        socket = await stage.client()
        for _ in range(8):
            stage.clock.advance(0.5)
            stage.hub.pump()
            await asyncio.sleep(0)
        while (message := await socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert (message.type, message.data) == last
        await asyncio.sleep(0.01)
        assert stage.hub.sessions == {}


async def test_an_instrument_that_nobody_follows_any_more_rests() -> None:
    async with staged() as stage:
        socket = await stage.client()
        [session] = stage.hub.sessions.values()
        stage.hub.leave(session, TOPIC)
        assert await stage.slots(socket, 3) == []
        stage.hub.live.delist("spot", "BTCUSDT")
        await socket.send_str("BTCUSDT")
        assert await socket.receive_str(timeout=5) == "heard BTCUSDT"


def test_a_volume_is_cut_into_whole_parts_that_add_up() -> None:
    assert parts_of(10, 4) == [3, 3, 2, 2]
    assert parts_of(3, 1_024) == [1, 1, 1]
    assert parts_of(7, 1) == [7]
