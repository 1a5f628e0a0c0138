"""The public sockets of Bybit v5: sessions, topics, and the clockwork that pushes."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import re
from collections.abc import Callable
from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web

from sextant.sim.faults import Fault, FaultPlan
from sextant.sim.limits import Counters
from sextant.sim.live import Live
from sextant.sim.notices import Notices
from sextant.sim.push_faults import PushFaults, cut, strike
from sextant.sim.pushes import Pushes
from sextant.sim.session import Session
from sextant.sim.tape import MINUTE_MS
from sextant.sim.universe import Listing
from sextant.sim.wire import INTERVALS

_TOPIC: Final = re.compile(
    r"(orderbook\.(1|50|200|1000)|publicTrade|tickers|kline\.([0-9DW]+)|allLiquidation)\.([A-Z0-9]+)"
)
STATUS: Final = "misc/status"
STATUS_TOPIC: Final = "system.status"
_SPOT_ARGS: Final = 10
_ARGS_CHARACTERS: Final = 21_000
_IDLE_MS: Final = 600_000
_BEHIND_MS: Final = 300_000
_CLOSED_LAG_MS: Final = 15
_GREATEST_REQUEST: Final = 1 << 20


class Hub:
    """All sessions, and what is pushed to whom.

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

    def __init__(self, live: Live, plan: FaultPlan, counters: Counters, now: Callable[[], int]) -> None:
        self._live = live
        self._plan = plan
        self._counters = counters
        self._now = now
        self._pushes = Pushes(live)
        self._sessions: dict[str, Session] = {}
        self._followers: dict[tuple[str, str], dict[str, Session]] = {}
        self._topics: dict[int, dict[str, None]] = {}
        self._due: list[tuple[int, int, int]] = []
        self._chains: set[tuple[int, bool]] = set()
        self._spoilt = PushFaults()
        self._made = 0
        self.notices = Notices()

    async def serve(self, request: web.Request, category: str) -> web.WebSocketResponse:
        """Accept a client and answer it until it leaves."""
        socket = web.WebSocketResponse(compress=False, max_msg_size=_GREATEST_REQUEST)
        await socket.prepare(request)
        self._made += 1
        self._counters.connections += 1
        session = Session(socket, category, self._made, self._now())
        session.transport = request.transport
        self._sessions[session.id] = session
        writer = asyncio.create_task(session.write(self._counters), name=f"write {session.id}")
        try:
            async for message in socket:
                session.heard_ms = self._now()
                if message.type is WSMsgType.TEXT:
                    self._answer(session, message.data)
        finally:
            self._forget(session)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            if session.closing is not None:
                # The handler must outlive the handshake, or the connection drops before the close frame is sent.
                with contextlib.suppress(ConnectionError):
                    await session.closing
        return socket

    async def close_all(self) -> None:
        """Say goodbye to every client."""
        sessions = list(self._sessions.values())
        for session in sessions:
            session.close(1001, b"going away")
        await asyncio.gather(
            *(session.closing for session in sessions if session.closing), return_exceptions=True
        )

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        for topic, listing in list(session.topics.items()):
            self._leave(session, topic, listing)

    def _answer(self, session: Session, text: str) -> None:
        try:
            asked = orjson.loads(text)
        except orjson.JSONDecodeError:
            asked = None
        if not isinstance(asked, dict) or not isinstance(asked.get("op"), str):
            self._reply(session, success=False, message="Invalid request", asked={"op": ""})
        elif asked["op"] == "ping":
            self._reply(session, success=True, message="pong", asked=asked)
        elif asked["op"] in ("subscribe", "unsubscribe"):
            self._change(session, asked)
        else:
            self._reply(session, success=False, message=f"error:unknown op {asked['op'][:40]}", asked=asked)

    def _reply(self, session: Session, *, success: bool, message: str, asked: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"success": success, "ret_msg": message, "conn_id": session.id}
        if session.category in ("linear", "inverse") or asked.get("req_id"):
            answer["req_id"] = str(asked.get("req_id", ""))
        answer["op"] = asked["op"]
        session.put(orjson.dumps(answer).decode())

    def _change(self, session: Session, asked: dict[str, Any]) -> None:
        names = asked.get("args")
        joining = asked["op"] == "subscribe"
        fault = self._refusal(session, names, joining=joining)
        if fault is not None or not isinstance(names, list):
            self._reply(session, success=False, message=fault or "args invalid", asked=asked)
            return
        if session.category == STATUS:
            session.hears_notices = joining
        wanted = {name: self._listing(session, name) for name in names}
        if joining:
            session.characters += sum(len(name) for name in names)
        message = asked["op"] if session.category == "spot" else ""
        self._reply(session, success=True, message=message, asked=asked)
        for name, listing in wanted.items():
            if listing is None:
                continue
            if joining:
                self._join(session, name, listing)
            else:
                self._leave(session, name, listing)

    def _refusal(self, session: Session, names: Any, *, joining: bool) -> str | None:
        """Why a request for topics is refused as a whole, or None; one bad topic refuses all, as the venue does."""
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            return "error:args must be a list of topics"
        if session.category == "spot" and len(names) > _SPOT_ARGS:
            return f"args size >{_SPOT_ARGS}"
        if joining and session.characters + sum(len(name) for name in names) > _ARGS_CHARACTERS:
            return "error:args length exceeds 21000 characters"
        for name in names:
            if session.category == STATUS and name == STATUS_TOPIC:
                continue
            if self._listing(session, name) is None:
                return f"error:handler not found,topic:{name[:80]}"
            if joining and name in session.topics:
                return f"error:already subscribed,topic:{name}"
        return None

    def _listing(self, session: Session, topic: str) -> Listing | None:
        shape = _TOPIC.fullmatch(topic)
        if (
            session.category == STATUS
            or shape is None
            or (shape[3] is not None and shape[3] not in INTERVALS)
        ):
            return None
        if session.category == "spot" and shape[1] == "allLiquidation":
            return None
        return self._live.find(session.category, shape[4])

    def _join(self, session: Session, topic: str, listing: Listing) -> None:
        now_ms = self._now()
        key = (session.category, topic)
        session.topics[topic] = listing
        self._followers.setdefault(key, {})[session.id] = session
        self._live.follow(listing, topic)
        topics = self._topics.get(listing.position)
        if topics is None:
            topics = self._topics[listing.position] = {}
            self._schedule(listing, now_ms)
        topics[topic] = None
        alone = len(self._followers[key]) == 1
        first = self._pushes.first(listing, topic, now_ms, alone=alone)
        if first is not None:
            session.put(orjson.dumps(first).decode())

    def _schedule(self, listing: Listing, now_ms: int) -> None:
        """Begin the chains of slots and of ended minutes of an instrument, unless they still run for a former listener."""
        position, tape = listing.position, self._live.tape(listing)
        slot = tape.due(now_ms) + 1
        closing = (now_ms // MINUTE_MS + 1) * MINUTE_MS + _CLOSED_LAG_MS
        for chain, entry in (
            ((position, False), (tape.due_ms(slot), position, slot)),
            ((position, True), (closing, position, -1)),
        ):
            if chain not in self._chains:
                self._chains.add(chain)
                heapq.heappush(self._due, entry)

    def _leave(self, session: Session, topic: str, listing: Listing) -> None:
        session.topics.pop(topic, None)
        followers = self._followers.get((session.category, topic))
        if followers is None:
            return
        followers.pop(session.id, None)
        if not followers:
            del self._followers[session.category, topic]
            self._live.unfollow(listing, topic)
            topics = self._topics.get(listing.position, {})
            topics.pop(topic, None)
            if not topics:
                self._topics.pop(listing.position, None)

    def pump(self) -> None:
        """Push everything that has become due."""
        now_ms = self._now()
        for notice in self.notices.changed(now_ms):
            text = orjson.dumps({"topic": STATUS_TOPIC, "ts": now_ms, "data": [notice]}).decode()
            for session in self._sessions.values():
                if session.hears_notices:
                    session.put(text)
        for session in list(self._sessions.values()):
            session.now_ms = now_ms
            if now_ms - session.heard_ms > _IDLE_MS:
                cut(session)
        while self._due and self._due[0][0] <= now_ms:
            due_ms, position, slot = heapq.heappop(self._due)
            listing = self._live.model.listings[position]
            topics = self._topics.get(position)
            if topics is None or not self._live.listed(listing):
                self._chains.discard((position, slot < 0))
                continue
            if slot < 0:
                self._close_bars(listing, topics, due_ms)
                heapq.heappush(self._due, (due_ms + MINUTE_MS, position, -1))
                continue
            tape = self._live.tape(listing)
            if now_ms - due_ms < _BEHIND_MS:
                self._play(listing, topics, slot)
            following = max(slot + 1, tape.due(now_ms - _BEHIND_MS))
            heapq.heappush(self._due, (tape.due_ms(following), position, following))

    def strike_all(self, fault: Fault) -> None:
        """Let a fault hit every connection."""
        strike(list(self._sessions.values()), fault, self._now())

    def _play(self, listing: Listing, topics: dict[str, None], slot: int) -> None:
        due_ms = self._live.tape(listing).due_ms(slot)
        made = self._pushes.slot(listing, list(topics), slot)
        for topic in list(topics):
            if topic in made:
                self._publish(listing, topic, made[topic], due_ms)

    def _close_bars(self, listing: Listing, topics: dict[str, None], due_ms: int) -> None:
        for topic in [name for name in topics if name.startswith("kline.")]:
            frame = self._pushes.closed(listing, topic, due_ms)
            if frame is not None:
                self._publish(listing, topic, frame, due_ms)

    def _publish(self, listing: Listing, topic: str, frame: dict[str, Any], now_ms: int) -> None:
        key = (listing.category, topic)
        faults = self._plan.push(topic)
        for fault in faults:
            frame = self._pushes.bend(listing, topic, frame, fault)
        text = orjson.dumps(frame).decode()
        texts = self._spoilt.sent(key, text, faults)
        followers = list(self._followers.get(key, {}).values())
        for session in followers:
            for item in texts:
                if not session.put(item):
                    self._counters.slow_clients += 1
                    cut(session)
        for fault in faults:
            strike(followers, fault, now_ms)
