"""Recent public trades of an instrument and what takers bought and sold per minute."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
import numpy as np

from sextant.market.names import TradeNames
from sextant.model.cells import Cells, compiled, ints_at, reals_at
from sextant.model.events import Trade
from sextant.model.times import MINUTE_NS
from sextant.model.view import TradeTape

KEEP_TRADES: Final = 1_000
TRIM_TRADES: Final = 256  # trimmed in batches, because dropping the oldest moves all others
LEAST_ROOM: Final = 64
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


HELD, ROOM, TAPE, STALE, LAST_PRICE, LAST_SIGN = range(6)
"""Cells of a flow: trades on the tape, trades it has room for, its address, whether it changed since it was shown, and price and sign
of the last change of price. The tape has times, then prices, sizes and takers."""
RING: Final = 6
"""The minutes of the ring, -1 of none; what was bought and sold, and the counts, lie as many cells further."""
BUYS, SELLS, COUNTS, INFERRED = (column * KEEP_MINUTES for column in range(1, 5))
FLOW_CELLS: Final = RING + 5 * KEEP_MINUTES


class Flow:
    """Trades and taker volume of one instrument, bounded in all directions."""

    __slots__ = ("_held", "_tape", "cells", "names", "sign")

    def __init__(self) -> None:
        self.cells = Cells(FLOW_CELLS)
        self.cells.put_ints(RING, [-1] * KEEP_MINUTES)
        self.names = TradeNames()
        self._held = Cells(0)
        self._tape: TradeTape | None = None
        self.sign = 0

    def take(self, trade: Trade) -> TradeTrouble | None:
        """What was special about a trade; None for a good one in order, ``late`` for a good one out of order."""
        if not (0 < trade.price < _INFINITY and 0 < trade.size < _INFINITY):
            return "refused"
        if not self.names.take(trade.trade_id):
            return "duplicate"
        if trade.block:
            return "block"
        ints, reals = self.cells.ints, self.cells.reals
        held = ints[HELD]
        if held and trade.event_ns < self._held.ints[held - 1]:
            return self._insert(trade)
        self._put(held, trade)
        self._count(trade)
        before = reals[LAST_PRICE]
        if trade.price != before:
            if before:
                ints[LAST_SIGN] = 1 if trade.price > before else -1
            reals[LAST_PRICE] = trade.price
        return None

    def tape(self) -> TradeTape | None:
        """The newest 1,000 trades, oldest first, read-only; None before any."""
        if not self.cells.ints[HELD]:
            return None
        if self._tape is None or self.cells.ints[STALE]:
            columns = [np.array(column) for column in self._columns()]
            for column in columns:
                column.flags.writeable = False
            self._tape = TradeTape(*columns)
            self.cells.ints[STALE] = 0
        return self._tape

    def minutes(self, count: int = KEEP_MINUTES) -> tuple[TakerFlow, ...]:
        """The newest minutes with trades, oldest first, at most ``count`` and 240."""
        held = self.cells.ints[RING : RING + KEEP_MINUTES].tolist()
        order = sorted((minute, slot) for slot, minute in enumerate(held) if minute >= 0)
        return tuple(self._row(slot) for _, slot in order[-count:])

    def minute(self, open_ns: int) -> TakerFlow | None:
        """What takers did in the minute that opened then; None where no trade of it is known any more."""
        minute = open_ns // MINUTE_NS
        slot = minute % KEEP_MINUTES
        return self._row(slot) if self.cells.ints[RING + slot] == minute else None

    def last(self) -> tuple[float, int] | None:
        """Price and time of the newest trade; None before any."""
        held, room = self.cells.ints[HELD], self.cells.ints[ROOM]
        return (self._held.reals[room + held - 1], self._held.ints[held - 1]) if held else None

    def content(self) -> tuple[object, ...]:
        """Everything the flow will act on, in canonical order, for hashing."""
        tape = tuple(column.tobytes() for column in self._columns())
        last = (self.cells.reals[LAST_PRICE], self.cells.ints[LAST_SIGN])
        return (tape, self.names.content(), *last, self.minutes())

    def restore(self, content: Any) -> None:
        """Become the flow whose :meth:`content` it was."""
        ints, reals = self.cells.ints, self.cells.reals
        tape, names, reals[LAST_PRICE], ints[LAST_SIGN], minutes = content
        self.names.restore(names)
        self._hold(len(tape[0]) // 8, tape)
        for item in msgspec.convert(minutes, list[TakerFlow]):
            minute = item.open_ns // MINUTE_NS
            slot = RING + minute % KEEP_MINUTES
            ints[slot] = minute
            reals[slot + BUYS], reals[slot + SELLS] = item.buy, item.sell
            ints[slot + COUNTS], ints[slot + INFERRED] = item.trades_count, item.inferred_count

    def _columns(self) -> list[memoryview[Any]]:
        """Times, prices, sizes and takers of the newest trades."""
        held, room = self.cells.ints[HELD], self.cells.ints[ROOM]
        first = max(0, held - KEEP_TRADES)
        numbers = [self._held.reals[at + first : at + held] for at in (room, 2 * room, 3 * room)]
        return [self._held.ints[first:held], *numbers]

    def _hold(self, room: int, columns: Sequence[bytes]) -> None:
        """Hold these trades, with room for so many and at least them."""
        held = len(columns[0]) // 8
        self._held = Cells(4 * room)
        for at, column in enumerate(columns):
            self._held.put_bytes(at * room, column)
        ints = self.cells.ints
        ints[HELD], ints[ROOM], ints[TAPE], ints[STALE] = held, room, self._held.at, 1

    def _put(self, at: int, trade: Trade) -> None:
        """Put a trade at a place of the tape, those from there on one further."""
        held, room = self.cells.ints[HELD], self.cells.ints[ROOM]
        if held == room:
            room = min(max(LEAST_ROOM, 2 * room), KEEP_TRADES + TRIM_TRADES)
            self._hold(room, [column.tobytes() for column in self._columns()])
        row = (trade.event_ns, trade.price, trade.size, float(trade.aggressor))
        for place, value in enumerate(row):
            cells: Any = self._held.reals if place else self._held.ints
            first = place * room + at
            cells[first + 1 : place * room + held + 1] = cells[first : place * room + held]
            cells[first] = value
        self.cells.ints[HELD], self.cells.ints[STALE] = held + 1, 1
        if held + 1 >= KEEP_TRADES + TRIM_TRADES:
            self._hold(room, [column.tobytes() for column in self._columns()])

    def _row(self, slot: int) -> TakerFlow:
        ints, reals, at = self.cells.ints, self.cells.reals, RING + slot
        return TakerFlow(
            ints[at] * MINUTE_NS, reals[at + BUYS], reals[at + SELLS], ints[at + COUNTS], ints[at + INFERRED]
        )

    def _insert(self, trade: Trade) -> TradeTrouble:
        """Put a trade that came late where its time belongs."""
        held, times = self.cells.ints[HELD], self._held.ints
        if held >= KEEP_TRADES and trade.event_ns < times[held - KEEP_TRADES]:
            self._count(trade)
            return "too_old"
        self._put(bisect_right(times, trade.event_ns, 0, held), trade)
        self._count(trade)
        return "late"

    def _count(self, trade: Trade) -> None:
        """Add a trade to its minute, unless the minute has left the ring."""
        minute = trade.event_ns // MINUTE_NS
        ints, reals, at = self.cells.ints, self.cells.reals, RING + minute % KEEP_MINUTES
        self.sign = trade.aggressor
        if ints[at] != minute:
            if ints[at] > minute:
                return
            ints[at] = minute
            reals[at + BUYS] = reals[at + SELLS] = 0.0
            ints[at + COUNTS] = ints[at + INFERRED] = 0
        sign: int = trade.aggressor
        if not sign:
            ints[at + INFERRED] += 1
            before = reals[LAST_PRICE]
            change = trade.price - before
            sign = ints[LAST_SIGN] if not before or not change else (1 if change > 0 else -1)
            self.sign = sign
        if sign > 0:
            reals[at + BUYS] += trade.size
        elif sign < 0:
            reals[at + SELLS] += trade.size
        ints[at + COUNTS] += 1


@compiled
def continues(flow: int, event_ns: int) -> bool:
    """Whether a trade is the newest of a tape with room, in a minute that has trades already."""
    cells = ints_at(flow)
    held, minute = cells[HELD], event_ns // MINUTE_NS
    if held == 0 or held == cells[ROOM] or held + 1 >= KEEP_TRADES + TRIM_TRADES:
        return False
    plain: bool = event_ns >= ints_at(cells[TAPE])[held - 1] and cells[RING + minute % KEEP_MINUTES] == minute
    return plain


@compiled
def add(flow: int, event_ns: int, price: float, size: float, sign: int) -> None:
    """Add a trade of a known side that continues the tape."""
    cells, reals = ints_at(flow), reals_at(flow)
    held, room, tape = cells[HELD], cells[ROOM], reals_at(cells[TAPE])
    ints_at(cells[TAPE])[held] = event_ns
    tape[room + held], tape[2 * room + held], tape[3 * room + held] = price, size, float(sign)
    cells[HELD], cells[STALE] = held + 1, 1
    at = RING + event_ns // MINUTE_NS % KEEP_MINUTES
    reals[at + (BUYS if sign > 0 else SELLS)] += size
    cells[at + COUNTS] += 1
    if price != reals[LAST_PRICE]:
        if reals[LAST_PRICE] != 0.0:
            cells[LAST_SIGN] = 1 if price > reals[LAST_PRICE] else -1
        reals[LAST_PRICE] = price
