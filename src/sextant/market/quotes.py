"""Best bid and ask as the venues state them outside the book."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import Any, Final

from msgspec import UNSET

from sextant.model.cells import Cells, IntCell, compiled, ints_at, reals_at
from sextant.model.event_block import SIDES
from sextant.model.events import QuoteUpdate

_SIDES_OF: Final = attrgetter("bid", "bid_size", "ask", "ask_size")
_SMALLEST: Final = 5e-324  # above zero: a zero price is how some venues say that there is none
_LOWEST: Final = (_SMALLEST, 0.0, _SMALLEST, 0.0)


QUOTED_NS: Final = 0
QUOTED: Final = 1
QUOTE_CELLS: Final = QUOTED + SIDES


class Quote:
    """Best bid and ask of one instrument as its venue states them outside the book."""

    __slots__ = ("cells",)

    event_ns = IntCell(QUOTED_NS)

    def __init__(self) -> None:
        self.cells = Cells(QUOTE_CELLS)
        self.forget()

    def forget(self) -> None:
        """Know nothing: the connection that carried it is gone."""
        self.cells.put_reals(QUOTED, [math.nan] * SIDES)
        self.event_ns = 0

    @property
    def sides(self) -> list[float]:
        """Bid, its size, ask and its size; NaN where unknown."""
        return list(self.cells.reals[QUOTED:QUOTE_CELLS])

    def take(self, event: QuoteUpdate) -> str | None:
        """``old`` or ``refused`` when an update was not taken; a refused one forgets what was known."""
        if event.event_ns < self.event_ns:
            return "old"
        for place, value in enumerate(_SIDES_OF(event)):
            if value is UNSET:
                continue
            if value is None:
                self.cells.reals[QUOTED + place] = math.nan
            elif _LOWEST[place] <= value < math.inf:
                self.cells.reals[QUOTED + place] = value
            else:
                self.forget()
                return "refused"
        self.event_ns = event.event_ns
        return None

    @property
    def bid(self) -> float:
        """Best bid, quote units; NaN where unknown."""
        return self.cells.reals[QUOTED]

    @property
    def ask(self) -> float:
        """Best ask, quote units; NaN where unknown."""
        return self.cells.reals[QUOTED + 2]

    def content(self) -> tuple[object, ...]:
        """Everything known, in canonical order, for hashing."""
        return (self.event_ns, self.sides)

    def restore(self, content: Any) -> None:
        """Become the quote whose :meth:`content` it was."""
        self.event_ns = content[0]
        self.cells.put_reals(QUOTED, list(content[1]))


@compiled
def take_quote(quote: int, event_ns: int, body: int, told: int, missing: int) -> None:
    """Take those of the four fields that are told; the missing ones of them do not apply."""
    reals, values = reals_at(quote), reals_at(body)
    for place in range(SIDES):
        if told >> place & 1:
            reals[QUOTED + place] = math.nan if missing >> place & 1 else values[place]
    ints_at(quote)[QUOTED_NS] = event_ns
