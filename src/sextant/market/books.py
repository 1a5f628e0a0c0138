"""Order books in integer ticks: snapshot, changes, and when not to believe them."""

from __future__ import annotations

from array import array
from decimal import Decimal
from itertools import chain
from typing import Any, Final, Literal

import msgspec

from sextant.errors import MarketError
from sextant.market import levels as kernels
from sextant.market.levels import (
    ASKS,
    BIDS,
    BOOK_CELLS,
    COUNT,
    DONE,
    EVENT_NS,
    FLOAT_TOLERANCE,
    FULL,
    KEYS,
    LEVELS,
    MOST_TICKS,
    PLAIN,
    ROOM,
    SEQUENCE,
    SIGN,
    TICK,
    TICK_TOLERANCE,
)
from sextant.model.cells import Cells
from sextant.model.events import BookDelta, BookSnapshot, Level

BookTrouble = Literal["duplicate", "waiting", "gap", "crossed", "crossed_again", "refused"]
"""What was wrong with a message: repeated or older; no snapshot yet; a message is missing before it; it left
the book crossed or locked, once or twice in a row; it carries a price or size no book can have."""

SPARE_LEVELS: Final = 16
"""Room beside the levels a side holds, so that a change rarely needs more."""

_INFINITY: Final = float("inf")


