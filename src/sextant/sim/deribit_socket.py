"""The public socket of the simulated Deribit: JSON-RPC calls, channels, and what is pushed to whom."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web

from sextant.errors import Rejected
from sextant.sim.books import Book, DepthFeed, Level
from sextant.sim.deribit_further import Book as ToldBook
from sextant.sim.deribit_further import FurtherCalls
from sextant.sim.deribit_market import Contract, DerivativesModel
from sextant.sim.deribit_rest import INVALID_PARAMS, METHOD_NOT_FOUND, NO_RAW, TOO_MANY, Calls, refused
from sextant.sim.drift import drifted
from sextant.sim.faults import Fault, FaultPlan
from sextant.sim.limits import Counters
from sextant.sim.noise import mix
from sextant.sim.push_faults import PushFaults, cut, strike
from sextant.sim.session import Session

INTERVALS_MS: Final = {"100ms": 100, "agg2": 2_000}
CREDITS: Final = 30_000
A_SUBSCRIPTION: Final = 3_000
CREDITS_A_MS: Final = 10

_CHANNEL: Final = re.compile(r"(ticker|book|trades)\.([A-Z0-9_]+(?:-[A-Z0-9]+)*)\.([a-z0-9]+)")
_GREATEST_REQUEST: Final = 1 << 20
_BOOK_LEVELS: Final = 20
_BOOK: Final = 44
_BOOK_EVERY_MS: Final = 500
_NUMBERS: Final = 7  # change ids rise by so many: they are not counted by one


@dataclass(slots=True)
class _Channel:
    """One channel that somebody listens to."""

    name: str
    kind: str
    contract: Contract
    every_ms: int
    due_ms: int
    last: bytes = b""
    followers: dict[str, Session] = field(default_factory=dict)


@dataclass(slots=True)
class _Ladder:
    """The order book of one future or perpetual, and what was told of it last."""

    book: Book
    feed: DepthFeed
    moved_ms: int = -1

    @property
    def number(self) -> int:
        """The change id of what was told last."""
        return self.feed.u * _NUMBERS


class DeribitHub:
    """All sessions, and what is pushed to whom.

    Parameters
    ----------
    derivatives
        What is quoted.
    plan
        Faults to play.
    counters
        What is counted.
    now
        Milliseconds since 1970, as the venue believes.
    """

    def __init__(
        self, derivatives: DerivativesModel, plan: FaultPlan, counters: Counters, now: Callable[[], int]
    ) -> None:
        self._derivatives = derivatives
        self._plan = plan
        self._counters = counters
        self._now = now
        self._calls = Calls(derivatives)
        self._further = FurtherCalls(self._calls, derivatives, self._told)
        self._calls.methods |= self._further.methods
        self._sessions: dict[str, Session] = {}
        self._credits: dict[str, tuple[float, int]] = {}
        self._channels: dict[str, _Channel] = {}
        self._ladders: dict[str, _Ladder] = {}
        self._slots: dict[str, int] = {}
        self._spoilt = PushFaults()
        self._made = 0

    @property
    def calls(self) -> Calls:
        """What may be called, by socket and by HTTP."""
        return self._calls

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Accept a client and answer it until it leaves."""
        socket = web.WebSocketResponse(compress=False, max_msg_size=_GREATEST_REQUEST)
        await socket.prepare(request)
        self._made += 1
        self._counters.connections += 1
        session = Session(socket, "deribit", self._made, self._now())
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
                with contextlib.suppress(ConnectionError):
                    await session.closing
        return socket

    async def close_all(self) -> None:
        """Say goodbye to every client."""
        sessions = list(self._sessions.values())
        for session in sessions:
            session.close(1001, b"going away")
        closing = (session.closing for session in sessions if session.closing)
        await asyncio.gather(*closing, return_exceptions=True)

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        self._credits.pop(session.id, None)
        for name in list(self._channels):
            self._leave(session, name)

    # -- calls -------------------------------------------------------------------------------------

    def _answer(self, session: Session, text: str) -> None:
        """Answer one call; what is no call is refused without a number."""
        now_ms = self._now()
        try:
            asked = orjson.loads(text)
        except orjson.JSONDecodeError:
            asked = None
        if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
            session.put(_error(None, refused(-32_600, "request entity is not a valid call"), now_ms))
            return
        number, params = asked.get("id"), asked.get("params") or {}
        try:
            result = self._call(session, asked["method"], params, now_ms)
        except Rejected as refusal:
            session.put(_error(number, refusal, now_ms))
            if refusal.facts["ret_code"] == TOO_MANY:
                session.close(1008, b"too many requests")
            return
        session.put(envelope(number, result, now_ms))
        if asked["method"] == "public/subscribe":
            for name in result:
                self._begin(session, name, now_ms)

    def _call(self, session: Session, method: str, params: Any, now_ms: int) -> Any:
        if not isinstance(params, dict):
            raise refused(INVALID_PARAMS, "Invalid params")
        if method in ("public/subscribe", "public/unsubscribe"):
            self._spend(session, now_ms)
            channels = params.get("channels")
            if not isinstance(channels, list) or not all(isinstance(name, str) for name in channels):
                raise refused(INVALID_PARAMS, "Invalid params")
            join = self._join if method == "public/subscribe" else self._leave
            return [name for name in channels if join(session, name)]
        if method == "public/set_heartbeat":
            return "ok"
        found = self._calls.methods.get(method)
        if found is None:
            raise refused(METHOD_NOT_FOUND, "Method not found")
        return found(params, now_ms)

    def _spend(self, session: Session, now_ms: int) -> None:
        """Pay for a subscription message.

        Raises
        ------
        Rejected
            If the credits are used up; the connection is then closed, as the venue does.
        """
        left, then_ms = self._credits.get(session.id, (float(CREDITS), now_ms))
        left = min(float(CREDITS), left + (now_ms - then_ms) * CREDITS_A_MS)
        if left < A_SUBSCRIPTION:
            raise refused(TOO_MANY, "too_many_requests")
        self._credits[session.id] = (left - A_SUBSCRIPTION, now_ms)

    def _join(self, session: Session, name: str) -> bool:
        """Whether a channel was joined; one that does not exist is left out of the answer."""
        shape, now_ms = _CHANNEL.fullmatch(name), self._now()
        if shape is not None and shape[3] == "raw":
            raise refused(NO_RAW, "raw_subscriptions_not_available_for_unauthorized")
        if shape is None or shape[3] not in INTERVALS_MS:
            return False
        channel = self._channels.get(name)
        if channel is None:
            try:
                contract = self._calls.find(shape[2], now_ms)
            except Rejected:
                return False
            every_ms = max(
                INTERVALS_MS[shape[3]], 1_000 if contract.kind != "option" and shape[1] == "ticker" else 0
            )
            # Channels of one interval are spread over it, so that hundreds of options are not due at once.
            phase_ms = mix(int.from_bytes(name.encode(), "little")) % every_ms
            channel = _Channel(name, shape[1], contract, every_ms, now_ms + phase_ms)
            self._channels[name] = channel
        channel.followers[session.id] = session
        return True

    def _leave(self, session: Session, name: str) -> bool:
        """Whether a channel was left."""
        channel = self._channels.get(name)
        if channel is None or channel.followers.pop(session.id, None) is None:
            return False
        self._spoilt.forget((session.id, name))
        if not channel.followers:
            del self._channels[name]
        return True

    # -- pushes ------------------------------------------------------------------------------------

    def _begin(self, session: Session, name: str, now_ms: int) -> None:
        """The first notification of a channel: all that is known."""
        channel = self._channels.get(name)
        if channel is None:
            return
        if channel.kind == "ticker":
            session.put(_notice(name, self._calls.told(channel.contract, now_ms)).decode())
        elif channel.kind == "book":
            session.put(_notice(name, self._snapshot(channel.contract, now_ms)).decode())
        else:
            self._slots.setdefault(name, self._derivatives.tapes[channel.contract.currency].due(now_ms))

    def strike_all(self, fault: Fault) -> None:
        """Let a fault hit every connection."""
        strike(list(self._sessions.values()), fault, self._now())

    def book_at(self, name: str, number: int) -> tuple[list[Level], list[Level]] | None:
        """The truth of a book as of a change id, in whole ticks and lots, while it is one of the last eight; else None."""
        ladder = self._ladders.get(name)
        return None if ladder is None or number % _NUMBERS else ladder.feed.at(number // _NUMBERS)

    def pump(self) -> None:
        """Push everything that has become due."""
        now_ms = self._now()
        for session in self._sessions.values():
            session.now_ms = now_ms
        for channel in list(self._channels.values()):
            if channel.due_ms > now_ms:
                continue
            channel.due_ms = now_ms + channel.every_ms - (now_ms - channel.due_ms) % channel.every_ms
            if channel.contract.expiry_ms is not None and channel.contract.expiry_ms <= now_ms:
                continue
            data = self._news(channel, now_ms)
            if data is not None:
                self._publish(channel, data)

    def _news(self, channel: _Channel, now_ms: int) -> Any:
        """What a channel has to say, or None."""
        if channel.kind == "ticker":
            told = self._calls.told(channel.contract, now_ms)
            same = orjson.dumps({**told, "timestamp": 0})
            if same == channel.last:
                return None
            channel.last = same
            return told
        if channel.kind == "book":
            return self._change(channel.contract, now_ms)
        return self._trades(channel, now_ms)

    def _publish(self, channel: _Channel, data: Any) -> None:
        faults = self._plan.push(channel.name)
        for fault in faults:
            data = self._bent(channel, data, fault)
        text = _notice(channel.name, data).decode()
        followers = list(channel.followers.values())
        for session in followers:
            for frame in self._spoilt.sent((session.id, channel.name), text, faults):
                if not session.put(frame):
                    self._counters.slow_clients += 1
                    cut(session)
        for fault in faults:
            strike(followers, fault, self._now())

    def _bent(self, channel: _Channel, data: Any, fault: Fault) -> Any:
        """What a channel says, with a fault of content in it."""
        if fault.kind == "drift":
            return drifted(data, fault.options)
        contract = channel.contract
        if channel.kind != "book" or contract.kind == "option":
            return data
        if fault.kind == "restart":
            self._ladder(contract, self._now()).feed.restart()
        if fault.kind in ("snapshot", "restart"):
            return self._snapshot(contract, self._now())
        if fault.kind == "crossed":
            feed = self._ladder(contract, self._now()).feed
            ticks, _ = min(feed.told()[1])
            feed.mistell(ticks, 7)
            return {**data, "bids": [*data["bids"], *_levels([(ticks, 7)], contract, "new")]}
        return data

    # -- books and trades --------------------------------------------------------------------------

    def _ladder(self, contract: Contract, now_ms: int) -> _Ladder:
        found = self._ladders.get(contract.name)
        if found is None:
            found = _Ladder(Book(400, 3), DepthFeed(_BOOK_LEVELS, 1_000 + mix(len(contract.name)) % 1_000))
            self._ladders[contract.name] = found
            self._move(found, contract, now_ms)
            found.feed.push(found.book)
        return found

    def _move(self, ladder: _Ladder, contract: Contract, now_ms: int) -> None:
        """Let the book follow the price, twice a second."""
        beat = now_ms // _BOOK_EVERY_MS
        if beat == ladder.moved_ms:
            return
        ladder.moved_ms = beat
        lane = self._derivatives.listing(contract.currency).lane + 1_000 * (contract.kind == "future")
        dice = self._derivatives.model.noise.dice(_BOOK, lane, beat)
        bid, ask = self._derivatives.touch(contract, now_ms)
        ladder.book.move(round(bid / contract.tick), round(ask / contract.tick), _BOOK_LEVELS, dice)

    def _option_sides(self, contract: Contract, now_ms: int) -> tuple[list[list[Any]], list[list[Any]]]:
        quote = self._derivatives.option(contract, now_ms)
        bids = [] if quote.bid is None else [["new", quote.bid, quote.bid_amount]]
        return bids, [["new", quote.ask, quote.ask_amount]]

    def _snapshot(self, contract: Contract, now_ms: int) -> dict[str, Any]:
        """The whole book: of an option its best prices, which are never changed by deltas."""
        head = {"type": "snapshot", "timestamp": now_ms, "instrument_name": contract.name}
        if contract.kind == "option":
            bids, asks = self._option_sides(contract, now_ms)
            return {**head, "change_id": now_ms, "bids": bids, "asks": asks}
        ladder = self._ladder(contract, now_ms)
        bids, asks = (_levels(side, contract, "new") for side in ladder.feed.told())
        return {**head, "change_id": ladder.number, "bids": bids, "asks": asks}

    def _told(self, contract: Contract, now_ms: int) -> ToldBook:
        """The book of a future or perpetual: as its listeners were told last, or of now where nobody listens."""
        ladder = self._ladder(contract, now_ms)
        heard = any(
            channel.kind == "book" and channel.contract == contract for channel in self._channels.values()
        )
        if not heard:
            self._move(ladder, contract, now_ms)
            if not ladder.feed.same(ladder.book):
                ladder.feed.push(ladder.book)
        bids, asks = ladder.feed.told()
        return ladder.number, sorted(bids, reverse=True), sorted(asks)

    def _change(self, contract: Contract, now_ms: int) -> dict[str, Any] | None:
        """What changed since the last notification, or None."""
        if contract.kind == "option":
            return None
        ladder = self._ladder(contract, now_ms)
        self._move(ladder, contract, now_ms)
        if ladder.feed.same(ladder.book):
            return None
        before = ladder.number
        bids, asks = ladder.feed.push(ladder.book)
        return {
            "type": "change",
            "timestamp": now_ms,
            "instrument_name": contract.name,
            "prev_change_id": before,
            "change_id": ladder.number,
            "bids": _levels(bids, contract, "change"),
            "asks": _levels(asks, contract, "change"),
        }

    def _trades(self, channel: _Channel, now_ms: int) -> list[dict[str, Any]] | None:
        """The trades of a perpetual since the last notification, or None; options and futures rest."""
        contract = channel.contract
        if contract.kind != "perpetual":
            return None
        tape = self._derivatives.tapes[contract.currency]
        slot = tape.due(now_ms)
        first = self._slots.get(channel.name, slot)
        self._slots[channel.name] = slot
        slots = range(max(first + 1, slot - 8), slot + 1)
        rows = [row for number in slots for row in self._further.trades(contract, number, now_ms)]
        return rows or None


def envelope(number: Any, result: Any, now_ms: int) -> str:
    """An answer, as the venue wraps it."""
    body = {
        "jsonrpc": "2.0",
        "id": number,
        "result": result,
        "usIn": now_ms * 1_000,
        "usOut": now_ms * 1_000 + 400,
        "usDiff": 400,
        "testnet": False,
    }
    return orjson.dumps(body).decode()


def _error(number: Any, refusal: Rejected, now_ms: int) -> str:
    return orjson.dumps(error_body(number, refusal, now_ms)).decode()


def error_body(number: Any, refusal: Rejected, now_ms: int) -> dict[str, Any]:
    """A refusal, as the venue words it."""
    return {
        "jsonrpc": "2.0",
        "id": number,
        "error": {"code": int(refusal.facts["ret_code"]), "message": refusal.message},
        "usIn": now_ms * 1_000,
        "usOut": now_ms * 1_000 + 200,
        "usDiff": 200,
        "testnet": False,
    }


def _notice(channel: str, data: Any) -> bytes:
    return orjson.dumps(
        {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
    )


def _levels(levels: list[tuple[int, int]], contract: Contract, action: str) -> list[list[Any]]:
    return [
        ["delete" if size == 0 else action, round(price * contract.tick, 2), size * contract.lot]
        for price, size in levels
    ]
