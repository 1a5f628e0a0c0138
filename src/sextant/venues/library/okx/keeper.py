"""What a connection to OKX must remember: books under the venue's numbers, or under its checksums of before."""

from __future__ import annotations

import itertools
import zlib
from typing import Final

import msgspec

from sextant.model.events import BookCleared, BookDelta, BookSnapshot, Event
from sextant.model.instrument import Instrument
from sextant.venues.keeping import HeldBooks, Ladder, LostBooks
from sextant.venues.library.okx.frames import BOOK_LEVELS
from sextant.venues.library.okx.wire import decode
from sextant.venues.port import Category, SymbolTable

CHECKED: Final = 25  # levels a side that the checksum was of


TextRung = tuple[str, str, msgspec.Raw, msgspec.Raw]


class _Text(msgspec.Struct, gc=False):
    asks: list[TextRung]
    bids: list[TextRung]
    checksum: int


class _Frame(msgspec.Struct, gc=False):
    data: list[_Text]


_FRAME: Final = msgspec.json.Decoder(_Frame)


class _Texts:
    """The texts of one book."""

    def __init__(self) -> None:
        self.bids, self.asks = Ladder(1), Ladder(-1)

    def agrees(self, text: _Text) -> bool:
        """Whether the book, with the levels of the message, has the checksum that the message states."""
        for ladder, rungs in ((self.bids, text.bids), (self.asks, text.asks)):
            for price, size, _, _ in rungs:
                ladder.put(float(price), f"{price}:{size}".encode() if float(size) else None)
            ladder.cut(BOOK_LEVELS)
        pairs = itertools.zip_longest(self.bids.best(CHECKED), self.asks.best(CHECKED))
        shown = b":".join(rung for pair in pairs for rung in pair if rung is not None)
        # The venue states the sum as a signed number of 32 bits.
        return zlib.crc32(shown) == text.checksum & 0xFFFFFFFF


class OkxKeeper:
    """Holds books back until their beginning is known and keeps their order.

    Notes
    -----
    The venue numbers changes (``seqId``, ``prevSeqId``); recordings of before 2023 have checksums instead, of
    which each is proved. Numbers that begin anew, lower than before, end a book until it is begun again.
    """

    def __init__(self, _: Category, symbols: SymbolTable) -> None:
        self._held = HeldBooks(symbols)
        self._lost = LostBooks()
        self._texts: dict[Instrument, _Texts] = {}

    def take(self, data: bytes, events: list[Event], receive_ns: int) -> list[Event]:
        """The events of a frame, books in order."""
        if not events or not isinstance(events[0], BookDelta | BookSnapshot | BookCleared):
            return events
        if all(isinstance(event, BookCleared) or event.sequence == 0 for event in events):  # type: ignore[union-attr]  # all are of books
            return self._proved(data, events)
        found: list[Event] = []
        for event in events:
            if isinstance(event, BookSnapshot):
                found += self._held.begin(event)
            elif isinstance(event, BookDelta) and event.sequence < (event.previous_sequence or 0):
                self._held.lose(event.instrument)
                found.append(BookCleared(event.instrument, event.event_ns, receive_ns, "numbers_restarted"))
            else:
                found += self._held.take(data, [event], receive_ns)
        return found

    def begin(self, snapshot: BookSnapshot) -> list[Event]:
        """The book and the changes held since."""
        return self._held.begin(snapshot)

    def forget(self, instrument: Instrument) -> None:
        """Hold the changes of a book back until its next beginning."""
        self._held.forget(instrument)
        self._lost.drop(instrument)

    def wants(self) -> list[Instrument]:
        """The books that came to need a beginning since the last call."""
        return [*self._held.wants(), *self._lost.wants()]

    def _proved(self, data: bytes, events: list[Event]) -> list[Event]:
        """Books without numbers, numbered by us where their checksum agrees."""
        found: list[Event] = []
        for event, text in zip(events, decode(_FRAME, data, "books").data, strict=False):
            if isinstance(event, BookSnapshot):
                self._texts[event.instrument] = _Texts()
            elif isinstance(event, BookCleared):
                self._lost.drop(event.instrument)
                found.append(event)
                continue
            elif not isinstance(event, BookDelta) or not self._lost.stands(event.instrument):
                continue
            if not self._texts[event.instrument].agrees(text):
                found.append(self._lost.lose(event, "checksum"))
                continue
            book = self._lost.whole(event) if isinstance(event, BookSnapshot) else self._lost.change(event)
            found += [] if book is None else [book]
        return found
