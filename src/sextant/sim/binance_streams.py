"""The events of Binance's streams, spot and USD-M futures, from the market as time passes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from sextant.sim.binance_futures import mark_row
from sextant.sim.binance_rest import Answers, day_numbers, folded_trade
from sextant.sim.binance_wire import (
    INTERVALS,
    bar_row,
    first_trade,
    levels_text,
    price_text,
    shift_of,
    size_text,
    trades_of,
)
from sextant.sim.books import Level
from sextant.sim.diff_books import DiffBook, Numbered
from sextant.sim.live import Live
from sextant.sim.tape import MINUTE_MS, Tape
from sextant.sim.universe import Category, Listing

_NAME: Final = re.compile(r"([a-z0-9]+)@([A-Za-z0-9_@]+)")
_DEPTHS: Final = {
    "spot": {"depth": 1_000, "depth@100ms": 100},
    "linear": {"depth": 250, "depth@500ms": 500, "depth@250ms": 250, "depth@100ms": 100, "depth@0ms": 0},
}
"""Least milliseconds between two changes that a stream of a book tells."""

_MARKS: Final = {"markPrice": 3_000, "markPrice@1s": 1_000}
_SUMMARY_MS: Final = 1_000
_DAY_MS: Final = 86_400_000
_LAG_MS: Final = 1

Event = dict[str, Any]


class Streams:
    """Builds events for one market.

    Parameters
    ----------
    live
        The market as time passes.
    category
        spot or linear.
    book
        The numbered book of an instrument.
    answers
        What REST says, for summaries.
    """

    def __init__(
        self, live: Live, category: Category, book: Callable[[Listing], DiffBook], answers: Answers
    ) -> None:
        self.live = live
        self.category = category
        self.book_of = book
        self._answers = answers
        self._spot = category == "spot"
        self._sent_ms: dict[tuple[int, str], int] = {}
        self._touch: dict[int, tuple[list[Level], list[Level]]] = {}
        self._repair: dict[tuple[int, str], list[int]] = {}

    def listing(self, name: str) -> Listing | None:
        """The instrument of a stream; None for a stream that there is not."""
        shape = _NAME.fullmatch(name)
        if shape is None or not self._known(shape[2]):
            return None
        return self.live.find(self.category, shape[1].upper())

    def _known(self, kind: str) -> bool:
        if kind in _DEPTHS[self.category] or kind in ("trade", "aggTrade", "bookTicker", "ticker"):
            return True
        if kind.startswith("kline_"):
            return kind.removeprefix("kline_") in INTERVALS
        return not self._spot and (kind in _MARKS or kind == "forceOrder")

    def begin(self, listing: Listing, name: str, now_ms: int) -> None:
        """Gather what a stream will tell from now on."""
        kind = name.partition("@")[2]
        if kind in _DEPTHS[self.category]:
            self.book_of(listing).listen(kind, now_ms)

    def slot(self, listing: Listing, topics: list[str], slot: int) -> dict[str, list[Event]]:
        """Events by stream after a slot has traded; a stream without news is absent."""
        tape = self.live.tape(listing)
        now_ms = tape.due_ms(slot)
        made: dict[str, list[Event]] = {}
        self.book_of(listing).advance(now_ms)
        for name in topics:
            kind = name.partition("@")[2]
            events = self._events(tape, kind, slot, now_ms)
            if events:
                made[name] = events
        return made

    def _events(self, tape: Tape, kind: str, slot: int, now_ms: int) -> list[Event]:
        listing = tape.listing
        if kind in _DEPTHS[self.category]:
            return self._change(listing, kind, now_ms) if self._due(listing, kind, now_ms) else []
        if kind == "aggTrade":
            return self._folded_trades(tape, slot, now_ms)
        if kind == "trade":
            return self._trades(tape, slot, now_ms)
        if kind == "bookTicker":
            return self._best(listing, now_ms)
        if kind.startswith("kline_"):
            return self._bars(tape, kind.removeprefix("kline_"), slot, now_ms)
        if kind == "forceOrder":
            return self._forced(tape, slot, now_ms)
        if not self._due(listing, kind, now_ms):
            return []
        return [self._day(listing, now_ms)] if kind == "ticker" else [self._mark(listing, now_ms)]

    def _due(self, listing: Listing, kind: str, now_ms: int) -> bool:
        """Whether a stream that speaks at most so often speaks now."""
        every_ms = _DEPTHS[self.category].get(kind, _MARKS.get(kind, _SUMMARY_MS))
        key = (listing.position, kind)
        if now_ms - self._sent_ms.get(key, 0) < every_ms:
            return False
        self._sent_ms[key] = now_ms
        return True

    # -- books -------------------------------------------------------------------------------------

    def _change(self, listing: Listing, kind: str, now_ms: int) -> list[Event]:
        change = self.book_of(listing).take(kind)
        if change is None:
            return []
        event: Event = {"e": "depthUpdate", "E": now_ms}
        if not self._spot:
            event["T"] = now_ms - _LAG_MS
        event |= {"s": listing.symbol, "U": change.first, "u": change.last}
        if not self._spot:
            event["pu"] = change.before
        repaired = self._repair.pop((listing.position, kind), [])
        told = {ticks for ticks, _, __ in change.bids}
        gone = [(ticks, 0) for ticks in repaired if ticks not in told]
        event["b"] = levels_text(listing, [*_levels(change.bids), *gone])
        event["a"] = levels_text(listing, _levels(change.asks))
        return [event]

    def crossed(self, listing: Listing, name: str, event: Event) -> Event:
        """A change that bids at the best ask, which the next change takes back."""
        book = self.book_of(listing)
        ticks = book.top(1)[1][0][0]
        self._repair.setdefault((listing.position, name.partition("@")[2]), []).append(ticks)
        wrong = levels_text(listing, [(ticks, 7)])
        return {**event, "b": [*wrong, *(row for row in event["b"] if row[0] != wrong[0][0])]}

    def _best(self, listing: Listing, now_ms: int) -> list[Event]:
        book = self.book_of(listing)
        touch = book.top(1)
        if self._touch.get(listing.position) == touch:
            return []
        self._touch[listing.position] = touch
        (bid, ask) = (levels_text(listing, side)[0] for side in touch)
        event = {"u": book.number, "s": listing.symbol, "b": bid[0], "B": bid[1], "a": ask[0], "A": ask[1]}
        if self._spot:
            return [event]
        return [{"e": "bookTicker", **event, "T": now_ms - _LAG_MS, "E": now_ms}]

    # -- trades and bars ---------------------------------------------------------------------------

    def _folded_trades(self, tape: Tape, slot: int, now_ms: int) -> list[Event]:
        listing = tape.listing
        events: list[Event] = []
        for number, trade in trades_of(tape, slot):
            head: Event = {"e": "aggTrade", "E": now_ms}
            if not self._spot:
                head["a"] = number  # futures name it before the symbol
            events.append(head | {"s": listing.symbol} | folded_trade(listing, number, trade))
        return events

    def _trades(self, tape: Tape, slot: int, now_ms: int) -> list[Event]:
        listing = tape.listing
        events: list[Event] = []
        for number, trade in trades_of(tape, slot):
            event: Event = {"e": "trade", "E": now_ms}
            if not self._spot:
                event["T"] = trade.time_ms
            event |= {
                "s": listing.symbol,
                "t": number,
                "p": price_text(listing, trade.ticks),
                "q": size_text(listing, trade.lots),
            }
            if self._spot:
                event |= {"T": trade.time_ms, "m": not trade.bought, "M": True}
            else:
                event |= {"X": "MARKET", "m": not trade.bought}
            events.append(event)
        return events

    def _bars(self, tape: Tape, interval: str, slot: int, now_ms: int) -> list[Event]:
        """The bar that forms, after the final push of the one that has just ended."""
        minutes = INTERVALS[interval]
        shift = shift_of(minutes)
        minute = slot // tape.parts
        first = (minute - shift) // minutes * minutes + shift
        events = []
        if slot == first * tape.parts:
            events.append(self._bar(tape, interval, first - minutes, now_ms))
        return [*events, self._bar(tape, interval, first, now_ms)]

    def _bar(self, tape: Tape, interval: str, first_minute: int, now_ms: int) -> Event:
        listing, minutes = tape.listing, INTERVALS[interval]
        bar = tape.forming(now_ms, minutes, first_minute)
        slots = min(tape.due(now_ms) - first_minute * tape.parts + 1, minutes * tape.parts)
        row = bar_row(tape, first_minute * MINUTE_MS, minutes, bar, slots)
        first = first_trade(tape, first_minute * tape.parts)
        bar_event = {
            "t": row[0],
            "T": row[6],
            "s": listing.symbol,
            "i": interval,
            "f": first,
            "L": first + row[8] - 1,
            "o": row[1],
            "c": row[4],
            "h": row[2],
            "l": row[3],
            "v": row[5],
            "n": row[8],
            "x": slots == minutes * tape.parts and first_minute + minutes <= now_ms // MINUTE_MS,
            "q": row[7],
            "V": row[9],
            "Q": row[10],
            "B": "0",
        }
        return {"e": "kline", "E": now_ms, "s": listing.symbol, "k": bar_event}

    # -- facts -------------------------------------------------------------------------------------

    def _day(self, listing: Listing, now_ms: int) -> Event:
        tape = self.live.tape(listing)
        told = day_numbers(listing, self._answers.facts(listing, now_ms))
        last, lots = (trades := trades_of(tape, tape.due(now_ms)))[-1][0], trades[-1][1].lots
        first = first_trade(tape, tape.due(now_ms - _DAY_MS) + 1)
        names = {"p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice"}
        event: Event = {"e": "24hrTicker", "E": now_ms, "s": listing.symbol}
        event |= {name: told[field] for name, field in names.items()}
        if self._spot:
            event["x"] = told["openPrice"]
        event |= {"c": told["lastPrice"], "Q": size_text(listing, lots)}
        if self._spot:
            (bid, ask) = (levels_text(listing, side)[0] for side in self.book_of(listing).top(1))
            event |= {"b": bid[0], "B": bid[1], "a": ask[0], "A": ask[1]}
        event |= {"o": told["openPrice"], "h": told["highPrice"], "l": told["lowPrice"]}
        event |= {"v": told["volume"], "q": told["quoteVolume"], "O": now_ms - _DAY_MS, "C": now_ms}
        return event | {"F": first, "L": last, "n": last - first + 1}

    def _mark(self, listing: Listing, now_ms: int) -> Event:
        told = mark_row(self.live, listing, now_ms)
        return {
            "e": "markPriceUpdate",
            "E": now_ms,
            "s": listing.symbol,
            "p": told["markPrice"],
            "P": told["estimatedSettlePrice"],
            "i": told["indexPrice"],
            "r": told["lastFundingRate"],
            "T": told["nextFundingTime"],
        }

    def _forced(self, tape: Tape, slot: int, now_ms: int) -> list[Event]:
        forced = tape.forced(slot)
        if forced is None:
            return []
        long_closed, ticks, lots = forced
        listing = tape.listing
        price, size = price_text(listing, ticks), size_text(listing, lots)
        order = {
            "s": listing.symbol,
            "S": "SELL" if long_closed else "BUY",
            "o": "LIMIT",
            "f": "IOC",
            "q": size,
            "p": price,
            "ap": price,
            "X": "FILLED",
            "l": size,
            "z": size,
            "T": now_ms - _LAG_MS,
            "ps": listing.symbol,
            "st": 1,
        }
        return [{"e": "forceOrder", "E": now_ms, "o": order}]


def _levels(rows: list[Numbered]) -> list[Level]:
    return [(ticks, lots) for ticks, lots, _ in rows]
