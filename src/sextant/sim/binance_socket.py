"""The public sockets of Binance, spot and USD-M futures: raw and combined streams, live subscriptions, signs of life.

References
----------
binance/binance-spot-api-docs at a5e0bc3, web-socket-streams.md; developers.binance.com, USD-M futures, market streams;
read 2026-11-25.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import orjson
from aiohttp import web

from sextant.sim.binance_streams import Streams
from sextant.sim.binance_wire import size_text
from sextant.sim.drift import drifted
from sextant.sim.faults import Fault, FaultPlan
from sextant.sim.limits import Counters
from sextant.sim.push_faults import cut
from sextant.sim.session import Session, ping
from sextant.sim.spot_hub import LARGEST_BURST, Push, SpotHub, parts_of
from sextant.sim.universe import Category, Listing

MOST_STREAMS: Final = 1_024
LIFE_MS: Final = 86_400_000
_SECOND_MS: Final = 1_000
_BAD: Final = 2
_BURST: Final = 10**15
_PUBLIC: Final = ("depth", "bookTicker", "trade")
"""Kinds that USD-M serves below ``/public``; all others below ``/market``."""

_METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a market allows its sockets.

    Parameters
    ----------
    messages_a_second
        Messages of a client; more cut it.
    ping_ms, patience_ms
        Time between pings of the server, and how long their answers may take.
    """

    messages_a_second: int
    ping_ms: int
    patience_ms: int


RULES: Final[dict[Category, Rules]] = {
    "spot": Rules(5, 20_000, 60_000),
    "linear": Rules(10, 180_000, 600_000),
}


@dataclass(slots=True)
class _Line:
    """What the server knows of a connection beside its topics."""

    path: str
    combined: bool
    opened_ms: int
    pinged_ms: int
    waits_ms: int | None = None
    names: dict[str, None] = field(default_factory=dict)
    said: deque[int] = field(default_factory=deque)


