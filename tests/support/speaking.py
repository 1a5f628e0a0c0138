"""A venue on loopback that answers REST and subscriptions as its test scripts it, and a feed that hears it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sextant.kit.clock import ManualClock
from sextant.market.state import MarketState
from sextant.model.event_block import Events
from sextant.model.events import Event
from sextant.model.instrument import Instrument
from sextant.venues.feed import Feed, Wanted, Watcher, at
from sextant.venues.port import Venue
from support.loopback import serving

Answers = Mapping[str, Callable[[web.Request], object]]
"""JSON by path."""

Replies = Callable[[Any], Sequence[object]]
"""A message of the client to what is answered."""

NOW_NS = 1_786_310_817_000_000_000


class Speaking:
    """The venue's end: what was asked of each path, and the sockets that are open by path."""

    def __init__(self, answers: Answers, replies: Replies) -> None:
        self.asked: list[str] = []
        self.heard: dict[str, list[Any]] = {}
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self._answers = answers
        self._replies = replies

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            self.asked.append(f"{request.method} {request.path}")
            return web.json_response(self._answers[request.path](request))
        response = web.WebSocketResponse()
        await response.prepare(request)
        self.sockets[request.path] = response
        async for message in response:
            if message.type == aiohttp.WSMsgType.TEXT:
                await self._hear(request.path, response, message.data)
        return response

    async def _hear(self, path: str, response: web.WebSocketResponse, text: str) -> None:
        message = json.loads(text) if text.startswith("{") else text
        self.heard.setdefault(path, []).append(message)
        for reply in self._replies(message):
            await response.send_str(reply if isinstance(reply, str) else json.dumps(reply))

    async def say(self, path: str, message: object) -> None:
        await self.sockets[path].send_str(json.dumps(message))


class Hearing:
    """A feed's learner: a market state, and every event in order."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.state = MarketState("live", simulated=True)
        self.events: list[Event] = []
        self.feed: Feed

    def learn(self, events: Events) -> Sequence[Instrument]:
        for event in events:
            self.events.append(event)
            self.state.apply(event)
        return [instrument for instrument, _ in self.state.drain_resyncs()]

    def count(self, kind: type[Event]) -> int:
        return sum(type(event) is kind for event in self.events)

    def up(self) -> bool:
        states = self.feed.states()
        return bool(states) and all(state.up for state in states)


@asynccontextmanager
async def hearing(
    venue: Callable[[str], Venue], speaking: Speaking, quotes: frozenset[str], watcher: Watcher | None = None
) -> AsyncIterator[Hearing]:
    """A feed of the venue that ``venue`` makes for the host, at that host, until the block ends."""
    async with serving(speaking.serve) as host:
        heard = Hearing(ManualClock(NOW_NS))
        moved = at(venue(host), f"http://{host}", f"ws://{host}")
        heard.feed = Feed(moved, heard.clock, heard.learn, Wanted(quotes=quotes, history=None), watcher)
        running = asyncio.ensure_future(heard.feed.run())
        try:
            yield heard
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
