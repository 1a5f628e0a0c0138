"""One instrument as time passes: the slots of the present minute, its trades, its forming bar, its book."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from typing import Final

from sextant.sim.books import Book
from sextant.sim.market_model import DAY_MINUTES, FIRST_DAY, MarketModel
from sextant.sim.noise import Dice
from sextant.sim.paths import Bars
from sextant.sim.universe import Listing

MINUTE_MS: Final = 60_000
_TRADES: Final = 30
_BOOK: Final = 31
_FORCED: Final = 32
_TRADES_A_SLOT: Final = 4
"""No slot has more, so that numbers of trades never meet."""
_SLOTS: Final = (6, 12, 20, 30, 60, 120, 240)


@dataclass(frozen=True, slots=True)
class Print:
    """One public trade.

    Parameters
    ----------
    time_ms
        When, in milliseconds since 1970.
    bought
        Whether the aggressor bought.
    ticks, lots
        Price and size.
    turn
        +1 up, -1 down, +-2 unchanged after an up or down move.
    id
        Unique, the same whenever asked.
    """

    time_ms: int
    bought: bool
    ticks: int
    lots: int
    turn: int
    id: str


@dataclass(slots=True)
class Forming:
    """A bar that is not final yet; prices in ticks, sizes in lots, turnover in quote units, of inverse contracts in base units."""

    open: int
    high: int
    low: int
    close: int
    lots: int
    turnover: float

    def add(self, other: Forming) -> None:
        """Extend by what followed."""
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.close = other.close
        self.lots += other.lots
        self.turnover += other.turnover


def folded(bars: Bars) -> Forming:
    """The bars as one; at least one is needed."""
    return Forming(
        int(bars.open[0]),
        int(bars.high.max()),
        int(bars.low.min()),
        int(bars.close[-1]),
        int(bars.lots.sum()),
        float(bars.turnover.sum()),
    )


def slots_a_minute(listing: Listing, pace: float) -> int:
    """Into how many slots live trading cuts a minute: more for larger turnover and greater ``pace``."""
    base = 120 if listing.turnover > 1.0e9 else 60 if listing.turnover > 2.0e7 else 30
    return min(_SLOTS, key=lambda slots: abs(slots - base * pace))


class Tape:
    """The present of one listing; every slot and trade is a pure function of (seed, time).

    Parameters
    ----------
    model
        The market.
    listing
        The instrument.
    pace
        Factor on the number of slots a minute.
    """

    def __init__(self, model: MarketModel, listing: Listing, pace: float) -> None:
        self.model = model
        self.listing = listing
        self.parts = slots_a_minute(listing, pace)
        self.slot_ms = MINUTE_MS // self.parts
        self.phase_ms = int(self.slot_ms * (0.25 + 0.7 * ((listing.position * 0.618) % 1.0)))
        gap = 1 if listing.price / listing.tick < 30_000 else 3
        self.book = Book(max(2, round(listing.day_units / listing.lot / 40_000)), gap)
        self._plans: dict[int, Bars] = {}
        self.slot = -1
        self._depth = 0

    def due(self, now_ms: int) -> int:
        """Number of the last slot that has traded, counted from 1970."""
        return (now_ms - self.phase_ms) // self.slot_ms

    def due_ms(self, slot: int) -> int:
        """When a slot trades."""
        return slot * self.slot_ms + self.phase_ms

    def plan(self, minute: int) -> Bars:
        """The slots of a minute."""
        found = self._plans.get(minute)
        if found is None:
            if len(self._plans) > 3:
                self._plans.pop(min(self._plans))
            found = self._plans[minute] = self.model.slots(self.listing, minute, self.parts)
        return found

    def trades(self, slot: int) -> list[Print]:
        """The trades of a slot in order of time; they fold to its bar."""
        minute, row = divmod(slot, self.parts)
        plan = self.plan(minute)
        start, high, low, end = (int(side[row]) for side in (plan.open, plan.high, plan.low, plan.close))
        dice = self.model.noise.dice(_TRADES, self.listing.own_lane, slot)
        stops = _stops(start, high, low, end, dice)
        sizes = _shares(int(plan.lots[row]), len(stops), dice)
        last_ms, before, turn = self.due_ms(slot), start, 2
        found = []
        for number, (ticks, lots) in enumerate(zip(stops, sizes, strict=True)):
            turn = 1 if ticks > before else -1 if ticks < before else 2 if turn > 0 else -2
            bought = turn > 0 if dice.unit() < 0.8 else turn < 0
            time_ms = last_ms - (len(stops) - 1 - number) * 3
            name = uuid.UUID(int=(dice.bits() << 64) | dice.bits(), version=5)
            found.append(Print(time_ms, bought, ticks, lots, turn, str(name)))
            before = ticks
        return found

    def number(self, slot: int, row: int) -> int:
        """The number of a trade of a slot: rises with time, and is the same whenever asked."""
        return (slot - FIRST_DAY * DAY_MINUTES * self.parts) * _TRADES_A_SLOT + row

    def play(self, slot: int, wanted: int) -> list[Print]:
        """Let a slot trade: move the book to it, ``wanted`` levels deep, and give its trades."""
        trades = self.trades(slot)
        if slot != self.slot:
            self._move(slot, trades[-1], wanted)
        else:
            self._deepen(wanted)
        return trades

    def _move(self, slot: int, last: Print, wanted: int) -> None:
        dice = self.model.noise.dice(_BOOK, self.listing.own_lane, slot)
        spread = self._spread(dice)
        bid, ask = (last.ticks - spread, last.ticks) if last.bought else (last.ticks, last.ticks + spread)
        if bid < 1:
            bid, ask = 1, max(2, ask)
        # The book never gets shallower, or a shallow question would change what deep listeners see.
        self._depth = max(self._depth, wanted)
        self.book.move(bid, ask, self._depth, dice)
        self.book.seq = slot * 64 + self.listing.position % 64
        self.book.changed_ms = last.time_ms
        self.slot = slot

    def _deepen(self, wanted: int) -> None:
        self._depth = max(self._depth, wanted)
        dice = self.model.noise.dice(_BOOK + 100, self.listing.own_lane, self.slot)
        self.book.bids.deepen(wanted, dice)
        self.book.asks.deepen(wanted, dice)

    def current(self, now_ms: int, wanted: int) -> Book:
        """The book as of now, ``wanted`` levels deep."""
        slot = self.due(now_ms)
        if slot > self.slot:
            self.play(slot, wanted)
        else:
            self._deepen(wanted)
        return self.book

    def recent(self, now_ms: int, count: int) -> list[Print]:
        """The last ``count`` trades, newest first."""
        found: list[Print] = []
        slot = self.due(now_ms)
        while len(found) < count:
            found.extend(reversed(self.trades(slot)))
            slot -= 1
        return found[:count]

    def forming(self, now_ms: int, minutes: int, first_minute: int) -> Forming:
        """The bar of ``minutes`` that began at ``first_minute``, as far as it has traded.

        Notes
        -----
        A bar in which nothing has traded yet shows the last price with no volume.
        """
        slot = self.due(now_ms)
        minute = min(slot // self.parts, first_minute + minutes - 1)
        last = self.plan(minute)
        if minute < first_minute:
            close = int(last.close[slot % self.parts])
            return Forming(close, close, close, close, 0, 0.0)
        played = self._played(minute, slot)
        if minute == first_minute:
            return played
        bar = folded(self.model.minute_span(self.listing, first_minute, minute))
        bar.add(played)
        return bar

    def _played(self, minute: int, slot: int) -> Forming:
        """The part of a minute that has traded up to ``slot``; the whole one equals the model's bar."""
        rows = min(self.parts, slot - minute * self.parts + 1)
        if rows == self.parts:
            return folded(self.model.minute_span(self.listing, minute, minute + 1))
        plan = self.plan(minute)
        bar = folded(plan.slice(0, rows))
        prices = (plan.high[:rows] + plan.low[:rows] + plan.close[:rows]) * (self.listing.tick / 3.0)
        size = plan.lots[:rows] * self.listing.lot
        bar.turnover = float((size / prices if self.listing.category == "inverse" else size * prices).sum())
        return bar

    def forced(self, slot: int) -> tuple[bool, int, int] | None:
        """A liquidation that the slot caused: whether a long was closed, price in ticks, lots; None for most."""
        minute, row = divmod(slot, self.parts)
        plan = self.plan(minute)
        start, end = int(plan.open[row]), int(plan.close[row])
        dice = self.model.noise.dice(_FORCED, self.listing.own_lane, slot)
        move = abs(end - start) / start
        if self.listing.category == "spot" or dice.unit() > min(
            0.6, (move / self.listing.volatility * 12.0) ** 2
        ):
            return None
        lots = 1 + int(plan.lots[row] * 0.3 * dice.unit())
        return end < start, end, lots

    def _spread(self, dice: Dice) -> int:
        typical = self.listing.spread_ticks
        return max(1, round(typical * (0.7 + 0.6 * dice.unit())))


def day_open_minute(minute: int) -> int:
    """The first minute of the day of a minute."""
    return minute - minute % DAY_MINUTES


def _stops(start: int, high: int, low: int, end: int, dice: Dice) -> list[int]:
    """Prices at which a slot trades, so that its high, low and close are touched."""
    path = [low, high, end] if end >= start else [high, low, end]
    stops = [price for row, price in enumerate(path) if row == len(path) - 1 or price != path[row + 1]]
    if len(stops) < 3 and dice.unit() < 0.5:
        stops.insert(0, low + dice.below(high - low + 1))
    return stops


def _shares(lots: int, parts: int, dice: Dice) -> list[int]:
    """Positive whole parts that sum to ``lots``."""
    cuts = sorted(dice.below(lots - parts + 1) for _ in range(parts - 1))
    edges = [0, *cuts, lots - parts]
    return [after - before + 1 for before, after in itertools.pairwise(edges)]