class BinanceHub(SpotHub):
    """Sessions of one market, and what is pushed to whom.

    Parameters
    ----------
    streams
        Builds the frames.
    plan
        Faults to play.
    counters
        What is counted.
    now
        Milliseconds since 1970, as the venue believes.
    """

    def __init__(self, streams: Streams, plan: FaultPlan, counters: Counters, now: Callable[[], int]) -> None:
        super().__init__(streams.live, plan, counters, now)
        self.venue = f"binance-{streams.category}"
        self._streams = streams
        self._rules = RULES[streams.category]
        self._lines: dict[str, _Line] = {}

    # -- connections -------------------------------------------------------------------------------

    def _opened(self, session: Session, request: web.Request) -> None:
        now_ms, path = self.now(), request.path
        combined = path.rstrip("/").endswith("/stream")
        self._lines[session.id] = _Line(path, combined, now_ms, now_ms)
        names = (
            request.query.get("streams", "") if combined else unquote(path.partition("/ws")[2]).strip("/")
        ).split("/")
        self._join(session, [name for name in names if name])

    def _ponged(self, session: Session) -> None:
        self._lines[session.id].waits_ms = None

    def beat(self, session: Session, now_ms: int) -> None:
        """Ping on time; cut who does not answer, or has been connected for a day."""
        line = self._lines[session.id]
        if now_ms - line.opened_ms >= LIFE_MS:
            session.close(1_001, b"24 hours")
        elif line.waits_ms is not None and now_ms - line.waits_ms >= self._rules.patience_ms:
            cut(session)
        elif now_ms - line.pinged_ms >= self._rules.ping_ms:
            line.pinged_ms = now_ms
            line.waits_ms = now_ms if line.waits_ms is None else line.waits_ms
            session.put(ping(str(now_ms).encode()))

    def announce(self, now_ms: int) -> None:
        """Tell every client that the server is about to stop."""
        event = {"e": "serverShutdown", "E": now_ms}
        for session in self.sessions.values():
            combined = self._lines[session.id].combined
            session.put(orjson.dumps({"stream": "", "data": event} if combined else event).decode())

    # -- questions ---------------------------------------------------------------------------------

    def hear(self, session: Session, text: str) -> None:
        """Answer one message of a client; too many in a second cut it."""
        line, now_ms = self._lines[session.id], self.now()
        while line.said and line.said[0] <= now_ms - _SECOND_MS:
            line.said.popleft()
        line.said.append(now_ms)
        if len(line.said) > self._rules.messages_a_second:
            self.counters.limited += 1
            session.close(1_008, b"Too many requests")
            return
        try:
            asked = orjson.loads(text)
        except orjson.JSONDecodeError:
            _refuse(session, 3, "Invalid JSON: expected value at line 1 column 1", None)
            return
        if not isinstance(asked, dict):
            _refuse(session, _BAD, "Invalid request: expected a map", None)
            return
        number = asked.get("id")
        if number is not None and not isinstance(number, (int, str)):
            _refuse(session, _BAD, "Invalid request: request ID must be an unsigned integer", None)
            return
        fault = self._answer(session, line, asked)
        if fault is not None:
            _refuse(session, fault[0], fault[1], number)

    def _answer(self, session: Session, line: _Line, asked: dict[str, Any]) -> tuple[int, str] | None:
        """Answer a well-formed message; else its code and words."""
        method, params = asked.get("method"), asked.get("params", [])
        if method is None:
            return _BAD, "Invalid request: missing field `method` at line 1 column 1"
        if method not in _METHODS:
            return (
                _BAD,
                f"Invalid request: unknown variant `{str(method)[:40]}`, expected one of {', '.join(_METHODS)}",
            )
        if not isinstance(params, list):
            return _BAD, "Invalid request: params must be a list"
        if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
            return self._change(session, line, asked)
        result: Any = None
        if method == "LIST_SUBSCRIPTIONS":
            result = list(line.names)
        elif not params or params[0] != "combined":
            return 0, "Unknown property"
        elif method == "GET_PROPERTY":
            result = line.combined
        elif len(params) != 2 or not isinstance(params[1], bool):
            return 1, "Invalid value type: expected Boolean"
        else:
            line.combined = params[1]
        session.put(orjson.dumps({"result": result, "id": asked.get("id")}).decode())
        return None

    def _change(self, session: Session, line: _Line, asked: dict[str, Any]) -> tuple[int, str] | None:
        """Join streams or leave them, after the acknowledgement."""
        names, joins = asked.get("params", []), asked["method"] == "SUBSCRIBE"
        if not names or not all(isinstance(name, str) for name in names):
            return _BAD, "Invalid request: stream names must be strings"
        if joins and len(line.names.keys() | set(names)) > MOST_STREAMS:
            return _BAD, f"Invalid request: more than {MOST_STREAMS} streams"
        session.put(orjson.dumps({"result": None, "id": asked.get("id")}).decode())
        if joins:
            self._join(session, names)
            return None
        for name in names:
            line.names.pop(name, None)
            self.leave(session, name)
        return None

    def _join(self, session: Session, names: list[str]) -> None:
        """Subscribe to streams; one that is unknown, or of another path, is accepted and stays silent, as at the venue."""
        line = self._lines[session.id]
        for name in names:
            line.names[name] = None
            listing = self._streams.listing(name)
            if listing is None or not _served(line.path, name) or name in session.topics:
                continue
            if self.follow(session, name, listing):
                self._streams.begin(listing, name, self.now())

    # -- pushes ------------------------------------------------------------------------------------

    def frames(self, listing: Listing, topics: list[str], slot: int) -> dict[str, list[Push]]:
        """Let a slot trade; what is pushed by stream."""
        made = self._streams.slot(listing, topics, slot)
        return {name: [{"stream": name, "data": data} for data in events] for name, events in made.items()}

    def spell(self, session: Session, frame: Push) -> str:
        """The event, wrapped with the name of its stream on combined connections."""
        line = self._lines.get(session.id)
        return orjson.dumps(frame if line is None or line.combined else frame["data"]).decode()

    def _bent(self, listing: Listing, topic: str, frame: Push, fault: Fault) -> list[Push]:
        if fault.kind != "burst" or topic.partition("@")[2] not in ("trade", "aggTrade"):
            return super()._bent(listing, topic, frame, fault)
        data = frame["data"]
        name = "t" if data["e"] == "trade" else "a"
        sizes = parts_of(round(float(data["q"]) / listing.lot), int(fault.number("messages", LARGEST_BURST)))
        rows = []
        for row, lots in enumerate(sizes):
            # Numbers of the parts lie far beyond all others, so that each is its own trade.
            number = data[name] if row == 0 else _BURST + data[name] * LARGEST_BURST + row
            folded = {"f": number, "l": number} if name == "a" else {}
            rows.append({**data, name: number, "q": size_text(listing, lots), **folded})
        return [{**frame, "data": row} for row in rows]

    def bend(self, listing: Listing, topic: str, frame: Push, fault: Fault) -> Push:
        """The frame with a fault of content in it."""
        if fault.kind == "drift":
            changed: Push = drifted(frame, fault.options)
            return changed
        if "@depth" not in topic:
            return frame
        if fault.kind == "restart":
            book = self._streams.book_of(listing)
            book.restart(book.number // 2)
        elif fault.kind == "crossed":
            return {**frame, "data": self._streams.crossed(listing, topic, frame["data"])}
        return frame


def _served(path: str, name: str) -> bool:
    """Whether a path of USD-M serves a stream; paths without a name serve all."""
    kind = name.partition("@")[2]
    public = kind.startswith(_PUBLIC)
    if path.startswith("/public"):
        return public
    return not public if path.startswith("/market") else True


def _refuse(session: Session, code: int, words: str, number: Any) -> None:
    session.put(orjson.dumps({"error": {"code": code, "msg": words}, "id": number}).decode())
