"""Counts of what the market state met."""

from __future__ import annotations

from typing import Final

from sextant.errors import InputError

NAMES: Final = (
    "unknown_instruments",
    "book_gaps",
    "book_crossed",
    "book_duplicates",
    "book_refused",
    "book_waiting",
    "book_resyncs",
    "bars_closed",
    "bars_duplicate",
    "bars_repaired",
    "bars_confirmed",
    "bars_replaced",
    "bars_late",
    "bars_too_old",
    "bars_refused",
    "bars_takers_added",
    "bars_unreconciled",
    "bars_forming",
    "bars_forming_old",
    "trades_duplicate",
    "trades_late",
    "trades_too_old",
    "trades_block",
    "trades_unknown_side",
    "trades_refused",
    "trades_after_minute",
    "quotes_old",
    "quotes_refused",
    "facts_old",
    "facts_refused",
    "liquidations_refused",
    "liquidations_after_minute",
    "options_old",
    "options_refused",
)
"""Every count besides the events by type.

``bars_confirmed`` and ``bars_replaced`` are stated bars that equal, or differ from, the bar folded before;
``bars_takers_added`` are 1m bars without taker volume that got it from the trades seen, ``bars_unreconciled``
those whose trades do not add up to the bar's volume; ``trades_after_minute`` and ``liquidations_after_minute`` came when the minute
was closed; ``book_waiting`` are changes met while a book waits for its snapshot.
"""


class Counters:
    """Counts by name, each from 0."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(NAMES, 0)

    def add(self, name: str, count: int = 1) -> None:
        """Raise a count.

        Raises
        ------
        InputError
            If no count has that name.
        """
        if name not in self._counts:
            raise InputError(f"'{name}' is not a count of the market state.")
        self._counts[name] += count

    def get(self, name: str) -> int:
        """The count of that name."""
        return self._counts[name]

    def copy(self) -> dict[str, int]:
        """All counts by name."""
        return dict(self._counts)
