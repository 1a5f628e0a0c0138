"""A book whose every change has a number, told in folded changes beside whole books on request."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from sextant.sim.books import DEEPEST, Book, Level, difference
from sextant.sim.tape import Tape

LEVELS: Final = 500
_PAST: Final = 32

Numbered = tuple[int, int, int]
"""Price in ticks, size in lots (0 is gone), and the number of the change."""


@dataclass(frozen=True, slots=True)
class Counting:
    """How changes are numbered.

    Parameters
    ----------
    first
        Number of the state before the first change.
    step
        Numbers that one change takes.
    between
        Numbers between two moves of the book that belong to other instruments.
    """

    first: int
    step: int = 1
    between: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What a listener is told at once.

    Parameters
    ----------
    before
        The last number it was told before.
    first, last
        Numbers of the first and the last change folded here.
    bids, asks
        The changed levels, each once, with its last size.
    changed_ms
        When the last change happened.
    """

    before: int
    first: int
    last: int
    bids: list[Numbered]
    asks: list[Numbered]
    changed_ms: int


@dataclass(slots=True)
class _Listener:
    """What one kind of listener was told last, and what it will be told."""

    told: int
    first: int = 0
    bids: dict[int, Numbered] = field(default_factory=dict)
    asks: dict[int, Numbered] = field(default_factory=dict)


class DiffBook:
    """The numbered book of one instrument.

    Parameters
    ----------
    tape
        The instrument as time passes.
    counting
        How changes are numbered.

    Notes
    -----
    A whole book asked for between two pushes has a number within the next one, as at the venues: the push folds changes of
    before the question and of after it. Levels state sizes, not differences, so to apply one again changes nothing.
    """

    def __init__(self, tape: Tape, counting: Counting) -> None:
        self.tape = tape
        self._counting = counting
        self._depth = LEVELS
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._listeners: dict[str, _Listener] = {}
        self._past: deque[tuple[int, list[Level], list[Level]]] = deque(maxlen=_PAST)
        self.number = counting.first
        self.changed_ms = 0

    def advance(self, now_ms: int, wanted: int = 0) -> None:
        """Let the book move to what it is now, and number what changed."""
        self._depth = min(DEEPEST, max(self._depth, wanted))
        book = self.tape.current(now_ms, self._depth)
        bids, asks = book.view(self._depth)
        if self._bids == dict(bids) and self._asks == dict(asks):
            return
        if self._bids:
            self._count(bids, asks)
        self._remember(book, bids, asks)

    def _count(self, bids: list[Level], asks: list[Level]) -> None:
        before = self.number
        number = before + self._counting.between
        for side, now, listed in (("bids", bids, self._bids), ("asks", asks, self._asks)):
            for ticks, lots in difference(listed, now):
                number += self._counting.step
                for listener in self._listeners.values():
                    getattr(listener, side)[ticks] = (ticks, lots, number)
        self.number = number
        for listener in self._listeners.values():
            if not listener.first:
                listener.first = before + self._counting.between + 1

    def _remember(self, book: Book, bids: list[Level], asks: list[Level]) -> None:
        self._bids, self._asks = dict(bids), dict(asks)
        self.changed_ms = book.changed_ms
        self._past.append((self.number, bids, asks))

    def listen(self, kind: str, now_ms: int) -> None:
        """Begin to gather changes for listeners of a kind; what has happened is not told any more."""
        self.advance(now_ms)
        self._listeners[kind] = _Listener(self.number)

    def take(self, kind: str) -> Change | None:
        """What has changed since listeners of a kind were told last; None if nothing."""
        listener = self._listeners[kind]
        if not listener.bids and not listener.asks:
            return None
        change = Change(
            listener.told,
            listener.first,
            self.number,
            sorted(listener.bids.values(), reverse=True),
            sorted(listener.asks.values()),
            self.changed_ms,
        )
        self._listeners[kind] = _Listener(self.number)
        return change

    def restart(self, number: int) -> None:
        """Number the present state anew, as a service does after a restart; what was gathered is forgotten."""
        self.number = number
        self._listeners = {kind: _Listener(number) for kind in self._listeners}
        self._past.append((number, list(self._bids.items()), list(self._asks.items())))

    def top(self, depth: int) -> tuple[list[Level], list[Level]]:
        """The best levels as of ``number``, best first."""
        _, bids, asks = self._past[-1]
        return bids[:depth], asks[:depth]

    def at(self, number: int) -> tuple[list[Level], list[Level]] | None:
        """All levels as of a number, best first, where the book has lately stood at it; else None."""
        return next(((bids, asks) for known, bids, asks in self._past if known == number), None)
