"""The latest facts of all instruments as arrays, refreshed only where something changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sextant.market.desk import Desk
from sextant.model.bar import Floats, Integers
from sextant.model.view import Books, Derivatives, Quotes

BOOK_LEVELS: Final = 50
"""Levels per side that a view shows."""

_FACTS: Final = (
    "turnover_24h",
    "mark",
    "index",
    "funding_rate",
    "open_interest",
    "long_share",
)


class Board:
    """Arrays with one entry per instrument in canonical order.

    Parameters
    ----------
    desks
        The instruments, in the order of the columns.
    """

    def __init__(self, desks: Sequence[Desk]) -> None:
        size = len(desks)
        self._desks = tuple(desks)
        self._quotes: Floats = np.full((4, size), np.nan)
        self._quote_ns: Integers = np.zeros(size, dtype=np.int64)
        self._quote_known_ns: Integers = np.zeros(size, dtype=np.int64)
        self._levels: Floats = np.full((4, size, BOOK_LEVELS), np.nan)
        self._valid: NDArray[np.bool_] = np.zeros(size, dtype=np.bool_)
        self._book_ns: Integers = np.zeros(size, dtype=np.int64)
        self._book_known_ns: Integers = np.zeros(size, dtype=np.int64)
        self._facts: Floats = np.full((len(_FACTS), size), np.nan)
        self._last: Floats = np.full(size, np.nan)
        self._funding_interval_s: Floats = np.full(size, np.nan)
        self._next_funding_ns: Integers = np.zeros(size, dtype=np.int64)
        self._facts_ns: Integers = np.zeros(size, dtype=np.int64)
        self._facts_known_ns: Integers = np.zeros(size, dtype=np.int64)
        for desk in desks:
            desk.changed = True

    def refresh(self) -> None:
        """Read again what changed since the last time."""
        for column, desk in enumerate(self._desks):
            if desk.changed:
                self._read_book(column, desk)
                self._read_quote(column, desk)
                self._read_facts(column, desk)
                desk.changed = False

    def quotes(self, as_of_ns: int) -> Quotes:
        """Best prices, unknown where they became known only after ``as_of_ns``."""
        values, times = self._quotes.copy(), self._quote_ns.copy()
        later = self._quote_known_ns > as_of_ns
        values[:, later], times[later] = np.nan, 0
        return Quotes(*_read_only(*values), *_read_only(times))

    def books(self, as_of_ns: int) -> Books:
        """Books, not valid where they became known only after ``as_of_ns``."""
        levels, valid, times = self._levels.copy(), self._valid.copy(), self._book_ns.copy()
        later = self._book_known_ns > as_of_ns
        levels[:, later], valid[later], times[later] = np.nan, False, 0
        return Books(*_read_only(*levels), *_read_only(valid), *_read_only(times))

    def derivatives(self, as_of_ns: int) -> Derivatives:
        """Facts, unknown where they became known only after ``as_of_ns``."""
        values = np.vstack((self._facts, self._last, self._funding_interval_s))
        times = np.vstack((self._next_funding_ns, self._facts_ns))
        later = self._facts_known_ns > as_of_ns
        values[:, later], times[:, later] = np.nan, 0
        floats, integers = _read_only(*values), _read_only(*times)
        named = dict(zip((*_FACTS, "last", "funding_interval_s"), floats, strict=True))
        return Derivatives(**named, next_funding_ns=integers[0], event_ns=integers[1])

    def _read_book(self, column: int, desk: Desk) -> None:
        book = desk.book
        self._book_ns[column] = book.event_ns
        self._book_known_ns[column] = desk.pulses["book"].receive_ns
        self._valid[column] = book.valid
        self._levels[:, column] = np.nan
        if book.valid:
            for side, levels in enumerate(one.best(BOOK_LEVELS) for one in book.sides):
                self._levels[2 * side : 2 * side + 2, column, : len(levels)] = np.array(levels).T

    def _read_quote(self, column: int, desk: Desk) -> None:
        """The newer of the book's best prices and those stated outside it; crossed ones are held back."""
        quote, book = desk.quote, desk.book
        if book.valid and book.event_ns >= quote.event_ns:
            self._quotes[:, column] = self._levels[:, column, 0][[0, 2, 1, 3]]
            self._quote_ns[column] = book.event_ns
            self._quote_known_ns[column] = desk.pulses["book"].receive_ns
            return
        bid, bid_size, ask, ask_size = quote.sides
        self._quotes[:, column] = math.nan if bid >= ask else (bid, ask, bid_size, ask_size)
        self._quote_ns[column] = quote.event_ns
        self._quote_known_ns[column] = desk.pulses["quote"].receive_ns

    def _read_facts(self, column: int, desk: Desk) -> None:
        facts, traded = desk.facts, desk.flow.last()
        self._facts[:, column] = [facts.value(name) for name in _FACTS]
        last, last_ns = facts.value("last"), facts.time_ns("last")
        known_ns = desk.pulses["derivatives"].receive_ns
        if traded is not None and traded[1] >= last_ns:
            last, last_ns = traded
            known_ns = max(known_ns, desk.pulses["trades"].receive_ns)
        self._last[column] = last
        interval_s = facts.value("funding_interval_s")
        if not facts.time_ns("funding_interval_s") and desk.spec.funding_interval_s is not None:
            interval_s = desk.spec.funding_interval_s
        self._funding_interval_s[column] = interval_s
        next_ns = facts.value("next_funding_ns")
        self._next_funding_ns[column] = 0 if math.isnan(next_ns) else int(next_ns)
        self._facts_ns[column] = max(facts.event_ns, last_ns)
        self._facts_known_ns[column] = known_ns


def _read_only(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    for array in arrays:
        array.flags.writeable = False
    return arrays
