"""The public socket of the simulated Kraken, version 2: acknowledgements, channels, and what each pushes."""

from __future__ import annotations

from typing import Any, Final

import orjson

from sextant.sim.drift import drifted
from sextant.sim.faults import Fault
from sextant.sim.kraken_rest import Answers
from sextant.sim.kraken_wire import (
    SIZE_DECIMALS,
    checksum,
    levels,
    mean_price,
    moment_text,
    number,
    price_text,
    size_text,
    trade_count,
    trade_row,
)
from sextant.sim.session import Session
from sextant.sim.spot_bars import bars_until
from sextant.sim.spot_hub import Push, SpotHub
from sextant.sim.tape import MINUTE_MS, Forming, Print
from sextant.sim.universe import Listing

DEPTHS: Final = (10, 25, 100, 500, 1_000)
INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1_440, 10_080, 21_600)
_HEARTBEAT_MS: Final = 1_000
_FIRST_TRADES: Final = 50
_FIRST_BARS: Final = 10
_REFERENCE: Final = "instrument"


class KrakenHub(SpotHub):
    """All sessions, and what is pushed to whom.

    Notes
    -----
    A topic is the channel with its parameter and the pair, as ``book-25:BTC/USD``, ``ohlc-1:BTC/USD``, ``trade:BTC/USD``
    or ``ticker:BTC/USD``; fault scripts name it so.
    """

    venue = "kraken"
    system = "online"
    pace = 1.0
    answers: Answers

    def greet(self, session: Session) -> None:
        """Say the state of the venue."""
        session.put(self._status(session))

    def announce(self, state: str) -> None:
        """Tell every client that the state of the venue has changed."""
        self.system = state
        for session in self.sessions.values():
            session.put(self._status(session))

    def beat(self, session: Session, now_ms: int) -> None:
        """Send a sign of life where nothing else was sent for a second."""
        if session.topics and now_ms - session.sent_ms >= _HEARTBEAT_MS:
            session.put('{"channel":"heartbeat"}')

    def _status(self, session: Session) -> str:
        row = {
            "version": "2.0.10",
            "system": self.system,
            "api_version": "v2",
            "connection_id": 12_393_906_104_898_154_338 - int(session.id.split("-")[1]),
        }
        return _dumped({"channel": "status", "type": "update", "data": [row]})

    # -- requests ----------------------------------------------------------------------------------

    def hear(self, session: Session, text: str) -> None:
        """Answer one message of a client."""
        try:
            asked = orjson.loads(text)
        except orjson.JSONDecodeError:
            asked = None
        method = asked.get("method") if isinstance(asked, dict) else None
        if not isinstance(asked, dict) or method not in ("ping", "subscribe", "unsubscribe"):
            words = "Unsupported field: 'method' for the given msg type" if asked else "Malformed message"
            session.put(self._answered({"method": method}, asked, error=words))
        elif method == "ping":
            session.put(self._answered({"method": "pong"}, asked))
        else:
            self._change(session, asked)

    def _answered(self, answer: dict[str, Any], asked: Any, *, error: str = "") -> str:
        if error:
            answer |= {"error": error, "success": False}
        if isinstance(asked, dict) and isinstance(asked.get("req_id"), int):
            answer["req_id"] = asked["req_id"]
        moment = moment_text(self.now())
        return _dumped(answer | {"time_in": moment, "time_out": moment})

    def _change(self, session: Session, asked: dict[str, Any]) -> None:
        """Answer a change of subscriptions: once for each symbol."""
        method = asked["method"]
        params: Any = asked.get("params")
        fault = _refusal(params)
        if fault:
            session.put(self._answered({"method": method}, asked, error=fault))
            return
        channel = params["channel"]
        if channel == _REFERENCE:
            session.put(
                self._answered(
                    {"method": method, "result": {"channel": channel, "snapshot": True}, "success": True},
                    asked,
                )
            )
            if method == "subscribe" and params.get("snapshot", True):
                session.put(_dumped(self._reference()))
            return
        for symbol in params["symbol"]:
            self._change_one(session, asked, str(symbol))

    def _change_one(self, session: Session, asked: dict[str, Any], symbol: str) -> None:
        method, params = asked["method"], asked["params"]
        listing = self.live.find("spot", symbol)
        topic = _topic(params, symbol)
        joining = method == "subscribe"
        error = ""
        if listing is None:
            error = f"Currency pair not supported {symbol[:40]}"
        elif joining and topic in session.topics:
            error = "Already subscribed"
        elif not joining and topic not in session.topics:
            error = "Subscription Not Found"
        if error or listing is None:
            session.put(self._answered({"method": method, "symbol": symbol[:40]}, asked, error=error))
            return
        told = {"channel": params["channel"], "symbol": symbol}
        if params["channel"] == "book":
            told["depth"] = params.get("depth", 10)
        elif params["channel"] == "ohlc":
            told["interval"] = params.get("interval", 1)
        elif params["channel"] == "ticker":
            told["event_trigger"] = params.get("event_trigger", "trades")
        shown = bool(params.get("snapshot", params["channel"] != "trade"))
        answer = {
            "method": method,
            "result": told | ({"snapshot": shown} if joining else {}),
            "success": True,
        }
        session.put(self._answered(answer, asked))
        if not joining:
            self.leave(session, topic)
            return
        alone = self.follow(session, topic, listing)
        if alone and topic.startswith("book"):
            depth = _parameter(topic)
            self.live.feed(listing, depth).push(self.live.tape(listing).current(self.now(), depth))
        if shown:
            session.put(self.spell(session, self._first(listing, topic)))

    # -- frames ------------------------------------------------------------------------------------

    def spell(self, session: Session, frame: Push) -> str:  # noqa: ARG002  # all sessions get the same text
        """A frame as one session gets it."""
        return _dumped(frame)

    def frames(self, listing: Listing, topics: list[str], slot: int) -> dict[str, list[Push]]:
        """Let a slot trade; what is pushed by topic."""
        tape = self.live.tape(listing)
        now_ms = tape.due_ms(slot)
        depths = [_parameter(topic) for topic in topics if topic.startswith("book")]
        trades = tape.play(slot, max([50, *depths]))
        made: dict[str, list[Push]] = {}
        for topic in topics:
            name = topic.partition(":")[0].partition("-")[0]
            if name == "book":
                made[topic] = self._book(listing, _parameter(topic))
            elif name == "trade":
                made[topic] = [_frame("trade", "update", self._trades(listing, slot, trades))]
            elif name == "ticker":
                made[topic] = [_frame("ticker", "update", [self._facts(listing, now_ms)])]
            else:
                made[topic] = [self._bars(listing, _parameter(topic), now_ms, 1, "update")]
        return made

    def bend(self, listing: Listing, topic: str, frame: Push, fault: Fault) -> Push:
        """The frame with a fault of content in it."""
        if fault.kind == "drift":
            changed: Push = drifted(orjson.loads(_dumped(frame)), fault.options)
            return changed
        if fault.kind in ("snapshot", "restart") and topic.startswith("book"):
            return self._first(listing, topic)
        if fault.kind == "crossed" and topic.startswith("book"):
            return self._crossed(listing, topic, frame)
        return frame

    def _crossed(self, listing: Listing, topic: str, frame: Push) -> Push:
        """The frame with a bid at the best ask, under a checksum that agrees: the venue itself is wrong."""
        feed = self.live.feed(listing, _parameter(topic))
        bids, asks = (sorted(side, reverse=row == 0) for row, side in enumerate(feed.told()))
        wrong = (asks[0][0], 7)
        [row] = frame["data"]
        bids = [wrong, *bids]
        row = {
            **row,
            "bids": [*levels(listing, [wrong]), *row["bids"]],
            "checksum": checksum(listing, bids, asks),
        }
        return {**frame, "data": [row]}

    def _first(self, listing: Listing, topic: str) -> Push:
        """What a new subscriber gets: what the others of its topic were told last."""
        name, now_ms = topic.partition(":")[0].partition("-")[0], self.now()
        tape = self.live.tape(listing)
        if name == "book":
            feed = self.live.feed(listing, _parameter(topic))
            bids, asks = feed.told()
            bids, asks = sorted(bids, reverse=True), sorted(asks)
            return _frame("book", "snapshot", [self._book_row(listing, (bids, asks), (bids, asks))])
        if name == "ticker":
            return _frame("ticker", "snapshot", [self._facts(listing, now_ms)])
        if name == "ohlc":
            return self._bars(listing, _parameter(topic), now_ms, _FIRST_BARS, "snapshot")
        rows: list[dict[str, Any]] = []
        slot = tape.due(now_ms)
        while len(rows) < _FIRST_TRADES:
            rows = [*self._trades(listing, slot, tape.trades(slot)), *rows]
            slot -= 1
        return _frame("trade", "snapshot", rows[-_FIRST_TRADES:])

    def _book(self, listing: Listing, depth: int) -> list[Push]:
        feed = self.live.feed(listing, depth)
        changed = feed.push(self.live.tape(listing).book)
        if not changed[0] and not changed[1]:
            return []
        bids, asks = feed.told()
        whole = sorted(bids, reverse=True), sorted(asks)
        row = self._book_row(listing, changed, whole) | {"timestamp": moment_text(feed.changed_ms)}
        return [_frame("book", "update", [row])]

    def _book_row(
        self,
        listing: Listing,
        told: tuple[list[tuple[int, int]], list[tuple[int, int]]],
        whole: tuple[list[tuple[int, int]], list[tuple[int, int]]],
    ) -> dict[str, Any]:
        return {
            "symbol": listing.symbol,
            "bids": levels(listing, told[0]),
            "asks": levels(listing, told[1]),
            "checksum": checksum(listing, *whole),
        }

    def _trades(self, listing: Listing, slot: int, trades: list[Print]) -> list[dict[str, Any]]:
        tape = self.live.tape(listing)
        return [trade_row(listing, trade, tape.number(slot, row)) for row, trade in enumerate(trades)]

    def _facts(self, listing: Listing, now_ms: int) -> dict[str, Any]:
        tape, facts = self.live.tape(listing), self.answers.day(listing).facts(now_ms)
        bids, asks = tape.current(now_ms, 50).view(1)
        span = facts.rolling

        def price(ticks: int) -> orjson.Fragment:
            return number(price_text(listing, ticks))

        def size(lots: int) -> orjson.Fragment:
            return number(size_text(listing, lots))

        return {
            "symbol": listing.symbol,
            "bid": price(bids[0][0]),
            "bid_qty": size(bids[0][1]),
            "ask": price(asks[0][0]),
            "ask_qty": size(asks[0][1]),
            "last": price(facts.last),
            "volume": size(span.lots),
            "vwap": number(f"{mean_price(listing, span):.{listing.tick_decimals}f}"),
            "low": price(span.low),
            "high": price(span.high),
            "change": price(facts.last - span.open),
            "change_pct": number(f"{(facts.last / span.open - 1.0) * 100.0:.2f}"),
        }

    def _bars(self, listing: Listing, minutes: int, now_ms: int, count: int, kind: str) -> Push:
        found = bars_until(self.live.tape(listing), now_ms, minutes, now_ms, count)
        rows = [self._bar(listing, minutes, open_ms, bar) for open_ms, bar in found]
        return _frame("ohlc", kind, rows) | {"timestamp": moment_text(now_ms, 9)}

    def _bar(self, listing: Listing, minutes: int, open_ms: int, bar: Forming) -> dict[str, Any]:
        sides = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close}
        return {
            "symbol": listing.symbol,
            **{name: number(price_text(listing, ticks)) for name, ticks in sides.items()},
            "trades": trade_count(listing, self.pace, bar),
            "volume": number(size_text(listing, bar.lots)),
            "vwap": number(f"{mean_price(listing, bar):.{listing.tick_decimals}f}"),
            "interval_begin": moment_text(open_ms, 9),
            "interval": minutes,
            "timestamp": moment_text(open_ms + minutes * MINUTE_MS),
        }

    def _reference(self) -> Push:
        listed = self.live.listings()
        return {
            "channel": _REFERENCE,
            "type": "snapshot",
            "data": {
                "assets": [_asset(name) for name in ("USD", *(listing.base for listing in listed))],
                "pairs": [_pair(listing) for listing in listed],
            },
        }


