"""What clients of several venues must remember of a connection: held books, running numbers, checked ladders, bars."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from typing import Final, Literal, TypeVar

import msgspec

from sextant.model.events import BarUpdate, BookCleared, BookDelta, BookSnapshot, Event
from sextant.model.instrument import Instrument
from sextant.model.times import Interval
from sextant.venues.port import SymbolTable

MOST_HELD: Final = 2_000
"""Changes of one book held back while its beginning is asked for: three minutes at ten a second, with room."""

MOST_OLDER: Final = 50
"""Changes in a row that are older than the book, after which the venue is taken to count anew: an answer that a book
begins with is seconds ahead of its changes at most, and they come ten a second."""

_TOLERANCE: Final = 1e-6
_ROUNDING: Final = 4e-16

B = TypeVar("B", BookDelta, BookSnapshot)


class HeldBooks:
    """Books whose sockets send changes only: changes are held back until an answer tells the beginning.

    Notes
    -----
    A change follows another when it names it, or, where the venue names none, when the numbers it folds hold
    the other's + 1; the first after the beginning may reach back before it. A change that does not follow is
    passed on, so that the market sees the gap at once, and the book is held back again from it on.

    After a venue has widened a tick, orders of before still rest between the ticks, far from the best prices.
    No book in ticks can hold them: they are left out where a beginning shows such an order, and of every book
    that the market gave up once.

    Parameters
    ----------
    symbols
        Whose ticks hold.
    """

    def __init__(self, symbols: SymbolTable) -> None:
        self._symbols = symbols
        self._uneven: set[Instrument] = set()
        self._last: dict[Instrument, int] = {}
        self._fresh: set[Instrument] = set()
        self._held: dict[Instrument, deque[BookDelta]] = {}
        self._wanted: dict[Instrument, None] = {}
        self._older: dict[Instrument, int] = {}

    def take(self, _: bytes, events: list[Event], __: int) -> list[Event]:
        """The events without the changes that must wait."""
        if len(events) == 1 and type(events[0]) is BookDelta:
            return [self._shown(events[0])] if self._passes(events[0]) else []
        return [
            self._shown(event) if type(event) is BookDelta else event
            for event in events
            if type(event) is not BookDelta or self._passes(event)
        ]

    def begin(self, snapshot: BookSnapshot) -> list[Event]:
        """The book and the changes held since; none when the changes begin after it, or it is no news."""
        instrument = snapshot.instrument
        known = self._last.get(instrument)
        if known is not None and snapshot.sequence <= known:
            return []
        held = [change for change in self._held.get(instrument, ()) if change.sequence > snapshot.sequence]
        if held and not follows(held[0], snapshot):
            self._wanted[instrument] = None
            return []
        self._held.pop(instrument, None)
        self._wanted.pop(instrument, None)
        self._last[instrument] = snapshot.sequence
        self._fresh.add(instrument)
        whole = self._even(snapshot)
        if whole is not snapshot:
            self._uneven.add(instrument)
        return [whole, *(self._shown(change) for change in held if self._passes(change))]

    def forget(self, instrument: Instrument) -> None:
        """Hold the changes of a book back until its next beginning."""
        self._uneven.add(instrument)
        self._hold_back(instrument)

    def lose(self, instrument: Instrument) -> None:
        """Hold the changes of a book back, and want its beginning."""
        self._hold_back(instrument)
        self._wanted[instrument] = None

    def wants(self) -> list[Instrument]:
        """The books that came to need a beginning since the last call."""
        if not self._wanted:
            return []
        wanted = list(self._wanted)
        self._wanted.clear()
        return wanted

    def _passes(self, change: BookDelta) -> bool:
        instrument = change.instrument
        last = self._last.get(instrument)
        if last is None:
            self._hold(change)
            return False
        if change.sequence <= last:
            return self._repeats(change)
        if self._older:
            self._older.pop(instrument, None)
        if change.previous_sequence != last:
            overlaps = change.first_sequence <= last + 1
            if not (overlaps and (change.previous_sequence is None or instrument in self._fresh)):
                self._hold_back(instrument)
                self._hold(change)
                return True
        self._last[instrument] = change.sequence
        self._fresh.discard(instrument)
        return True

    def _repeats(self, change: BookDelta) -> bool:
        """Whether an older change is passed on, which the market counts as repeated; not so when there are too many of them."""
        older = self._older[change.instrument] = self._older.get(change.instrument, 0) + 1
        if older < MOST_OLDER:
            return True
        self._hold_back(change.instrument)
        self._hold(change)
        return False

    def _hold_back(self, instrument: Instrument) -> None:
        self._older.pop(instrument, None)
        self._last.pop(instrument, None)
        self._held.pop(instrument, None)

    def _shown(self, change: BookDelta) -> BookDelta:
        return self._even(change) if change.instrument in self._uneven else change

    def _even(self, book: B) -> B:
        """The book, or change, without the levels between two ticks; itself where it has none."""
        listing = self._symbols.listing(book.instrument)
        if listing is None:
            return book
        tick = float(listing.spec.tick)
        bids = [level for level in book.bids if _on_tick(level[0] / tick)]
        asks = [level for level in book.asks if _on_tick(level[0] / tick)]
        if len(bids) == len(book.bids) and len(asks) == len(book.asks):
            return book
        return msgspec.structs.replace(book, bids=bids, asks=asks)

    def _hold(self, change: BookDelta) -> None:
        held = self._held.get(change.instrument)
        if held is None:
            held = self._held[change.instrument] = deque(maxlen=MOST_HELD)
            self._wanted[change.instrument] = None
        if held and change.sequence < held[0].first_sequence:
            held.clear()  # the venue counts anew, and no beginning will ever reach what was held
        held.append(change)


def follows(change: BookDelta, snapshot: BookSnapshot) -> bool:
    """Whether a change may be the first after a beginning: it folds the next number, or names the beginning's own."""
    return change.first_sequence <= snapshot.sequence + 1 or change.previous_sequence == snapshot.sequence


