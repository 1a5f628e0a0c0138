"""Held books that are begun anew, without a pause, before the price leaves what is known of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from sextant.model.events import BookCleared, BookDelta, BookSnapshot, Event, Level
from sextant.model.instrument import Instrument
from sextant.venues.keeping import MOST_HELD, HeldBooks, follows
from sextant.venues.port import SymbolTable

NEAR_PART: Final = 0.25
"""Part of the known distance on a side that the price may go: there and back it passes half of what is known."""

LEAST_S: Final = 30.0
A_BOOK_S: Final = 1.0
"""Least seconds between two beginnings of a book, and as many more as it has neighbours: one question a second in all."""

_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Mark:
    """Prices beyond which a book is begun anew, and not before when; the last prices known, as of which number."""

    low: float
    high: float
    from_ns: int
    lowest: float
    highest: float
    sequence: int


class RenewedBooks(HeldBooks):
    """Books that begin with so many levels a side, and whose farther levels are known only once they change.

    Notes
    -----
    As the price moves, levels that were never told come near the best prices, where they are missing: a book of a
    hundred levels has a hole twenty levels deep within seconds of a strong move. So before that the beginning is
    asked for again. Until it is there all changes pass and are remembered, and those after it follow it at once.

    A price that outruns this, so that a bid stands at or above the last ask that was told or an ask at or below the
    last bid, has left all that is known: levels that were never told may be better than the best ones shown.

    Parameters
    ----------
    symbols
        As of `HeldBooks`.
    ends
        Whether a book whose price has left all that is known is cleared, and held back until its beginning is there,
        however lately it was begun. Where books begin with so many levels that those near the best prices have
        changed by then, they go on.
    """

    def __init__(self, symbols: SymbolTable, *, ends: bool = False) -> None:
        super().__init__(symbols)
        self._ends = ends
        self._marks: dict[Instrument, _Mark] = {}
        self._since: dict[Instrument, deque[BookDelta]] = {}

    def take(self, data: bytes, events: list[Event], receive_ns: int) -> list[Event]:
        """The events without the changes that must wait; the end of a book in place of the change that left it."""
        return self._watched(super().take(data, events, receive_ns))

    def begin(self, snapshot: BookSnapshot) -> list[Event]:
        """The book and the changes since; none when the changes begin after it, or it is no news."""
        instrument = snapshot.instrument
        since = self._since.pop(instrument, None)
        found = super().begin(snapshot) if since is None else self._renewed(snapshot, since)
        if not found:
            return found
        self._mark(snapshot)
        return self._watched(found)

    def _watched(self, found: list[Event]) -> list[Event]:
        """The events up to where a price has left what is known of its book; the changes from there on wait."""
        left: set[Instrument] = set()
        kept: list[Event] = []
        for event in found:
            if type(event) is not BookDelta:
                kept.append(event)
            elif event.instrument in left:
                self._hold(event)
            elif self._leaves(event):
                left.add(event.instrument)
                self.lose(event.instrument)
                self._hold(event)
                kept.append(BookCleared(event.instrument, event.event_ns, event.receive_ns, "outrun"))
            else:
                self._follow(event)
                kept.append(event)
        return kept

    def _leaves(self, change: BookDelta) -> bool:
        mark = self._marks.get(change.instrument)
        if not self._ends or mark is None or change.sequence <= mark.sequence:
            return False
        bids, asks = change.bids, change.asks
        return any(size > 0.0 and price >= mark.highest for price, size in bids) or any(
            size > 0.0 and price <= mark.lowest for price, size in asks
        )

    def _renewed(self, snapshot: BookSnapshot, since: deque[BookDelta]) -> list[Event]:
        instrument = snapshot.instrument
        later = [change for change in since if change.sequence > snapshot.sequence]
        if later and not follows(later[0], snapshot):
            self._since[instrument] = since  # older than all that is remembered
            return []
        if not later:
            self._last[instrument] = snapshot.sequence
            self._fresh.add(instrument)
        return [self._even(snapshot), *(self._shown(change) for change in later)]

    def _follow(self, change: BookDelta) -> None:
        instrument = change.instrument
        if instrument not in self._last:
            return
        since = self._since.get(instrument)
        if since is not None:
            since.append(change)
            if len(since) >= MOST_HELD:
                del self._since[instrument]
            return
        mark = self._marks.get(instrument)
        if mark is None or change.receive_ns < mark.from_ns:
            return
        if _beyond(change.bids, mark.high, 1.0) or _beyond(change.asks, -mark.low, -1.0):
            self._since[instrument] = deque((change,))
            self._wanted[instrument] = None

    def _mark(self, snapshot: BookSnapshot) -> None:
        if not snapshot.bids or not snapshot.asks:
            self._marks.pop(snapshot.instrument, None)
            return
        bids, asks = ([price for price, _ in side] for side in (snapshot.bids, snapshot.asks))
        middle = (max(bids) + min(asks)) / 2
        wait_s = max(LEAST_S, A_BOOK_S * len(self._last))
        self._marks[snapshot.instrument] = _Mark(
            low=middle - NEAR_PART * (middle - min(bids)),
            high=middle + NEAR_PART * (max(asks) - middle),
            from_ns=snapshot.receive_ns + int(wait_s * _SECOND_NS),
            lowest=min(bids),
            highest=max(asks),
            sequence=snapshot.sequence,
        )

    def _hold_back(self, instrument: Instrument) -> None:
        super()._hold_back(instrument)
        self._since.pop(instrument, None)
        self._marks.pop(instrument, None)


def _beyond(levels: list[Level], limit: float, sign: float) -> bool:
    """Whether a level is now there above the limit, or, mirrored by the sign, below it."""
    return any(size > 0.0 and sign * price > limit for price, size in levels)
