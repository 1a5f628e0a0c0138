"""A venue's public socket: its sessions, who follows which topic, the clockwork that pushes, and faults of pushes."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final

from aiohttp import WSMsgType, web

from sextant.sim.faults import Fault, FaultPlan
from sextant.sim.limits import Counters
from sextant.sim.live import Live
from sextant.sim.push_faults import PushFaults, cut, strike
from sextant.sim.session import Session
from sextant.sim.universe import Listing

BEHIND_MS: Final = 300_000  # older slots are not pushed any more
LARGEST_BURST: Final = 1_024
_GREATEST_REQUEST: Final = 1 << 20

Push = dict[str, Any]
"""A frame before it is spelt for a session."""


class SpotHub(ABC):
    """Sessions, and what is pushed to whom.

    Parameters
    ----------
    live
        The market as time passes.
    plan
        Faults to play.
    counters
        What is counted.
    now
        Milliseconds since 1970, as the venue believes.
    """

    venue: str

    def __init__(self, live: Live, plan: FaultPlan, counters: Counters, now: Callable[[], int]) -> None:
        self.live = live
        self.now = now
        self.sessions: dict[str, Session] = {}
        self._plan = plan
        self.counters = counters
        self._followers: dict[str, dict[str, Session]] = {}
        self._topics: dict[int, dict[str, None]] = {}
        self._due: list[tuple[int, int, int]] = []
        self._running: set[int] = set()
        self._spoilt = PushFaults()
        self._made = 0

    # -- what a venue says -------------------------------------------------------------------------

    @abstractmethod
    def hear(self, session: Session, text: str) -> None:
        """Answer one message of a client."""

    @abstractmethod
    def frames(self, listing: Listing, topics: list[str], slot: int) -> dict[str, list[Push]]:
        """Let a slot trade; what is pushed by topic."""

    @abstractmethod
    def spell(self, session: Session, frame: Push) -> str:
        """A frame as one session gets it."""

    def bend(self, listing: Listing, topic: str, frame: Push, fault: Fault) -> Push:  # noqa: ARG002  # others need them
        """The frame with a fault of content in it."""
        return frame

    def greet(self, session: Session) -> None:  # noqa: B027  # most venues say nothing unasked
        """Say what a new client is told unasked."""

    def beat(self, session: Session, now_ms: int) -> None:  # noqa: B027  # a venue may have no signs of life
        """Send a sign of life, or cut a client that has broken a rule."""

    # -- sessions ----------------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Accept a client and answer it until it leaves."""
        self._made += 1
        socket = web.WebSocketResponse(compress=False, autoping=False, max_msg_size=_GREATEST_REQUEST)
        await socket.prepare(request)
        session = Session(socket, self.venue, self._made, self.now())
        session.transport = request.transport
        self.counters.connections += 1
        self.sessions[session.id] = session
        self._opened(session, request)
        writer = asyncio.create_task(session.write(self.counters), name=f"write {session.id}")
        try:
            async for message in socket:
                session.heard_ms = self.now()
                if message.type is WSMsgType.TEXT:
                    self.hear(session, message.data)
                elif message.type is WSMsgType.PING:
                    await socket.pong(message.data)
                elif message.type is WSMsgType.PONG:
                    self._ponged(session)
        finally:
            self.sessions.pop(session.id, None)
            for topic in list(session.topics):
                self.leave(session, topic)
            writer.cancel()
            closing = [writer, *([] if session.closing is None else [session.closing])]
            with contextlib.suppress(ConnectionError):
                await asyncio.wait(closing)
        return socket

    def _opened(self, session: Session, request: web.Request) -> None:  # noqa: ARG002  # some addresses ask for topics
        """Learn what the address of a new client asks for."""
        self.greet(session)

    def _ponged(self, session: Session) -> None:  # noqa: B027  # few venues ask for signs of life
        """Note that a client has answered a ping of the protocol."""

    async def close_all(self) -> None:
        """Say goodbye to every client."""
        going = list(self.sessions.values())
        for session in going:
            session.close(1001, b"going away")
        await asyncio.gather(*(each.closing for each in going if each.closing), return_exceptions=True)

    # -- topics ------------------------------------------------------------------------------------

    def follow(self, session: Session, topic: str, listing: Listing) -> bool:
        """Let a session follow a topic; whether nobody did so before."""
        session.topics[topic] = listing
        followers = self._followers.setdefault(topic, {})
        followers[session.id] = session
        self._topics.setdefault(listing.position, {})[topic] = None
        if listing.position not in self._running:
            self._running.add(listing.position)
            tape = self.live.tape(listing)
            slot = tape.due(self.now()) + 1
            heapq.heappush(self._due, (tape.due_ms(slot), listing.position, slot))
        return len(followers) == 1

    def leave(self, session: Session, topic: str) -> None:
        """Let a session leave a topic."""
        listing = session.topics.pop(topic, None)
        self._spoilt.forget((session.id, topic))
        followers = self._followers.get(topic)
        if listing is None or followers is None:
            return
        followers.pop(session.id, None)
        if not followers:
            del self._followers[topic]
            topics = self._topics[listing.position]
            topics.pop(topic, None)
            if not topics:
                del self._topics[listing.position]

    # -- time --------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Push everything that has become due."""
        now_ms = self.now()
        for session in list(self.sessions.values()):
            session.now_ms = now_ms
        known = {listing.position: listing for listing in self.live.listings()}
        while self._due and self._due[0][0] <= now_ms:
            due_ms, position, slot = heapq.heappop(self._due)
            listing, topics = known.get(position), self._topics.get(position)
            if listing is None or not topics:
                self._running.discard(position)
                continue
            tape = self.live.tape(listing)
            if now_ms - due_ms < BEHIND_MS:
                for topic, pushes in self.frames(listing, list(topics), slot).items():
                    for frame in pushes:
                        self._publish(listing, topic, frame)
            following = max(slot + 1, tape.due(now_ms - BEHIND_MS))
            heapq.heappush(self._due, (tape.due_ms(following), position, following))
        for session in list(self.sessions.values()):
            self.beat(session, now_ms)

    def strike_all(self, fault: Fault) -> None:
        """Let a fault hit every connection."""
        strike(list(self.sessions.values()), fault, self.now())

    # -- pushes ------------------------------------------------------------------------------------

    def _publish(self, listing: Listing, topic: str, frame: Push) -> None:
        faults, frames = self._plan.push(topic), [frame]
        for fault in faults:
            frames = [bent for each in frames for bent in self._bent(listing, topic, each, fault)]
        followers = list(self._followers.get(topic, {}).values())
        for session, each in itertools.product(followers, frames):
            for item in self._spoilt.sent((session.id, topic), self.spell(session, each), faults):
                if not session.put(item):
                    self.counters.slow_clients += 1
                    cut(session)
        for fault in faults:
            strike(followers, fault, self.now())

    def _bent(self, listing: Listing, topic: str, frame: Push, fault: Fault) -> list[Push]:
        """What a fault of content makes of a frame: one frame, or, where one holds one trade, a burst of them."""
        return [self.bend(listing, topic, frame, fault)]


def parts_of(lots: int, most: int) -> list[int]:
    """Up to ``most`` whole parts of at least one lot each, that sum to ``lots``."""
    parts = max(1, min(lots, most))
    return [lots // parts + (row < lots % parts) for row in range(parts)]
