"""The public sockets of KuCoin spot: tokens, topics of one channel and many symbols, signs of life.

References
----------
www.kucoin.com/docs-new, websocket introduction and public spot channels, read 2026-11-25. The venue states no time after which
a silent client is cut; here it is its own interval of pings and their time-out together.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web

from sextant.sim.diff_books import DiffBook
from sextant.sim.drift import drifted
from sextant.sim.faults import Fault, FaultPlan
from sextant.sim.kucoin_rest import Answers
from sextant.sim.kucoin_wire import (
    INTERVALS,
    bar_row,
    changes_text,
    price_text,
    size_text,
    trade_number,
)
from sextant.sim.limits import Counters
from sextant.sim.live import Live
from sextant.sim.push_faults import cut
from sextant.sim.session import Session
from sextant.sim.spot_hub import LARGEST_BURST, Push, SpotHub, parts_of
from sextant.sim.tape import MINUTE_MS, Tape
from sextant.sim.universe import Listing

PING_MS: Final = 18_000
PONG_MS: Final = 10_000
A_REQUEST: Final = 100
A_SESSION: Final = 300
MESSAGES: Final = 100
MESSAGES_MS: Final = 10_000
LIFE_MS: Final = 86_400_000
_SNAPSHOT_MS: Final = 2_000
_TOKENS_KEPT: Final = 1_000

_BOOK: Final = "/market/level2"
_TRADES: Final = "/market/match"
_QUOTE: Final = "/market/ticker"
_BARS: Final = "/market/candles"
_FACTS: Final = "/market/snapshot"
_CHANNELS: Final = (_BOOK, _TRADES, _QUOTE, _BARS, _FACTS)


@dataclass(slots=True)
class _Line:
    opened_ms: int
    refused: bool = False
    said: deque[int] = field(default_factory=deque)


class KucoinHub(SpotHub):
    """All sessions, and what is pushed to whom.

    Parameters
    ----------
    answers
        What REST says, for best prices and summaries.
    live, plan, counters, now
        As of `SpotHub`.
    """

    venue = "kucoin"

    def __init__(self, live: Live, plan: FaultPlan, counters: Counters, now: Callable[[], int]) -> None:
        super().__init__(live, plan, counters, now)
        self.answers: Answers
        self.book_of: Callable[[Listing], DiffBook]
        self._lines: dict[str, _Line] = {}
        self._tokens: dict[str, int] = {}
        self._issued = 0
        self._sent_ms: dict[tuple[int, str], int] = {}
        self._repair: dict[int, list[int]] = {}

    # -- connections -------------------------------------------------------------------------------

    def token(self) -> str:
        """A token that opens one session within a day."""
        now_ms = self.now()
        if len(self._tokens) >= _TOKENS_KEPT:
            del self._tokens[next(iter(self._tokens))]
        self._issued += 1
        made = uuid.uuid5(uuid.NAMESPACE_OID, f"token {self._issued} {now_ms}").hex * 4
        self._tokens[made] = now_ms
        return made

    def _opened(self, session: Session, request: web.Request) -> None:
        token = request.query.get("token", "")
        name = request.query.get("connectId", session.id)
        line = self._lines[session.id] = _Line(self.now())
        if self.now() - self._tokens.pop(token, -LIFE_MS) < LIFE_MS:
            session.put(orjson.dumps({"id": name, "type": "welcome"}).decode())
            return
        line.refused = True  # and closed at the next beat, so that the reason is sent before
        _refuse(session, name, 401, "token is invalid")

    def beat(self, session: Session, now_ms: int) -> None:
        """Close whose token is wrong, cut who has been silent for too long, or connected for a day."""
        line = self._lines[session.id]
        if line.refused and session.queue.empty():
            session.close(1_000, b"token is invalid")
        elif now_ms - line.opened_ms >= LIFE_MS:
            session.close(1_000, b"24 hours")
        elif now_ms - session.heard_ms > PING_MS + PONG_MS:
            cut(session)

    # -- questions ---------------------------------------------------------------------------------

    def hear(self, session: Session, text: str) -> None:
        """Answer one message of a client."""
        line, now_ms = self._lines[session.id], self.now()
        while line.said and line.said[0] <= now_ms - MESSAGES_MS:
            line.said.popleft()
        line.said.append(now_ms)
        try:
            asked = orjson.loads(text)
        except orjson.JSONDecodeError:
            asked = None
        if not isinstance(asked, dict):
            _refuse(session, "", 406, "message is not valid json")
            return
        name, kind = str(asked.get("id", "")), asked.get("type")
        if len(line.said) > MESSAGES:
            self.counters.limited += 1
            _refuse(session, name, 509, f"exceed max permits per second {MESSAGES}")
        elif kind == "ping":
            session.put(orjson.dumps({"id": name, "type": "pong"}).decode())
        elif kind in ("subscribe", "unsubscribe"):
            self._change(session, asked, name)
        else:
            _refuse(session, name, 415, f"type {str(kind)[:40]} is not supported")

    def _change(self, session: Session, asked: dict[str, Any], name: str) -> None:
        channel, _, symbols = str(asked.get("topic", "")).partition(":")
        topics = list(dict.fromkeys(f"{channel}:{symbol}" for symbol in symbols.split(",") if symbol))
        listings = {topic: self._listing(topic) for topic in topics}
        joins = asked["type"] == "subscribe"
        if asked.get("privateChannel") in (True, "true"):
            _refuse(session, name, 403, "login is required")
        elif not topics or None in listings.values():
            wrong = next((topic for topic, listing in listings.items() if listing is None), channel)
            _refuse(session, name, 404, f"topic {wrong[:100]} is not found")
        elif len(topics) > A_REQUEST:
            self.counters.limited += 1
            _refuse(session, name, 509, f"exceed max subscription count limitation of {A_REQUEST} per time")
        elif joins and len(session.topics.keys() | set(topics)) > A_SESSION:
            self.counters.limited += 1
            _refuse(
                session, name, 509, f"exceed max subscription count limitation of {A_SESSION} per session"
            )
        else:
            if asked.get("response", False) in (True, "true"):
                session.put(orjson.dumps({"id": name, "type": "ack"}).decode())
            for topic, listing in listings.items():
                if not joins:
                    self.leave(session, topic)
                elif listing is not None and topic not in session.topics:
                    first = self.follow(session, topic, listing)
                    if first and channel == _BOOK:
                        self.book_of(listing).listen(_BOOK, self.now())

    def _listing(self, topic: str) -> Listing | None:
        channel, _, symbol = topic.partition(":")
        if channel not in _CHANNELS:
            return None
        if channel == _BARS:
            symbol, _, interval = symbol.partition("_")
            if interval not in INTERVALS:
                return None
        return self.live.find("spot", symbol)

    # -- pushes ------------------------------------------------------------------------------------

    def frames(self, listing: Listing, topics: list[str], slot: int) -> dict[str, list[Push]]:
        """Let a slot trade; what is pushed by topic."""
        tape = self.live.tape(listing)
        now_ms = tape.due_ms(slot)
        self.book_of(listing).advance(now_ms)
        made: dict[str, list[Push]] = {}
        for topic in topics:
            channel = topic.partition(":")[0]
            if channel == _BOOK:
                pushes = self._changes(listing, topic, now_ms)
            elif channel == _TRADES:
                pushes = _matches(tape, topic, slot)
            elif channel == _QUOTE:
                pushes = [
                    _push(topic, "trade.ticker", self.answers.quote(listing, now_ms) | {"time": now_ms})
                ]
            elif channel == _BARS:
                pushes = _bars(tape, topic, slot, now_ms)
            else:
                pushes = self._facts(listing, topic, now_ms)
            if pushes:
                made[topic] = pushes
        return made

    def _changes(self, listing: Listing, topic: str, now_ms: int) -> list[Push]:
        change = self.book_of(listing).take(_BOOK)
        if change is None:
            return []
        first = change.before + 1
        # The first number moves no level, as when an order that was never shown goes: a price of 0 says so.
        asks = [["0", "0", str(first)], *changes_text(listing, change.asks)]
        told = {ticks for ticks, _, __ in change.bids}
        gone = [
            (ticks, 0, change.last) for ticks in self._repair.pop(listing.position, []) if ticks not in told
        ]
        data = {
            "changes": {"asks": asks, "bids": changes_text(listing, [*change.bids, *gone])},
            "sequenceEnd": change.last,
            "sequenceStart": first,
            "symbol": listing.symbol,
            "time": now_ms,
        }
        return [_push(topic, "trade.l2update", data)]

    def _facts(self, listing: Listing, topic: str, now_ms: int) -> list[Push]:
        key = (listing.position, topic)
        if now_ms - self._sent_ms.get(key, 0) < _SNAPSHOT_MS:
            return []
        self._sent_ms[key] = now_ms
        facts, tick = self.answers.facts(listing, now_ms), listing.tick
        day, tape = facts.rolling, self.live.tape(listing)
        bid, ask = self.answers.touch(listing, now_ms)
        changes = {f"marketChange{hours}h": _change(listing, tape, hours, now_ms) for hours in (1, 4)}
        whole = {
            "changePrice": (facts.last - day.open) * tick,
            "changeRate": round(facts.last / day.open - 1.0, 4),
            "high": day.high * tick,
            "low": day.low * tick,
            "open": day.open * tick,
            "vol": day.lots * listing.lot,
            "volValue": day.turnover,
        }
        row = {
            "askSize": float(ask[1]),
            "averagePrice": day.turnover / (day.lots * listing.lot),
            "baseCurrency": listing.base,
            "bidSize": float(bid[1]),
            "board": 1,
            "buy": float(bid[0]),
            "close": facts.last * tick,
            "datetime": now_ms,
            "lastTradedPrice": facts.last * tick,
            "makerCoefficient": 1.0,
            "makerFeeRate": 0.001,
            "marginTrade": True,
            "mark": 0,
            "market": "USDS",
            "marketChange24h": dict(whole),
            "markets": ["USDS"],
            "quoteCurrency": "USDT",
            "sell": float(ask[0]),
            "sort": 100,
            "symbol": listing.symbol,
            "symbolCode": listing.symbol,
            "takerCoefficient": 1.0,
            "takerFeeRate": 0.001,
            "trading": True,
            **whole,
            **changes,
        }
        return [_push(topic, "trade.snapshot", {"sequence": self.book_of(listing).number, "data": row})]

    def spell(self, session: Session, frame: Push) -> str:  # noqa: ARG002  # all sessions are told alike
        """The frame."""
        return orjson.dumps(frame).decode()

    def _bent(self, listing: Listing, topic: str, frame: Push, fault: Fault) -> list[Push]:
        if fault.kind != "burst" or not topic.startswith(_TRADES):
            return super()._bent(listing, topic, frame, fault)
        data = frame["data"]
        sizes = parts_of(
            round(float(data["size"]) / listing.lot), int(fault.number("messages", LARGEST_BURST))
        )
        rows = [
            {
                **data,
                "size": size_text(listing, lots),
                "tradeId": f"{data['tradeId']}{f'-{row}' if row else ''}",
            }
            for row, lots in enumerate(sizes)
        ]
        return [{**frame, "data": row} for row in rows]

    def bend(self, listing: Listing, topic: str, frame: Push, fault: Fault) -> Push:
        """The frame with a fault of content in it."""
        if fault.kind == "drift":
            changed: Push = drifted(frame, fault.options)
            return changed
        if not topic.startswith(_BOOK):
            return frame
        book = self.book_of(listing)
        if fault.kind == "restart":
            book.restart(book.number // 2)
        elif fault.kind == "crossed":
            ticks = book.top(1)[1][0][0]
            self._repair.setdefault(listing.position, []).append(ticks)
            data, price = frame["data"], price_text(listing, ticks)
            bids = [row for row in data["changes"]["bids"] if row[0] != price]
            wrong = [price, size_text(listing, 7), str(data["sequenceEnd"])]
            return {**frame, "data": {**data, "changes": {**data["changes"], "bids": [*bids, wrong]}}}
        return frame


def _matches(tape: Tape, topic: str, slot: int) -> list[Push]:
    listing = tape.listing
    pushes = []
    for row, trade in enumerate(tape.trades(slot)):
        number = trade_number(tape, slot, row)
        maker = uuid.uuid5(uuid.NAMESPACE_OID, trade.id).hex[:24]
        data = {
            "makerOrderId": maker,
            "price": price_text(listing, trade.ticks),
            "sequence": str(number),
            "side": "buy" if trade.bought else "sell",
            "size": size_text(listing, trade.lots),
            "symbol": listing.symbol,
            "takerOrderId": trade.id.replace("-", "")[:24],
            "time": str(trade.time_ms * 1_000_000),
            "tradeId": str(number),
            "type": "match",
        }
        pushes.append(_push(topic, "trade.l3match", data))
    return pushes


def _bars(tape: Tape, topic: str, slot: int, now_ms: int) -> list[Push]:
    """The bar that forms; the first push of one is said to be added. None is ever called final."""
    listing, minutes = tape.listing, INTERVALS[topic.rpartition("_")[2]]
    first = slot // tape.parts // minutes * minutes
    kind = "add" if slot == first * tape.parts else "update"
    bar = tape.forming(now_ms, minutes, first)
    row = bar_row(listing, first * MINUTE_MS, bar)
    data = {"symbol": listing.symbol, "candles": row, "time": now_ms * 1_000_000}
    pushes = [_push(topic, f"trade.candles.{kind}", data)]
    if kind == "add":
        # What traded at the very end of the bar before is told, too.
        before = bar_row(
            listing, (first - minutes) * MINUTE_MS, tape.forming(now_ms, minutes, first - minutes)
        )
        pushes.insert(0, _push(topic, "trade.candles.update", {**data, "candles": before}))
    return pushes


def _change(listing: Listing, tape: Tape, hours: int, now_ms: int) -> dict[str, float]:
    minute = now_ms // MINUTE_MS
    bars = tape.model.minute_span(listing, minute - hours * 60, minute)
    first, last = int(bars.open[0]), int(bars.close[-1])
    return {
        "changePrice": (last - first) * listing.tick,
        "changeRate": round(last / first - 1.0, 4),
        "high": int(bars.high.max()) * listing.tick,
        "low": int(bars.low.min()) * listing.tick,
        "open": first * listing.tick,
        "vol": int(bars.lots.sum()) * listing.lot,
        "volValue": float(bars.turnover.sum()),
    }


def _push(topic: str, subject: str, data: dict[str, Any]) -> Push:
    return {"topic": topic, "type": "message", "subject": subject, "data": data}


def _refuse(session: Session, name: str, code: int, words: str) -> None:
    session.put(orjson.dumps({"id": name, "type": "error", "code": code, "data": words}).decode())