class BookState(msgspec.Struct, frozen=True):
    """A book as it is now.

    Parameters
    ----------
    valid
        The sequence is unbroken, both sides have a level and bid < ask.
    reason
        Why it is not valid; empty when it is.
    since_ns
        Event time of the message that made it so.
    sequence
        The venue's number of the last message applied; 0 before any.
    event_ns
        Event time of the last message applied; 0 before any.
    bids, asks
        Price and size, best first, in quote and base units; what is left of a book that is not valid.
    """

    valid: bool
    reason: str
    since_ns: int
    sequence: int
    event_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class BookSide:
    """One side of a book: keys and sizes in cells, sorted with the best last.

    A key is the price in ticks for bids and its negative for asks, so that the greatest key is the
    best price of either side.
    """

    __slots__ = ("_tick", "cells")

    def __init__(self, tick: Decimal, sign: Literal[-1, 1]) -> None:
        self._tick = tick.as_integer_ratio()
        self.cells = Cells(KEYS + 2 * SPARE_LEVELS)
        self.cells.ints[ROOM], self.cells.ints[SIGN] = SPARE_LEVELS, sign
        self.cells.reals[TICK] = float(tick)

    def key(self, price: float) -> int:
        """The key of a price.

        Raises
        ------
        MarketError
            If the price is not above 0 and finite, or lies between two ticks by more than 1e-6 of
            one (and the rounding of a float64 that large).
        """
        if not 0 < price < _INFINITY:
            raise MarketError(f"A price of {price} is not above 0 and finite.", reason="bad_level")
        ratio = price / self.tick
        if not ratio < MOST_TICKS or abs(ratio - round(ratio)) > TICK_TOLERANCE + FLOAT_TOLERANCE * ratio:
            raise MarketError(f"A price of {price} is {ratio} ticks of {self.tick}.", reason="off_tick")
        if not round(ratio):
            raise MarketError(f"A price of {price} is below the tick {self.tick}.", reason="off_tick")
        return self.cells.ints[SIGN] * round(ratio)

    def __len__(self) -> int:
        """How many levels there are."""
        return self.cells.ints[COUNT]

    @property
    def tick(self) -> float:
        """Smallest step of price, quote units."""
        return self.cells.reals[TICK]

    def price(self, key: int) -> float:
        """The float64 nearest to the price of a key."""
        numerator, denominator = self._tick
        return self.cells.ints[SIGN] * key * numerator / denominator

    def content(self) -> list[tuple[int, float]]:
        """Keys and sizes, the best last."""
        count, room = len(self), self.cells.ints[ROOM]
        keys = self.cells.ints[KEYS : KEYS + count].tolist()
        return list(zip(keys, self.cells.reals[KEYS + room : KEYS + room + count].tolist(), strict=True))

    def best(self, levels: int) -> list[Level]:
        """Up to ``levels`` prices and sizes, best first."""
        numerator, denominator = self._tick
        numerator *= self.cells.ints[SIGN]
        first, last = KEYS + max(0, len(self) - levels), KEYS + len(self)
        keys = self.cells.ints[first:last].tolist()
        room = self.cells.ints[ROOM]
        sizes = self.cells.reals[first + room : last + room].tolist()
        return [
            (key * numerator / denominator, size)
            for key, size in zip(reversed(keys), reversed(sizes), strict=True)
        ]

    def clear(self) -> None:
        """Forget every level."""
        self.cells.ints[COUNT] = 0

    def replace(self, levels: list[Level], most: int) -> None:
        """Take the given levels for the whole side, at most the best ``most`` of them.

        Raises
        ------
        MarketError
            If a price is as :meth:`key` refuses, or a size is not above 0 and finite.
        """
        self.clear()
        sizes: dict[int, float] = {}
        for price, size in levels:
            if not 0 < size < _INFINITY:
                raise MarketError(f"A size of {size} at {price} in a snapshot.", reason="bad_level")
            sizes[self.key(price)] = size
        self.restore(sorted(sizes.items())[max(0, len(sizes) - most) :])

    def merge(self, levels: list[Level]) -> None:
        """Set the sizes of the given prices, deleting those of size 0.

        Raises
        ------
        MarketError
            If a price is as :meth:`key` refuses, or a size is negative or not finite.
        """
        told = array("d", chain.from_iterable(levels))
        found = kernels.merge(self.cells.at, told.buffer_info()[0], len(levels))
        if found == FULL:
            # What is set already is set again.
            self._take(self.content(), len(self) + len(levels) + SPARE_LEVELS)
            found = kernels.merge(self.cells.at, told.buffer_info()[0], len(levels))
        if found != DONE:
            price, size = levels[found - 1]
            self.key(price)
            raise MarketError(f"A size of {size} at {price}.", reason="bad_level")

    def restore(self, levels: list[tuple[int, float]]) -> None:
        """Take keys and sizes as :meth:`content` gives them, the best last."""
        room = self.cells.ints[ROOM]
        self._take(levels, room if len(levels) <= room else len(levels) + SPARE_LEVELS)

    def cut(self, most: int) -> None:
        """Drop the levels beyond the best ``most``."""
        kernels.cut(self.cells.at, most)

    def _take(self, levels: list[tuple[int, float]], room: int) -> None:
        """Hold these levels in cells with so much room."""
        if room != self.cells.ints[ROOM]:
            before, self.cells = self.cells, Cells(KEYS + 2 * room)
            self.cells.ints[SIGN], self.cells.reals[TICK] = before.ints[SIGN], before.reals[TICK]
            self.cells.ints[ROOM] = room
        self.cells.ints[COUNT] = len(levels)
        self.cells.put_ints(KEYS, [key for key, _ in levels])
        self.cells.put_reals(KEYS + room, [size for _, size in levels])


