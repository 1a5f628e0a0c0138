"""What a connection to Kraken must remember: numbers of books, the digits their checksums are of, and open bars."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import Final

import msgspec

from sextant.model.events import BookCleared, BookDelta, BookSnapshot, Event
from sextant.model.instrument import Instrument
from sextant.venues.keeping import Ladder, LostBooks, OpenBars
from sextant.venues.library.kraken.wire import decode
from sextant.venues.port import Category, Listing, SymbolTable
from sextant.venues.wire import decimals

CHECKED: Final = 10  # levels a side that the checksum is of, whatever the depth


class TextLevel(msgspec.Struct, gc=False):
    """A level in the digits of the wire."""

    price: msgspec.Raw
    qty: msgspec.Raw


class TextBook(msgspec.Struct, gc=False):
    """A book in the digits of the wire."""

    symbol: str
    bids: list[TextLevel]
    asks: list[TextLevel]
    checksum: int


class _Frame(msgspec.Struct, gc=False):
    data: list[TextBook]


_FRAME: Final = msgspec.json.Decoder(_Frame)


def digits(text: bytes, places: int) -> bytes:
    """A number as the checksum reads it: padded to its places, without point and leading noughts.

    Examples
    --------
    >>> digits(b"0.0567", 8), digits(b"45285.2", 1), digits(b"1e-7", 8)
    (b'5670000', b'452852', b'10')
    """
    if b"e" in text or b"E" in text:
        text = format(Decimal(text.decode()), "f").encode()
    whole, _, fraction = text.partition(b".")
    return (whole + fraction.rstrip(b"0").ljust(places, b"0")).lstrip(b"0")


def text_books(data: bytes) -> list[TextBook]:
    """The books of a frame in the digits of the wire.

    Raises
    ------
    WireError
        If the frame is no book.
    """
    return decode(_FRAME, data, "book").data


class _Digits:
    """The digits of one book."""

    def __init__(self, listing: Listing, depth: int) -> None:
        self.bids, self.asks = Ladder(1), Ladder(-1)
        self._places = decimals(listing.spec.tick), decimals(listing.spec.lot)
        self._depth = depth

    def agrees(self, event: BookDelta | BookSnapshot, text: TextBook) -> bool:
        """Whether the book, with the levels of the message, has the checksum that the message states."""
        for ladder, levels, texts in ((self.bids, event.bids, text.bids), (self.asks, event.asks, text.asks)):
            for (price, size), raw in zip(levels, texts, strict=True):
                ladder.put(price, self._entry(raw) if size > 0.0 else None)
            ladder.cut(self._depth)
        shown = self.asks.best(CHECKED) + self.bids.best(CHECKED)
        return zlib.crc32(b"".join(shown)) == text.checksum

    def _entry(self, level: TextLevel) -> bytes:
        price, size = self._places
        return digits(bytes(level.price), price) + digits(bytes(level.qty), size)


class KrakenKeeper:
    """Numbers books, checks every one against its checksum, and closes bars.

    A book whose checksum differs is cleared and asked for anew; the others are not touched.
    """

    def __init__(self, category: Category, symbols: SymbolTable) -> None:
        self._category = category
        self._symbols = symbols
        self._books = LostBooks()
        self._digits: dict[Instrument, _Digits] = {}
        self._bars = OpenBars()

    def take(self, data: bytes, events: list[Event], _: int) -> list[Event]:
        """The events of a frame, with numbered and checked books and closed bars."""
        if not events or not isinstance(events[0], BookDelta | BookSnapshot | BookCleared):
            return self._bars.close(events)
        known = self._symbols.instruments(self._category)
        # One event stands for every row of a known instrument, in the order of the rows.
        texts = [book for book in text_books(data) if book.symbol in known]
        found = (self._book(event, text) for event, text in zip(events, texts, strict=True))
        return [event for event in found if event is not None]

    def begin(self, _: BookSnapshot) -> list[Event]:
        """Nothing: the socket sends the beginning of a book."""
        return []

    def forget(self, instrument: Instrument) -> None:
        """Drop the changes of a book until it comes whole."""
        self._books.drop(instrument)

    def wants(self) -> list[Instrument]:
        """The books whose checksum differed since the last call."""
        return self._books.wants()

    def _book(self, event: Event, text: TextBook) -> Event | None:
        if isinstance(event, BookCleared):
            self._books.drop(event.instrument)
            return event
        if not isinstance(event, BookDelta | BookSnapshot):
            return event
        instrument = event.instrument
        if isinstance(event, BookSnapshot):
            listing = self._symbols.listing(instrument)
            if listing is None:
                return None
            self._digits[instrument] = _Digits(listing, event.levels)
        elif not self._books.stands(instrument):
            return None
        if not self._digits[instrument].agrees(event, text):
            return self._books.lose(event, "checksum")
        return self._books.whole(event) if isinstance(event, BookSnapshot) else self._books.change(event)
