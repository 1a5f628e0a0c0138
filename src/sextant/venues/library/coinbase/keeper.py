"""What a connection to Coinbase must remember: the number of its last frame, its books, and open bars."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from sextant.model.events import BookCleared, BookDelta, BookSnapshot, Event
from sextant.model.instrument import Instrument
from sextant.venues.keeping import LostBooks, OpenBars
from sextant.venues.library.coinbase.wire import decode
from sextant.venues.port import Category, SymbolTable
from sextant.venues.wire import Count, Moment, moment_ns


class _Numbered(msgspec.Struct, gc=False):
    sequence_num: Count | UnsetType = UNSET
    timestamp: Moment | UnsetType = UNSET


_NUMBERED: Final = msgspec.json.Decoder(_Numbered)


class CoinbaseKeeper:
    """Counts the frames of a connection, numbers its books, and closes bars.

    Notes
    -----
    The venue counts all frames of a connection together, whatever they are of. A missing number may have been
    of any book, so that every book is cleared and asked for anew; a number that was had before is a repeated
    frame, of which nothing is taken.
    """

    def __init__(self, _: Category, __: SymbolTable) -> None:
        self._books = LostBooks()
        self._bars = OpenBars()
        self._last: int | None = None

    def take(self, data: bytes, events: list[Event], receive_ns: int) -> list[Event]:
        """The events of a frame, with numbered books and closed bars, after the books that were lost before it."""
        frame = decode(_NUMBERED, data, "frame")
        number = frame.sequence_num
        lost: list[Event] = []
        if number is not UNSET:
            if self._last is not None and number <= self._last:
                return []
            if self._last is not None and number != self._last + 1:
                lost = [self._lose(instrument, frame, receive_ns) for instrument in self._books.standing()]
            self._last = number
        if not events:
            return lost
        if isinstance(events[0], BookDelta | BookSnapshot | BookCleared):
            return lost + [book for book in map(self._book, events) if book is not None]
        return lost + self._bars.close(events)

    def begin(self, _: BookSnapshot) -> list[Event]:
        """Nothing: the socket sends the beginning of a book."""
        return []

    def forget(self, instrument: Instrument) -> None:
        """Drop the changes of a book until it comes whole."""
        self._books.drop(instrument)

    def wants(self) -> list[Instrument]:
        """The books lost since the last call."""
        return self._books.wants()

    def _lose(self, instrument: Instrument, frame: _Numbered, receive_ns: int) -> BookCleared:
        told = frame.timestamp
        event_ns = receive_ns if told is UNSET else moment_ns(told, "Coinbase frame", "timestamp")
        return self._books.lose(BookCleared(instrument, event_ns, receive_ns, "gap"), "gap")

    def _book(self, event: Event) -> Event | None:
        if isinstance(event, BookSnapshot):
            return self._books.whole(event)
        if isinstance(event, BookDelta):
            return self._books.change(event)
        if isinstance(event, BookCleared):
            self._books.drop(event.instrument)
        return event
