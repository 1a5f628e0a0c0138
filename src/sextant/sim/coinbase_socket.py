"""The public socket of the simulated Coinbase Advanced Trade: channels, one count of frames, and what is pushed."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import orjson

from sextant.sim.books import DEEPEST
from sextant.sim.coinbase_rest import Answers
from sextant.sim.coinbase_wire import (
    bar_row,
    change_text,
    changes,
    moment_text,
    price_text,
    size_text,
    trade_row,
)
from sextant.sim.drift import drifted
from sextant.sim.faults import Fault
from sextant.sim.limits import within
from sextant.sim.push_faults import cut
from sextant.sim.session import Session
from sextant.sim.spot_bars import bars_until
from sextant.sim.spot_hub import Push, SpotHub
from sextant.sim.tape import Print
from sextant.sim.universe import Listing

CHANNELS: Final = ("level2", "market_trades", "ticker", "ticker_batch", "candles", "status")
HEARTBEATS: Final = "heartbeats"
FIRST_WORD_MS: Final = 5_000
IDLE_MS: Final = 75_000  # "most channels close within 60-90 seconds if no updates are sent"
MESSAGES_A_SECOND: Final = 8
_HEARTBEAT_MS: Final = 1_000
_BATCH_MS: Final = 5_000
_FIRST_TRADES: Final = 50
_FIRST_BARS: Final = 100
_FIVE: Final = 5
_YEAR_DAYS: Final = 364


class CoinbaseHub(SpotHub):
    """All sessions, and what is pushed to whom.

    Notes
    -----
    A topic is the channel as it is asked for and the product, as ``level2:BTC-USD``; fault scripts name it so.
    """

    venue = "coinbase"
    answers: Answers

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._said: deque[int] = deque()
        self._beats: dict[str, int] = {}
        self._batched: dict[str, int] = {}
        self._years: dict[tuple[int, int], tuple[int, int]] = {}

    def beat(self, session: Session, now_ms: int) -> None:
        """Send the heartbeat; cut a client that never subscribed, and close one to which nothing was sent for long."""
        if not session.topics and session.id not in self._beats:
            if now_ms - session.began_ms > FIRST_WORD_MS and not session.asked:
                cut(session)
            return
        told_ms = self._beats.get(session.id)
        if told_ms is not None:
            if now_ms - told_ms >= _HEARTBEAT_MS:
                self._beats[session.id] = now_ms
                session.put(self.spell(session, self._heartbeat(now_ms)))
        elif now_ms - session.sent_ms > IDLE_MS:
            session.close(1000, b"idle")

    def _heartbeat(self, now_ms: int) -> Push:
        count = now_ms // 1_000 % 1_000_000
        moment = moment_text(now_ms)
        text = f"{moment[:10]} {moment[11:-1]} +0000 UTC m=+{count}.{now_ms % 1_000:03d}000000"
        return {"channel": HEARTBEATS, "events": [{"current_time": text, "heartbeat_counter": count}]}

    # -- requests ----------------------------------------------------------------------------------

    def hear(self, session: Session, text: str) -> None:
        """Answer one message of a client."""
        now_ms = self.now()
        # The limit is of an address, and all clients of a loopback port have one.
        if not within(self._said, now_ms, 1_000, MESSAGES_A_SECOND):
            self.counters.limited += 1
            session.put(_error("rate limit exceeded"))
            return
        try:
            asked = orjson.loads(text)
        except orjson.JSONDecodeError:
            asked = None
        fault = _refusal(asked)
        if fault:
            session.put(_error(fault))
            return
        session.asked = True
        if asked["channel"] == HEARTBEATS:
            if asked["type"] == "subscribe":
                begun = {name: told_ms for name, told_ms in self._beats.items() if name in self.sessions}
                self._beats = {session.id: now_ms, **begun}
            else:
                self._beats.pop(session.id, None)
        else:
            self._change(session, asked)
        session.put(self.spell(session, self._subscribed(session)))

    def _change(self, session: Session, asked: dict[str, Any]) -> None:
        channel = asked["channel"]
        names = asked.get("product_ids") or [listing.symbol for listing in self.live.listings()]
        for name in names:
            listing = self.answers.find(str(name))
            if listing is None:
                continue  # an unknown product is left out without a word
            topic = f"{channel}:{listing.symbol}"
            if asked["type"] == "unsubscribe":
                self.leave(session, topic)
            elif topic not in session.topics:
                alone = self.follow(session, topic, listing)
                if channel == "level2" and alone:
                    book = self.live.tape(listing).current(self.now(), DEEPEST)
                    self.live.feed(listing, DEEPEST).push(book)
                session.put(self.spell(session, self._first(listing, channel)))

    def _subscribed(self, session: Session) -> Push:
        """The list of subscriptions."""
        held: dict[str, list[str]] = {}
        for topic in session.topics:
            channel, _, name = topic.partition(":")
            held.setdefault(channel, []).append(name)
        if session.id in self._beats:
            held[HEARTBEATS] = [HEARTBEATS]
        return {"channel": "subscriptions", "events": [{"subscriptions": held}]}

    # -- frames ------------------------------------------------------------------------------------

    def spell(self, session: Session, frame: Push) -> str:
        """A frame as one session gets it, under the next number of that session."""
        number = session.numbered
        session.numbered += 1
        told = {
            "channel": frame["channel"],
            "timestamp": moment_text(frame.get("at_ms", self.now())),
            "sequence_num": number,
            "events": frame["events"],
        }
        if "drift" in frame:
            told = drifted(told, frame["drift"])
        return orjson.dumps(told).decode()

    def frames(self, listing: Listing, topics: list[str], slot: int) -> dict[str, list[Push]]:
        """Let a slot trade; what is pushed by topic."""
        tape = self.live.tape(listing)
        now_ms = tape.due_ms(slot)
        deep = any(topic.startswith("level2") for topic in topics)
        trades = tape.play(slot, DEEPEST if deep else 50)
        made: dict[str, list[Push]] = {}
        for topic in topics:
            channel = topic.partition(":")[0]
            frame = self._pushed(listing, channel, trades, slot)
            if frame is not None:
                made[topic] = [frame | {"at_ms": now_ms}]
        return made

    def _pushed(self, listing: Listing, channel: str, trades: list[Print], slot: int) -> Push | None:
        """What a slot makes one channel say, or None."""
        now_ms = self.live.tape(listing).due_ms(slot)
        if channel == "level2":
            return self._book(listing, now_ms)
        if channel == "market_trades":
            return _frame(channel, "update", {"trades": self._trades(listing, slot, trades)})
        if channel == "ticker":
            return _frame(channel, "update", {"tickers": [self._facts(listing, now_ms, quoted=True)]})
        if channel == "ticker_batch":
            if now_ms - self._batched.get(listing.symbol, 0) < _BATCH_MS:
                return None
            self._batched[listing.symbol] = now_ms
            return _frame(channel, "update", {"tickers": [self._facts(listing, now_ms, quoted=False)]})
        if channel == "candles":
            return _frame(channel, "update", {"candles": self._bars(listing, now_ms, 1)})
        return None

    def bend(self, listing: Listing, topic: str, frame: Push, fault: Fault) -> Push:
        """The frame with a fault of content in it."""
        if fault.kind == "drift":
            return frame | {"drift": fault.options}  # of the frame as it is spelt, its number included
        if not topic.startswith("level2"):
            return frame
        if fault.kind in ("snapshot", "restart"):
            return self._first(listing, "level2") | {"at_ms": frame["at_ms"]}
        if fault.kind == "crossed":
            feed = self.live.feed(listing, DEEPEST)
            best = min(feed.told()[1])
            feed.mistell(best[0], 7)
            [event] = frame["events"]
            wrong = changes(listing, "bid", [(best[0], 7)], frame["at_ms"])
            return {**frame, "events": [{**event, "updates": [*event["updates"], *wrong]}]}
        return frame

    def _first(self, listing: Listing, channel: str) -> Push:
        """What a new subscriber gets: of a book what the others were told last."""
        now_ms, tape = self.now(), self.live.tape(listing)
        if channel == "level2":
            feed = self.live.feed(listing, DEEPEST)
            bids, asks = feed.told()
            rows = changes(listing, "bid", sorted(bids, reverse=True), feed.changed_ms)
            rows += changes(listing, "offer", sorted(asks), feed.changed_ms)
            return _frame("l2_data", "snapshot", {"product_id": listing.symbol, "updates": rows})
        if channel == "market_trades":
            rows = []
            slot = tape.due(now_ms)
            while len(rows) < _FIRST_TRADES:
                rows += self._trades(listing, slot, tape.trades(slot))
                slot -= 1
            return _frame(channel, "snapshot", {"trades": rows[:_FIRST_TRADES]})
        if channel == "candles":
            return _frame(channel, "snapshot", {"candles": self._bars(listing, now_ms, _FIRST_BARS)})
        if channel == "status":
            return _frame(channel, "snapshot", {"products": [_status(listing)]})
        facts = self._facts(listing, now_ms, quoted=channel == "ticker")
        return _frame(channel, "snapshot", {"tickers": [facts]})

    def _book(self, listing: Listing, now_ms: int) -> Push | None:
        feed = self.live.feed(listing, DEEPEST)
        bids, asks = feed.push(self.live.tape(listing).book)
        rows = changes(listing, "bid", bids, now_ms) + changes(listing, "offer", asks, now_ms)
        if not rows:
            return None
        return _frame("l2_data", "update", {"product_id": listing.symbol, "updates": rows})

    def _trades(self, listing: Listing, slot: int, trades: list[Print]) -> list[dict[str, str]]:
        """The trades of a slot, newest first."""
        tape = self.live.tape(listing)
        rows = [trade_row(listing, trade, tape.number(slot, row)) for row, trade in enumerate(trades)]
        rows.reverse()
        return rows

    def _bars(self, listing: Listing, now_ms: int, count: int) -> list[dict[str, str]]:
        found = bars_until(self.live.tape(listing), now_ms, _FIVE, now_ms, count)
        return [bar_row(listing, open_ms, bar) | {"product_id": listing.symbol} for open_ms, bar in found]

    def _facts(self, listing: Listing, now_ms: int, *, quoted: bool) -> dict[str, str]:
        facts = self.answers.day(listing).facts(now_ms)
        low, high = self._year(listing, now_ms)
        told = {
            "type": "ticker",
            "product_id": listing.symbol,
            "price": price_text(listing, facts.last),
            "volume_24_h": size_text(listing, facts.rolling.lots),
            "low_24_h": price_text(listing, facts.rolling.low),
            "high_24_h": price_text(listing, facts.rolling.high),
            "low_52_w": price_text(listing, min(low, facts.rolling.low)),
            "high_52_w": price_text(listing, max(high, facts.rolling.high)),
            "price_percent_chg_24_h": change_text(facts),
        }
        if quoted:
            bids, asks = self.live.tape(listing).current(now_ms, 50).view(1)
            told |= {
                "best_bid": price_text(listing, bids[0][0]),
                "best_ask": price_text(listing, asks[0][0]),
                "best_bid_quantity": size_text(listing, bids[0][1]),
                "best_ask_quantity": size_text(listing, asks[0][1]),
            }
        return told

    def _year(self, listing: Listing, now_ms: int) -> tuple[int, int]:
        """Lowest and highest price of the whole days of 52 weeks, kept for the day."""
        today = now_ms // 86_400_000
        key = (listing.position, today)
        if key not in self._years:
            past = bars_until(self.live.tape(listing), now_ms, 1_440, (today - 1) * 86_400_000, _YEAR_DAYS)
            low, high = min(bar.low for _, bar in past), max(bar.high for _, bar in past)
            self._years[key] = (low, high)
        return self._years[key]


def _frame(channel: str, kind: str, more: dict[str, Any]) -> Push:
    return {"channel": channel, "events": [{"type": kind, **more}]}


def _error(words: str) -> str:
    return orjson.dumps({"type": "error", "message": words}).decode()


def _refusal(asked: Any) -> str:
    """Why a request is refused as a whole; empty where it is not."""
    if not isinstance(asked, dict) or asked.get("type") not in ("subscribe", "unsubscribe"):
        return "failure to parse message"
    channel = asked.get("channel")
    if channel in ("user", "futures_balance_summary"):
        return "authentication failure"
    if not isinstance(channel, str) or channel not in (*CHANNELS, HEARTBEATS):
        return "no channel or an unknown one: one channel in a message"
    names = asked.get("product_ids", [])
    if not isinstance(names, list):
        return "product_ids must be a list"
    return ""


def _status(listing: Listing) -> dict[str, Any]:
    step = f"{listing.tick:.{listing.tick_decimals}f}"
    return {
        "product_type": "SPOT",
        "id": listing.symbol,
        "base_currency": listing.base,
        "quote_currency": "USD",
        "base_increment": f"{listing.lot:.{listing.lot_decimals}f}",
        "quote_increment": step,
        "display_name": listing.symbol.replace("-", "/"),
        "status": "online",
        "status_message": "",
        "min_market_funds": "1",
    }
