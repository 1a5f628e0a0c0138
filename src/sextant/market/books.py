"""Order books in integer ticks: snapshot, changes, and when not to believe them."""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from sextant.errors import MarketError
from sextant.model.events import BookDelta, BookSnapshot, Level

BookTrouble = Literal["duplicate", "waiting", "gap", "crossed", "crossed_again", "refused"]
"""What was wrong with a message: repeated or older; no snapshot yet; a message is missing before it; it left
the book crossed or locked, once or twice in a row; it carries a price or size no book can have."""

TICK_TOLERANCE: Final = 1e-6
FLOAT_TOLERANCE: Final = 4e-16
"""Relative error of a price divided by its tick, both correctly rounded, with room for one more rounding."""

KNOWN_PRICES: Final = 1_024
"""Prices per side whose tick is remembered; beyond it all are forgotten: each takes some 120 bytes, of every instrument."""

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
    """One side of a book: sizes by key, keys sorted with the best last.

    A key is the price in ticks for bids and its negative for asks, so that the greatest key is the
    best price of either side.
    """

    __slots__ = ("_key_of", "_sign", "_tick", "_tick_float", "keys", "sizes")

    def __init__(self, tick: Decimal, sign: Literal[-1, 1]) -> None:
        self.sizes: dict[int, float] = {}
        self.keys: list[int] = []
        self._key_of: dict[float, int] = {}
        self._sign = sign
        self._tick = tick.as_integer_ratio()
        self._tick_float = float(tick)

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
        ratio = price / self._tick_float
        ticks = round(ratio)
        if ticks < 1 or abs(ratio - ticks) > TICK_TOLERANCE + FLOAT_TOLERANCE * ratio:
            raise MarketError(
                f"A price of {price} is {ratio} ticks of {self._tick_float}.", reason="off_tick"
            )
        if len(self._key_of) >= KNOWN_PRICES:
            self._key_of.clear()
        key = self._key_of[price] = self._sign * ticks
        return key

    @property
    def tick(self) -> float:
        """Smallest step of price, quote units."""
        return self._tick_float

    def price(self, key: int) -> float:
        """The float64 nearest to the price of a key."""
        numerator, denominator = self._tick
        return self._sign * key * numerator / denominator

    def best(self, levels: int) -> list[Level]:
        """Up to ``levels`` prices and sizes, best first."""
        sizes = self.sizes
        return [(self.price(key), sizes[key]) for key in self.keys[: -levels - 1 : -1]]

    def clear(self) -> None:
        """Forget every level."""
        self.sizes.clear()
        self.keys.clear()

    def replace(self, levels: list[Level], most: int) -> None:
        """Take the given levels for the whole side, at most the best ``most`` of them.

        Raises
        ------
        MarketError
            If a price is as :meth:`key` refuses, or a size is not above 0 and finite.
        """
        self.clear()
        for price, size in levels:
            if not 0 < size < _INFINITY:
                raise MarketError(f"A size of {size} at {price} in a snapshot.", reason="bad_level")
            key = self._key_of.get(price)
            self.sizes[self.key(price) if key is None else key] = size
        self.keys.extend(sorted(self.sizes))
        self.cut(most)

    def merge(self, levels: list[Level]) -> None:
        """Set the sizes of the given prices, deleting those of size 0.

        Raises
        ------
        MarketError
            If a price is as :meth:`key` refuses, or a size is negative or not finite.
        """
        sizes, keys, known, infinity = self.sizes, self.keys, self._key_of, _INFINITY
        for price, size in levels:
            try:
                key = known[price]
            except KeyError:
                key = self.key(price)
            if 0.0 < size < infinity:
                if key not in sizes:
                    insort(keys, key)
                sizes[key] = size
            elif size == 0.0:
                # A venue deletes levels below the visible ones too: nothing to do for those.
                if key in sizes:
                    del sizes[key]
                    del keys[bisect_left(keys, key)]
            else:
                raise MarketError(f"A size of {size} at {price}.", reason="bad_level")

    def restore(self, levels: list[tuple[int, float]]) -> None:
        """Take keys and sizes as :meth:`Book.content` gives them, the best last."""
        self.sizes = dict(levels)
        self.keys = list(self.sizes)

    def cut(self, most: int) -> None:
        """Drop the levels beyond the best ``most``."""
        excess = len(self.keys) - most
        if excess > 0:
            for key in self.keys[:excess]:
                del self.sizes[key]
            del self.keys[:excess]


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

    __slots__ = (
        "_asks",
        "_bids",
        "_first_after_snapshot",
        "_levels",
        "_tick",
        "_waiting",
        "event_ns",
        "reason",
        "sequence",
        "since_ns",
    )

    def __init__(self, tick: Decimal) -> None:
        self._tick = tick
        self._bids = BookSide(tick, 1)
        self._asks = BookSide(tick, -1)
        self._levels = 0
        self._waiting = True
        self._first_after_snapshot = False
        self.sequence = 0
        self.event_ns = 0
        self.reason = "no_snapshot"
        self.since_ns = 0

    @property
    def valid(self) -> bool:
        """Whether the sequence is unbroken, both sides have a level and bid < ask."""
        return not self.reason

    @property
    def sides(self) -> tuple[BookSide, BookSide]:
        """Bids and asks; to be read, not changed."""
        return self._bids, self._asks

    def lacks(self, reason: str) -> bool:
        """Whether only a snapshot can make it valid again, and for that reason."""
        return self._waiting and self.reason == reason

    def snapshot(self, event: BookSnapshot) -> BookTrouble | None:
        """What was wrong with a snapshot, which replaces whatever was known."""
        self._levels = event.levels
        return self._replace(event, event.bids, event.asks)

    def delta(self, event: BookDelta) -> BookTrouble | None:
        """What was wrong with a change; None when it was applied and left a book that is not crossed.

        Notes
        -----
        It continues the book when its ``previous_sequence`` is the book's, or, where the venue states
        none, when the numbers it folds hold the book's + 1. The first change after a snapshot may
        reach back before it. Sizes are absolute, so an overlap loses nothing.
        """
        if (
            self._waiting
            or event.first_sequence != self.sequence + 1
            or event.previous_sequence is not None
            or self._first_after_snapshot
        ):
            if event.sequence == 1 and self.sequence > 1:
                return self._restart(event)
            trouble = self._out_of_turn(event)
            if trouble is not None:
                return trouble
        self.sequence = event.sequence
        self.event_ns = event.event_ns
        try:
            if event.bids:
                self._bids.merge(event.bids)
            if event.asks:
                self._asks.merge(event.asks)
        except MarketError as refused:
            return self._refuse(refused, event.event_ns)
        bids, asks = self._bids.keys, self._asks.keys
        if bids and asks and bids[-1] + asks[-1] < 0:
            # A level that crosses is taken back by the next message: what it pushed out is cut only after that.
            if len(bids) > self._levels:
                self._bids.cut(self._levels)
            if len(asks) > self._levels:
                self._asks.cut(self._levels)
            if self.reason:
                self.reason, self.since_ns = "", event.event_ns
            return None
        return self._hold(event.event_ns)

    def clear(self, reason: str, event_ns: int) -> None:
        """Forget every level and wait for a snapshot."""
        self._bids.clear()
        self._asks.clear()
        self._wait(reason, event_ns)

    def invalidate(self, reason: str, event_ns: int) -> None:
        """Keep what was known, but not as true, and wait for a snapshot."""
        self._wait(reason, event_ns)

    def change_tick(self, tick: Decimal, event_ns: int) -> bool:
        """Whether the tick is another one; then the book is forgotten and waits for a snapshot."""
        if tick == self._tick:
            return False
        known = self._levels
        self._tick = tick
        self._bids, self._asks = BookSide(tick, 1), BookSide(tick, -1)
        self._wait("tick_changed" if known else "no_snapshot", event_ns)
        return bool(known)

    def best(self, levels: int) -> tuple[list[Level], list[Level]]:
        """Up to ``levels`` bids and asks, best first, whether valid or not."""
        return self._bids.best(levels), self._asks.best(levels)

    def now(self, levels: int | None = None) -> BookState:
        """The book as it is now, with up to ``levels`` levels per side, or all."""
        bids, asks = self.best(self._levels if levels is None else levels)
        return BookState(
            self.valid, self.reason, self.since_ns, self.sequence, self.event_ns, tuple(bids), tuple(asks)
        )

    def content(self) -> tuple[object, ...]:
        """Everything the book will act on, in canonical order, for hashing."""
        sides = [[(key, side.sizes[key]) for key in side.keys] for side in (self._bids, self._asks)]
        flags = (self._waiting, self._first_after_snapshot, self._levels, str(self._tick))
        return (self.sequence, self.event_ns, self.reason, self.since_ns, flags, sides)

    def restore(self, content: Any) -> None:
        """Become the book whose :meth:`content` it was."""
        self.sequence, self.event_ns, self.reason, self.since_ns, flags, sides = content
        self._waiting, self._first_after_snapshot, self._levels, tick = flags
        self._tick = Decimal(tick)
        self._bids, self._asks = BookSide(self._tick, 1), BookSide(self._tick, -1)
        for side, levels in zip((self._bids, self._asks), sides, strict=True):
            side.restore(levels)

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
        self.sequence = event.sequence
        self.event_ns = event.event_ns
        self._waiting = False
        self._first_after_snapshot = True
        try:
            self._bids.replace(bids, self._levels)
            self._asks.replace(asks, self._levels)
        except MarketError as refused:
            return self._refuse(refused, event.event_ns)
        if self._bids.keys and self._asks.keys and self._bids.keys[-1] + self._asks.keys[-1] < 0:
            self._set("", event.event_ns)
            return None
        self.reason = ""
        return self._hold(event.event_ns)

    def _hold(self, event_ns: int) -> BookTrouble | None:
        """Hold back a book that is one-sided, crossed or locked; the second crossed message ends the wait for repair."""
        if not self._bids.keys or not self._asks.keys:
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
