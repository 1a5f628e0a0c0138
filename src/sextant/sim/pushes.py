"""The frames of each topic, as Bybit v5 spells them."""

from __future__ import annotations

import uuid
from typing import Any, Final

from sextant.errors import InputError
from sextant.sim.books import Level
from sextant.sim.drift import drifted
from sextant.sim.faults import Fault
from sextant.sim.live import Live
from sextant.sim.tape import MINUTE_MS
from sextant.sim.universe import Listing
from sextant.sim.wire import (
    INTERVALS,
    WEEK_SHIFT_MINUTES,
    bar_push,
    levels_text,
    price_text,
    size_text,
    trade_push,
)

_QUIET_MS: Final = 3_000
_LARGEST_FRAME: Final = 1_024


class Pushes:
    """Builds frames from the market as time passes.

    Parameters
    ----------
    live
        The market.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._repair: dict[tuple[int, str], list[int]] = {}
        self._sent_ms: dict[tuple[int, str], int] = {}

    def first(self, listing: Listing, topic: str, now_ms: int, *, alone: bool) -> dict[str, Any] | None:
        """What a new subscriber gets at once, or None where it waits for the next event.

        Parameters
        ----------
        alone
            Whether nobody else follows the topic; else the newcomer gets what the others were told last, so that the
            same deltas suit all of them.
        """
        if topic.startswith("orderbook."):
            depth = _depth(topic)
            if alone:
                self._live.feed(listing, depth).push(self._live.tape(listing).current(now_ms, depth))
            return self._snapshot(listing, depth, now_ms)
        if topic.startswith("tickers."):
            summary = self._live.summary(listing)
            fields = summary.snapshot(now_ms) if alone else summary.told()
            return self._summary(listing, topic, "snapshot", fields, now_ms)
        if topic.startswith("kline."):
            return self._bar(listing, topic, now_ms)
        return None

    def slot(self, listing: Listing, topics: list[str], slot: int) -> dict[str, dict[str, Any]]:
        """Frames by topic after a slot has traded; a topic without news is absent."""
        tape = self._live.tape(listing)
        now_ms = tape.due_ms(slot)
        wanted = max([50, *(_depth(topic) for topic in topics if topic.startswith("orderbook."))])
        trades = tape.play(slot, wanted)
        made: dict[str, dict[str, Any]] = {}
        for topic in topics:
            name = topic.partition(".")[0]
            if name == "orderbook":
                frame = self._book(listing, topic, now_ms)
            elif name == "publicTrade":
                rows = [trade_push(listing, trade, tape.book.seq) for trade in trades[:_LARGEST_FRAME]]
                frame = _trade_frame(listing, topic, rows, now_ms)
            elif name == "tickers":
                frame = self._change(listing, topic, now_ms)
            elif name == "kline":
                frame = self._bar(listing, topic, now_ms)
            else:
                frame = self._forced(listing, topic, slot, now_ms)
            if frame is not None:
                made[topic] = frame
        return made

    def closed(self, listing: Listing, topic: str, now_ms: int) -> dict[str, Any] | None:
        """The final push of a bar that has just ended, or None if none of that length ended."""
        interval = topic.split(".")[1]
        minutes = INTERVALS[interval]
        ended = now_ms // MINUTE_MS
        if (ended - _shift(minutes)) % minutes:
            return None
        bar = self._live.tape(listing).forming(now_ms, minutes, ended - minutes)
        row = bar_push(listing, interval, (ended - minutes) * MINUTE_MS, bar)
        return _bar_frame(listing, topic, row | {"confirm": True, "timestamp": now_ms})

    def bend(self, listing: Listing, topic: str, frame: dict[str, Any], fault: Fault) -> dict[str, Any]:
        """The frame with a fault of content in it."""
        if fault.kind == "drift":
            try:
                changed: dict[str, Any] = drifted(frame, fault.options)
            except InputError:
                if not topic.startswith("tickers."):
                    raise
                return frame  # a change names only the facts that moved: what it does not have cannot drift
            return changed
        if fault.kind == "burst" and topic.startswith("publicTrade."):
            return {
                **frame,
                "data": _split(listing, frame["data"], int(fault.number("messages", _LARGEST_FRAME))),
            }
        if not topic.startswith("orderbook."):
            return frame
        depth = _depth(topic)
        feed = self._live.feed(listing, depth)
        if fault.kind == "restart":
            feed.restart()
        if fault.kind in ("snapshot", "restart"):
            return self._snapshot(listing, depth, frame["ts"])
        if fault.kind == "crossed":
            price = feed.told()[1][0][0]
            self._repair.setdefault((listing.position, topic), []).append(price)
            size = size_text(listing, 7)
            bids = [row for row in frame["data"]["b"] if row[0] != price_text(listing, price)]
            data = {**frame["data"], "b": [[price_text(listing, price), size], *bids]}
            return {**frame, "data": data}
        return frame

    def _book(self, listing: Listing, topic: str, now_ms: int) -> dict[str, Any] | None:
        depth = _depth(topic)
        feed, book = self._live.feed(listing, depth), self._live.tape(listing).book
        key = (listing.position, topic)
        if depth == 1 and feed.same(book):
            if now_ms - self._sent_ms.get(key, 0) < _QUIET_MS:
                return None
            self._sent_ms[key] = now_ms
            return self._snapshot(listing, 1, now_ms)
        if not feed.started:
            feed.push(book)
            feed.restart()
            return self._snapshot(listing, depth, now_ms)
        bids, asks = feed.push(book)
        self._sent_ms[key] = now_ms
        if depth == 1:
            return self._snapshot(listing, 1, now_ms)
        repair = self._repair.pop(key, [])
        shown = {ticks for ticks, _ in bids} | {ticks for ticks, _ in feed.told()[0]}
        bids = [*bids, *((ticks, 0) for ticks in repair if ticks not in shown)]
        return self._frame(listing, depth, "delta", (bids, asks), now_ms)

    def _snapshot(self, listing: Listing, depth: int, now_ms: int) -> dict[str, Any]:
        self._repair.pop((listing.position, f"orderbook.{depth}.{listing.symbol}"), None)
        return self._frame(listing, depth, "snapshot", self._live.feed(listing, depth).told(), now_ms)

    def _frame(
        self, listing: Listing, depth: int, kind: str, levels: tuple[list[Level], list[Level]], now_ms: int
    ) -> dict[str, Any]:
        feed = self._live.feed(listing, depth)
        data = {
            "s": listing.symbol,
            "b": levels_text(listing, levels[0]),
            "a": levels_text(listing, levels[1]),
            "u": feed.u,
            "seq": feed.seq,
        }
        topic = f"orderbook.{depth}.{listing.symbol}"
        if listing.category == "spot":
            return {"topic": topic, "ts": now_ms, "type": kind, "data": data, "cts": feed.changed_ms}
        return {"topic": topic, "type": kind, "ts": now_ms, "data": data, "cts": feed.changed_ms}

    def _change(self, listing: Listing, topic: str, now_ms: int) -> dict[str, Any] | None:
        summary = self._live.summary(listing)
        if listing.category == "spot":
            return self._summary(listing, topic, "snapshot", summary.snapshot(now_ms), now_ms)
        fields = summary.delta(now_ms)
        return self._summary(listing, topic, "delta", fields, now_ms) if len(fields) > 1 else None

    def _summary(
        self, listing: Listing, topic: str, kind: str, fields: dict[str, str], now_ms: int
    ) -> dict[str, Any]:
        seq = self._live.tape(listing).book.seq
        if listing.category == "spot":
            return {"topic": topic, "ts": now_ms, "type": kind, "cs": seq, "data": fields}
        return {"topic": topic, "type": kind, "data": fields, "cs": seq, "ts": now_ms}

    def _bar(self, listing: Listing, topic: str, now_ms: int) -> dict[str, Any]:
        interval = topic.split(".")[1]
        minutes = INTERVALS[interval]
        shift = _shift(minutes)
        first = (now_ms // MINUTE_MS - shift) // minutes * minutes + shift
        bar = self._live.tape(listing).forming(now_ms, minutes, first)
        row = bar_push(listing, interval, first * MINUTE_MS, bar)
        return _bar_frame(listing, topic, row | {"confirm": False, "timestamp": now_ms})

    def _forced(self, listing: Listing, topic: str, slot: int, now_ms: int) -> dict[str, Any] | None:
        forced = self._live.tape(listing).forced(slot)
        if forced is None:
            return None
        long_closed, ticks, lots = forced
        row = {
            "T": now_ms - 2,
            "s": listing.symbol,
            "S": "Buy" if long_closed else "Sell",
            "v": size_text(listing, lots),
            "p": price_text(listing, ticks),
        }
        return {"topic": topic, "type": "snapshot", "ts": now_ms, "data": [row]}


def _depth(topic: str) -> int:
    return int(topic.split(".")[1])


def _shift(minutes: int) -> int:
    return WEEK_SHIFT_MINUTES if minutes > 1_440 else 0


def _split(listing: Listing, rows: list[dict[str, Any]], wanted: int) -> list[dict[str, Any]]:
    """The same volume at the same prices in up to ``wanted`` trades, each of one lot at least."""
    spare = max(0, min(wanted, _LARGEST_FRAME) - len(rows))
    found = []
    for row in rows:
        lots = round(float(row["v"]) / listing.lot)
        parts = min(lots, spare + 1)
        spare -= parts - 1
        for part in range(parts):
            size = lots // parts + (1 if part < lots % parts else 0)
            name = row["i"] if part == 0 else str(uuid.uuid5(uuid.NAMESPACE_OID, f"{row['i']} {part}"))
            found.append({**row, "v": size_text(listing, size), "i": name})
    return found


def _trade_frame(listing: Listing, topic: str, rows: list[dict[str, Any]], now_ms: int) -> dict[str, Any]:
    if listing.category == "spot":
        return {"topic": topic, "ts": now_ms, "type": "snapshot", "data": rows}
    return {"topic": topic, "type": "snapshot", "ts": now_ms, "data": rows}


def _bar_frame(listing: Listing, topic: str, row: dict[str, Any]) -> dict[str, Any]:
    if listing.category == "spot":
        return {"type": "snapshot", "topic": topic, "data": [row], "ts": row["timestamp"]}
    return {"topic": topic, "data": [row], "ts": row["timestamp"], "type": "snapshot"}
