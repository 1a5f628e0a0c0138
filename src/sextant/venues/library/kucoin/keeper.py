"""What a connection to KuCoin must remember: changes of books whose beginning is not known, and open bars."""

from __future__ import annotations

from sextant.model.events import Event
from sextant.venues.keeping import OpenBars
from sextant.venues.port import Category, SymbolTable
from sextant.venues.renewing import RenewedBooks


class KucoinKeeper(RenewedBooks):
    """Holds books back until their beginning is known, and closes bars."""

    def __init__(self, _: Category, symbols: SymbolTable) -> None:
        super().__init__(symbols, ends=True)  # a hundred levels are gone within a second of a strong move
        self._bars = OpenBars()

    def take(self, data: bytes, events: list[Event], receive_ns: int) -> list[Event]:
        """The events of a frame, books in order and bars closed."""
        return self._bars.close(super().take(data, events, receive_ns))
