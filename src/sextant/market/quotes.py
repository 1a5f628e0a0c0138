"""Best bid and ask as the venues state them outside the book."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import Any, Final

from msgspec import UNSET

from sextant.model.events import QuoteUpdate

_SIDES_OF: Final = attrgetter("bid", "bid_size", "ask", "ask_size")
_SMALLEST: Final = 5e-324  # above zero: a zero price is how some venues say that there is none
_LOWEST: Final = (_SMALLEST, 0.0, _SMALLEST, 0.0)


class Quote:
    """Best bid and ask of one instrument as its venue states them outside the book."""

    __slots__ = ("event_ns", "sides")

    def __init__(self) -> None:
        self.sides: list[float] = []
        self.forget()

    def forget(self) -> None:
        """Know nothing: the connection that carried it is gone."""
        self.sides = [math.nan] * 4
        self.event_ns = 0

    def take(self, event: QuoteUpdate) -> str | None:
        """``old`` or ``refused`` when an update was not taken; a refused one forgets what was known."""
        if event.event_ns < self.event_ns:
            return "old"
        for place, value in enumerate(_SIDES_OF(event)):
            if value is UNSET:
                continue
            if value is None:
                self.sides[place] = math.nan
            elif _LOWEST[place] <= value < math.inf:
                self.sides[place] = value
            else:
                self.forget()
                return "refused"
        self.event_ns = event.event_ns
        return None

    @property
    def bid(self) -> float:
        """Best bid, quote units; NaN where unknown."""
        return self.sides[0]

    @property
    def ask(self) -> float:
        """Best ask, quote units; NaN where unknown."""
        return self.sides[2]

    def content(self) -> tuple[object, ...]:
        """Everything known, in canonical order, for hashing."""
        return (self.event_ns, self.sides)

    def restore(self, content: Any) -> None:
        """Become the quote whose :meth:`content` it was."""
        self.event_ns, self.sides = content[0], list(content[1])
