"""Recent public trades of an instrument and what takers bought and sold per minute."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Any, Final, Literal

import msgspec
import numpy as np

from sextant.model.events import Trade
from sextant.model.times import MINUTE_NS
from sextant.model.view import TradeTape

KEEP_TRADES: Final = 1_000
TRIM_TRADES: Final = 256  # trimmed in batches, because dropping the oldest moves all others
KEEP_IDS: Final = 1_024  # at least so many ids are remembered, at most twice as many
KEEP_MINUTES: Final = 240

TradeTrouble = Literal["duplicate", "late", "too_old", "block", "refused"]

_INFINITY: Final = float("inf")


class TakerFlow(msgspec.Struct, frozen=True):
    """What takers did in one minute.

    Parameters
    ----------
    open_ns
        Start of the minute.
    buy, sell
        Base units that buyers and sellers took.
    trades_count
        Trades in it.
    inferred_count
        Trades among them of unknown side, taken as the sign of the last price change.
    """

    open_ns: int
    buy: float
    sell: float
    trades_count: int
    inferred_count: int

    @property
    def delta(self) -> float:
        """Buy minus sell, base units."""
        return self.buy - self.sell


class Flow:
    """Trades and taker volume of one instrument, bounded in all directions."""

    __slots__ = (
        "_aggressors",
        "_buys",
        "_counts",
        "_earlier_ids",
        "_ids",
        "_inferred",
        "_last_price",
        "_last_sign",
        "_minutes",
        "_prices",
        "_sells",
        "_sizes",
        "_tape",
        "_times",
        "sign",
    )

    def __init__(self) -> None:
        self._times = array("q")
        self._prices = array("d")
        self._sizes = array("d")
        self._aggressors = array("d")
        self._ids: set[str] = set()
        self._earlier_ids: set[str] = set()
        self._last_price = 0.0
        self._last_sign = 0
        self._minutes = array("q", [-1]) * KEEP_MINUTES
        self._buys = array("d", [0.0]) * KEEP_MINUTES
        self._sells = array("d", [0.0]) * KEEP_MINUTES
        self._counts = array("q", [0]) * KEEP_MINUTES
        self._inferred = array("q", [0]) * KEEP_MINUTES
        self._tape: TradeTape | None = None
        self.sign = 0

    def take(self, trade: Trade) -> TradeTrouble | None:
        """What was special about a trade; None for a good one in order, ``late`` for a good one out of order."""
        if not (0 < trade.price < _INFINITY and 0 < trade.size < _INFINITY):
            return "refused"
        name = trade.trade_id
        if name in self._ids or name in self._earlier_ids:
            return "duplicate"
        if len(self._ids) >= KEEP_IDS:
            self._earlier_ids, self._ids = self._ids, set()
        self._ids.add(name)
        if trade.block:
            return "block"
        times = self._times
        self._tape = None
        if times and trade.event_ns < times[-1]:
            return self._insert(trade)
        times.append(trade.event_ns)
        self._prices.append(trade.price)
        self._sizes.append(trade.size)
        self._aggressors.append(trade.aggressor)
        if len(times) >= KEEP_TRADES + TRIM_TRADES:
            self._trim()
        self._count(trade)
        if trade.price != self._last_price:
            if self._last_price:
                self._last_sign = 1 if trade.price > self._last_price else -1
            self._last_price = trade.price
        return None

    def tape(self) -> TradeTape | None:
        """The newest 1,000 trades, oldest first, read-only; None before any."""
        if not self._times:
            return None
        if self._tape is None:
            columns = [
                np.array(column[-KEEP_TRADES:])
                for column in (self._times, self._prices, self._sizes, self._aggressors)
            ]
            for column in columns:
                column.flags.writeable = False
            self._tape = TradeTape(*columns)
        return self._tape

    def minutes(self, count: int = KEEP_MINUTES) -> tuple[TakerFlow, ...]:
        """The newest minutes with trades, oldest first, at most ``count`` and 240."""
        order = sorted((minute, slot) for slot, minute in enumerate(self._minutes) if minute >= 0)
        return tuple(self._row(slot) for _, slot in order[-count:])

    def minute(self, open_ns: int) -> TakerFlow | None:
        """What takers did in the minute that opened then; None where no trade of it is known any more."""
        minute = open_ns // MINUTE_NS
        slot = minute % KEEP_MINUTES
        return self._row(slot) if self._minutes[slot] == minute else None

    def last(self) -> tuple[float, int] | None:
        """Price and time of the newest trade; None before any."""
        return (self._prices[-1], self._times[-1]) if self._times else None

    def content(self) -> tuple[object, ...]:
        """Everything the flow will act on, in canonical order, for hashing."""
        columns = (self._times, self._prices, self._sizes, self._aggressors)
        tape = tuple(column[-KEEP_TRADES:].tobytes() for column in columns)
        ids = (sorted(self._ids), sorted(self._earlier_ids))
        return (tape, ids, self._last_price, self._last_sign, self.minutes())

    def restore(self, content: Any) -> None:
        """Become the flow whose :meth:`content` it was."""
        tape, ids, self._last_price, self._last_sign, minutes = content
        self._times = array("q", tape[0])
        self._prices, self._sizes, self._aggressors = (array("d", column) for column in tape[1:])
        self._ids, self._earlier_ids = set(ids[0]), set(ids[1])
        self._tape = None
        for item in msgspec.convert(minutes, list[TakerFlow]):
            minute = item.open_ns // MINUTE_NS
            slot = minute % KEEP_MINUTES
            self._minutes[slot] = minute
            self._buys[slot], self._sells[slot] = item.buy, item.sell
            self._counts[slot], self._inferred[slot] = item.trades_count, item.inferred_count

    def _row(self, slot: int) -> TakerFlow:
        return TakerFlow(
            self._minutes[slot] * MINUTE_NS,
            self._buys[slot],
            self._sells[slot],
            self._counts[slot],
            self._inferred[slot],
        )

    def _insert(self, trade: Trade) -> TradeTrouble:
        """Put a trade that came late where its time belongs."""
        if len(self._times) >= KEEP_TRADES and trade.event_ns < self._times[-KEEP_TRADES]:
            self._count(trade)
            return "too_old"
        at = bisect_right(self._times, trade.event_ns)
        self._times.insert(at, trade.event_ns)
        self._prices.insert(at, trade.price)
        self._sizes.insert(at, trade.size)
        self._aggressors.insert(at, trade.aggressor)
        if len(self._times) >= KEEP_TRADES + TRIM_TRADES:
            self._trim()
        self._count(trade)
        return "late"

    def _trim(self) -> None:
        for column in (self._times, self._prices, self._sizes, self._aggressors):
            del column[:-KEEP_TRADES]

    def _count(self, trade: Trade) -> None:
        """Add a trade to its minute, unless the minute has left the ring."""
        minute = trade.event_ns // MINUTE_NS
        slot = minute % KEEP_MINUTES
        held = self._minutes[slot]
        self.sign = trade.aggressor
        if held != minute:
            if held > minute:
                return
            self._minutes[slot] = minute
            self._buys[slot] = self._sells[slot] = 0.0
            self._counts[slot] = self._inferred[slot] = 0
        sign: int = trade.aggressor
        if not sign:
            self._inferred[slot] += 1
            change = trade.price - self._last_price
            sign = self._last_sign if not self._last_price or not change else (1 if change > 0 else -1)
            self.sign = sign
        if sign > 0:
            self._buys[slot] += trade.size
        elif sign < 0:
            self._sells[slot] += trade.size
        self._counts[slot] += 1
