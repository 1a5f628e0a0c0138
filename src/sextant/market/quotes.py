"""Best bid and ask as the venues state them outside the book."""

from __future__ import annotations

import math

from msgspec import UNSET

from sextant.model.events import QuoteUpdate


class Quote:
    """Best bid and ask of one instrument as its venue states them outside the book."""

    __slots__ = ("ask", "ask_size", "bid", "bid_size", "event_ns")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing: the connection that carried it is gone."""
        self.bid = self.bid_size = self.ask = self.ask_size = math.nan
        self.event_ns = 0

    def take(self, event: QuoteUpdate) -> str | None:
        """``old`` or ``refused`` when an update was not taken; a refused one forgets what was known."""
        if event.event_ns < self.event_ns:
            return "old"
        for name in ("bid", "bid_size", "ask", "ask_size"):
            value = getattr(event, name)
            if value is UNSET:
                continue
            if value is None:
                setattr(self, name, math.nan)
            elif 0 < value < math.inf or (value == 0 and name.endswith("size")):
                setattr(self, name, value)
            else:
                self.forget()
                return "refused"
        self.event_ns = event.event_ns
        return None

    def content(self) -> tuple[object, ...]:
        """Everything known, in canonical order, for hashing."""
        return tuple(getattr(self, name) for name in self.__slots__)