class Book:
    """The order book of one instrument.

    Parameters
    ----------
    tick
        Smallest step of price, quote units.

    Notes
    -----
    A book is valid, held back, or waiting. It is held back by one message that leaves it crossed or
    locked, or by a side without levels, and the next message may repair it. It waits for a snapshot
    before the first one, after a gap, a refused level, a second crossed message, or when the venue or
    the connection took it away; until then changes are not applied.
    """

    __slots__ = ("_first_after_snapshot", "_tick", "_waiting", "cells", "reason", "sides", "since_ns")

    def __init__(self, tick: Decimal) -> None:
        self.cells = Cells(BOOK_CELLS)
        self._tick = tick
        self.sides = (BookSide(tick, 1), BookSide(tick, -1))
        self._waiting = True
        self._first_after_snapshot = False
        self.reason = "no_snapshot"
        self.since_ns = 0
        self._settle()

    @property
    def sequence(self) -> int:
        """The venue's number of the last message applied; 0 before any."""
        return self.cells.ints[SEQUENCE]

    @property
    def event_ns(self) -> int:
        """Event time of the last message applied; 0 before any."""
        return self.cells.ints[EVENT_NS]

    @property
    def valid(self) -> bool:
        """Whether the sequence is unbroken, both sides have a level and bid < ask."""
        return not self.reason

    def lacks(self, reason: str) -> bool:
        """Whether only a snapshot can make it valid again, and for that reason."""
        return self._waiting and self.reason == reason

    def snapshot(self, event: BookSnapshot) -> BookTrouble | None:
        """What was wrong with a snapshot, which replaces whatever was known."""
        self.cells.ints[LEVELS] = event.levels
        trouble = self._replace(event, event.bids, event.asks)
        self._settle()
        return trouble

    def delta(self, event: BookDelta) -> BookTrouble | None:
        """What was wrong with a change; None when it was applied and left a book that is not crossed.

        Notes
        -----
        It continues the book when its ``previous_sequence`` is the book's, or, where the venue states
        none, when the numbers it folds hold the book's + 1. The first change after a snapshot may
        reach back before it. Sizes are absolute, so an overlap loses nothing.
        """
        ints = self.cells.ints
        if ints[PLAIN] and event.first_sequence == ints[SEQUENCE] + 1 and event.previous_sequence is None:
            bids, asks = event.bids, event.asks
            told = array("d", chain.from_iterable(chain(bids, asks)))
            at = told.buffer_info()[0]
            if kernels.change(self.cells.at, event.sequence, event.event_ns, at, len(bids), len(asks)):
                return None
        trouble = self._delta_with_care(event)
        self._settle()
        return trouble

    def clear(self, reason: str, event_ns: int) -> None:
        """Forget every level and wait for a snapshot."""
        for side in self.sides:
            side.clear()
        self._wait(reason, event_ns)
        self._settle()

    def invalidate(self, reason: str, event_ns: int) -> None:
        """Keep what was known, but not as true, and wait for a snapshot."""
        self._wait(reason, event_ns)
        self._settle()

    def change_tick(self, tick: Decimal, event_ns: int) -> bool:
        """Whether the tick is another one; then the book is forgotten and waits for a snapshot."""
        if tick == self._tick:
            return False
        known = self.cells.ints[LEVELS]
        self._tick = tick
        self.sides = (BookSide(tick, 1), BookSide(tick, -1))
        self._wait("tick_changed" if known else "no_snapshot", event_ns)
        self._settle()
        return bool(known)

    def now(self, levels: int | None = None) -> BookState:
        """The book as it is now, with up to ``levels`` levels per side, or all."""
        most = self.cells.ints[LEVELS] if levels is None else levels
        bids, asks = (side.best(most) for side in self.sides)
        return BookState(
            self.valid, self.reason, self.since_ns, self.sequence, self.event_ns, tuple(bids), tuple(asks)
        )

    def content(self) -> tuple[object, ...]:
        """Everything the book will act on, in canonical order, for hashing."""
        flags = (self._waiting, self._first_after_snapshot, self.cells.ints[LEVELS], str(self._tick))
        sides = [side.content() for side in self.sides]
        return (self.sequence, self.event_ns, self.reason, self.since_ns, flags, sides)

    def restore(self, content: Any) -> None:
        """Become the book whose :meth:`content` it was."""
        ints = self.cells.ints
        ints[SEQUENCE], ints[EVENT_NS], self.reason, self.since_ns, flags, sides = content
        self._waiting, self._first_after_snapshot, ints[LEVELS], tick = flags
        self._tick = Decimal(tick)
        self.sides = (BookSide(self._tick, 1), BookSide(self._tick, -1))
        for side, levels in zip(self.sides, sides, strict=True):
            side.restore(levels)
        self._settle()

    def _settle(self) -> None:
        """Tell kernels where the sides are, and whether the next change needs no second look."""
        ints = self.cells.ints
        ints[BIDS], ints[ASKS] = (side.cells.at for side in self.sides)
        ints[PLAIN] = not (self._waiting or self._first_after_snapshot or self.reason)

    def _delta_with_care(self, event: BookDelta) -> BookTrouble | None:
        ints = self.cells.ints
        if (
            self._waiting
            or event.first_sequence != ints[SEQUENCE] + 1
            or event.previous_sequence is not None
            or self._first_after_snapshot
        ):
            if event.sequence == 1 and ints[SEQUENCE] > 1:
                return self._restart(event)
            trouble = self._out_of_turn(event)
            if trouble is not None:
                return trouble
        ints[SEQUENCE], ints[EVENT_NS] = event.sequence, event.event_ns
        bids, asks = self.sides
        try:
            bids.merge(event.bids)
            asks.merge(event.asks)
        except MarketError as refused:
            return self._refuse(refused, event.event_ns)
        if kernels.uncrossed(*(side.cells.at for side in self.sides)):
            # A level that crosses is taken back by the next message: what it pushed out is cut only after that.
            for side in self.sides:
                side.cut(ints[LEVELS])
            if self.reason:
                self.reason, self.since_ns = "", event.event_ns
            return None
        return self._hold(event.event_ns)

    def _out_of_turn(self, event: BookDelta) -> BookTrouble | None:
        """Why a change that does not obviously continue the book cannot be applied; None where it can."""
        if self._waiting:
            return "waiting"
        if event.sequence <= self.sequence:
            return "duplicate"
        if event.previous_sequence != self.sequence and not (
            (event.previous_sequence is None or self._first_after_snapshot)
            and event.first_sequence <= self.sequence + 1
        ):
            self._wait("gap", event.event_ns)
            return "gap"
        self._first_after_snapshot = False
        return None

    def _restart(self, event: BookDelta) -> BookTrouble | None:
        """Number 1 is a restart of the venue's service: what it carries is the whole book."""
        if not event.bids and not event.asks:
            self.clear("empty", event.event_ns)
            return None
        bids = [level for level in event.bids if level[1] != 0]
        asks = [level for level in event.asks if level[1] != 0]
        return self._replace(event, bids, asks)

    def _replace(
        self, event: BookSnapshot | BookDelta, bids: list[Level], asks: list[Level]
    ) -> BookTrouble | None:
        ints = self.cells.ints
        ints[SEQUENCE], ints[EVENT_NS] = event.sequence, event.event_ns
        self._waiting = False
        self._first_after_snapshot = True
        try:
            for side, levels in zip(self.sides, (bids, asks), strict=True):
                side.replace(levels, ints[LEVELS])
        except MarketError as refused:
            return self._refuse(refused, event.event_ns)
        if kernels.uncrossed(*(side.cells.at for side in self.sides)):
            self._set("", event.event_ns)
            return None
        self.reason = ""
        return self._hold(event.event_ns)

    def _hold(self, event_ns: int) -> BookTrouble | None:
        """Hold back a book that is one-sided, crossed or locked; the second crossed message ends the wait for repair."""
        if not all(map(len, self.sides)):
            self._set("one_sided", event_ns)
            return None
        if self.reason == "crossed":
            self._wait("crossed", self.since_ns)
            return "crossed_again"
        self._set("crossed", event_ns)
        return "crossed"

    def _refuse(self, refused: MarketError, event_ns: int) -> BookTrouble:
        self.clear(refused.reason or refused.code, event_ns)
        return "refused"

    def _wait(self, reason: str, event_ns: int) -> None:
        self._waiting = True
        self._set(reason, event_ns)

    def _set(self, reason: str, event_ns: int) -> None:
        if reason != self.reason:
            self.reason, self.since_ns = reason, event_ns