def _dumped(frame: Any) -> str:
    return orjson.dumps(frame).decode()


def _frame(channel: str, kind: str, rows: list[dict[str, Any]]) -> Push:
    return {"channel": channel, "type": kind, "data": rows}


def _parameter(topic: str) -> int:
    return int(topic.partition(":")[0].partition("-")[2])


def _topic(params: dict[str, Any], symbol: str) -> str:
    channel = params["channel"]
    if channel == "book":
        return f"book-{params.get('depth', 10)}:{symbol}"
    if channel == "ohlc":
        return f"ohlc-{params.get('interval', 1)}:{symbol}"
    return f"{channel}:{symbol}"


def _refusal(params: Any) -> str:
    """Why a request is refused as a whole; empty where it is not."""
    if not isinstance(params, dict):
        return "Params missing in request"
    channel = params.get("channel")
    if channel == _REFERENCE:
        return ""
    if channel not in ("book", "trade", "ticker", "ohlc"):
        return "Subscription name invalid"
    if not isinstance(params.get("symbol"), list) or not params["symbol"]:
        return "Symbol(s) required"
    if channel == "book" and params.get("depth", 10) not in DEPTHS:
        return "Subscription depth not supported"
    if channel == "ohlc" and params.get("interval", 1) not in INTERVALS:
        return "Subscription ohlc interval not supported"
    if channel == "ticker" and params.get("event_trigger", "trades") not in ("trades", "bbo"):
        return "Event trigger not supported"
    return ""


def _asset(name: str) -> dict[str, Any]:
    dollar = name == "USD"
    return {
        "id": name,
        "status": "enabled",
        "precision": 4 if dollar else 10,
        "precision_display": 2 if dollar else 5,
        "borrowable": True,
        "collateral_value": 1.0,
        "margin_rate": 0.025,
    }


def _pair(listing: Listing) -> dict[str, Any]:
    return {
        "symbol": listing.symbol,
        "base": listing.base,
        "quote": "USD",
        "status": "online",
        "qty_precision": SIZE_DECIMALS,
        "qty_increment": number(f"{10.0**-SIZE_DECIMALS:.{SIZE_DECIMALS}f}"),
        "price_precision": listing.tick_decimals,
        "cost_precision": 5,
        "marginable": True,
        "has_index": True,
        "cost_min": number("0.50"),
        "margin_initial": 0.2,
        "position_limit_long": 250,
        "position_limit_short": 200,
        "tick_size": number(price_text(listing, 1)),
        "price_increment": number(price_text(listing, 1)),
        "qty_min": number(f"{5.0 / listing.price:.{SIZE_DECIMALS}f}"),
    }