def _on_tick(ratio: float) -> bool:
    """Whether a price, in ticks, is one: to a millionth of a tick and the rounding of a large float64."""
    return abs(ratio - round(ratio)) <= _TOLERANCE + _ROUNDING * ratio


class LostBooks:
    """Numbers for books that the wire does not number, and which of them were lost.

    A lost book is cleared, so that the market does not believe it any more, and its changes are dropped until
    the venue sends it whole.
    """

    def __init__(self) -> None:
        self._numbers: dict[Instrument, int] = {}
        self._standing: set[Instrument] = set()
        self._wanted: dict[Instrument, None] = {}

    def stands(self, instrument: Instrument) -> bool:
        """Whether a book is known."""
        return instrument in self._standing

    def standing(self) -> tuple[Instrument, ...]:
        """The books that are known, in order of instrument."""
        return tuple(sorted(self._standing))

    def whole(self, event: BookSnapshot) -> BookSnapshot:
        """A whole book under its running number."""
        instrument = event.instrument
        self._standing.add(instrument)
        self._wanted.pop(instrument, None)
        number = self._numbers[instrument] = self._numbers.get(instrument, 0) + 1
        return BookSnapshot(
            instrument, event.event_ns, event.receive_ns, number, event.levels, event.bids, event.asks
        )

    def change(self, event: BookDelta) -> BookDelta | None:
        """A change under its running number; None while its book is lost."""
        instrument = event.instrument
        if instrument not in self._standing:
            return None
        number = self._numbers[instrument] = self._numbers[instrument] + 1
        return BookDelta(
            instrument, event.event_ns, event.receive_ns, number, number, None, event.bids, event.asks
        )

    def lose(self, event: BookDelta | BookSnapshot | BookCleared, reason: str) -> BookCleared:
        """The end of a book that cannot be believed."""
        self.drop(event.instrument)
        self._wanted[event.instrument] = None
        return BookCleared(event.instrument, event.event_ns, event.receive_ns, reason)

    def drop(self, instrument: Instrument) -> None:
        """Drop the changes of a book until it comes whole."""
        self._standing.discard(instrument)

    def wants(self) -> list[Instrument]:
        """The books lost since the last call."""
        if not self._wanted:
            return []
        wanted = list(self._wanted)
        self._wanted.clear()
        return wanted


class Ladder:
    """One side of a book with what its venue's checksum is computed over, for each price.

    Parameters
    ----------
    sign
        1 for bids, -1 for asks: the best price is the greatest key.
    """

    __slots__ = ("_keys", "_sign", "_texts")

    def __init__(self, sign: Literal[-1, 1]) -> None:
        self._sign = sign
        self._keys: list[float] = []
        self._texts: dict[float, bytes] = {}

    def __len__(self) -> int:
        """Number of prices."""
        return len(self._keys)

    def clear(self) -> None:
        """Forget every price."""
        self._keys.clear()
        self._texts.clear()

    def put(self, price: float, text: bytes | None) -> None:
        """Set the text of a price, or delete the price where it is None."""
        key = self._sign * price
        if text is not None:
            if key not in self._texts:
                insort(self._keys, key)
            self._texts[key] = text
        elif key in self._texts:
            del self._texts[key]
            del self._keys[bisect_left(self._keys, key)]

    def cut(self, most: int) -> None:
        """Drop the prices beyond the best ``most``."""
        excess = len(self._keys) - most
        if excess > 0:
            for key in self._keys[:excess]:
                del self._texts[key]
            del self._keys[:excess]

    def best(self, most: int) -> list[bytes]:
        """The texts of up to ``most`` prices, best first."""
        texts = self._texts
        return [texts[key] for key in self._keys[: -most - 1 : -1]]


class OpenBars:
    """Closes bars at venues that never call one final: the first of a later interval closes the one before."""

    def __init__(self) -> None:
        self._last: dict[tuple[Instrument, Interval], BarUpdate] = {}

    def close(self, events: list[Event]) -> list[Event]:
        """The events, and before a bar of a later interval the final statement of the bar before it."""
        found: list[Event] = []
        for event in events:
            if not isinstance(event, BarUpdate) or event.final:
                found.append(event)
                continue
            key = (event.instrument, event.interval)
            last = self._last.get(key)
            if last is not None and event.bar.open_ns < last.bar.open_ns:
                found.append(_closed(event, event))
                continue
            if last is not None and event.bar.open_ns > last.bar.open_ns:
                found.append(_closed(last, event))
            self._last[key] = event
            found.append(event)
        return found


def _closed(bar: BarUpdate, told: BarUpdate) -> BarUpdate:
    return BarUpdate(bar.instrument, told.event_ns, told.receive_ns, bar.interval, bar.bar, final=True)
