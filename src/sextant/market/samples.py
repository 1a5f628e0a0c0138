"""What a book looks like once a second and how its best levels move, averaged over each minute."""

from __future__ import annotations

import math
from typing import Any, Final

from sextant.market import sampling, withdrawing
from sextant.market.books import Book
from sextant.market.sample_cells import (
    CLOSE,
    CLOSE_STEP,
    DEEP,
    DEPTH,
    EARLY,
    FOLLOWED,
    HELD,
    LAST,
    LEAST_LEVELS,
    LOST,
    LOST_STEP,
    MINUTE,
    MOVED,
    NEAR,
    NEXT,
    NEXT_NS,
    SAMPLES_CELLS,
    STATES,
    TOP_LEVELS,
    TOPS,
    TRADED,
    TRADED_LEVELS,
    TRADED_STEP,
    WITHDRAWN,
)
from sextant.market.sampling import SECONDS
from sextant.model.cells import Cells
from sextant.model.times import MINUTE_NS, SECOND_NS

LONG_SILENCE_S: Final = 3_600
"""After so long without a message nothing is asked of the time between."""

_UNKNOWN: Final = math.nan
NO_SAMPLES: Final = (_UNKNOWN,) * 15


class Samples:
    """Samples of one instrument's book, and the flow of its best levels.

    Parameters
    ----------
    book
        The book; read before each message that changes it.

    Notes
    -----
    The sample of a second is the book as it stood when the second began, so that a minute has sixty and each was known then.
    The sums over many levels are read every ten seconds, what withdrew among the ten best levels.
    Order flow is followed from sample to sample: what came and went within a second is not in it.
    """

    __slots__ = ("_book", "_done", "cells")

    def __init__(self, book: Book) -> None:
        self._book = book
        self._done: dict[int, tuple[float, ...]] = {}
        self.cells = Cells(SAMPLES_CELLS)
        self.cells.ints[MINUTE] = -1

    @property
    def next_ns(self) -> int:
        """Time of the next second to be sampled; 0 before the first message."""
        return self.cells.ints[NEXT_NS]

    def before(self, event_ns: int) -> None:
        """Take the samples of the seconds that began by then, before a message of that time is applied."""
        ints = self.cells.ints
        if event_ns < ints[NEXT_NS]:
            return
        upto = event_ns // SECOND_NS
        ints[NEXT_NS] = (upto + 1) * SECOND_NS
        if ints[MINUTE] < 0:
            ints[MINUTE] = event_ns // MINUTE_NS
            ints[NEXT] = upto + 1
            return
        if upto - ints[NEXT] > LONG_SILENCE_S:
            ints[NEXT] = upto
        book, valid = self._book.cells.at, int(self._book.valid)
        while ints[NEXT] <= upto:
            minute = ints[NEXT] // SECONDS
            if minute != ints[MINUTE]:
                self._roll(minute)
            sampling.sample_upto(self.cells.at, book, min(upto, minute * SECONDS + SECONDS - 1), valid)

    def begin(self) -> None:
        """Begin anew with a book that was told whole: the one before it says nothing of what happened between."""
        sampling.begin(self.cells.at)

    def trade(self, price: float, size: float, sign: int) -> None:
        """Note what a trade took from the level at its price."""
        if self.cells.ints[HELD] and sign:
            ticks = round(price / self._book.sides[0].tick)
            side, key = (1, -ticks) if sign > 0 else (0, ticks)
            withdrawing.note_trade(self.cells.at, side, key, size)

    def minute(self, minute: int) -> tuple[float, ...]:
        """The means of a minute that is over and how old its last sample was at the end, NaN without samples; forgets it.

        Returns
        -------
        tuple
            Samples, age in seconds, nine means, flow of the touch and of five levels, withdrawn bids and asks.
        """
        if self.cells.ints[MINUTE] >= 0:
            self.before((minute + 1) * MINUTE_NS - 1)
            if self.cells.ints[MINUTE] == minute:
                self._roll(minute + 1)
        for old in [at for at in self._done if at < minute]:
            del self._done[old]
        return self._done.pop(minute, NO_SAMPLES)

    def content(self) -> tuple[object, ...]:
        """Everything the samples will act on, for hashing."""
        ints = self.cells.ints
        lists = [
            [
                ints[1 + first : 1 + first + ints[at]].tobytes()
                for first in range(at, at + columns * room, room)
            ]
            for at, room, columns in _LISTS
        ]
        tops = ints[TOPS:CLOSE].tobytes() if ints[FOLLOWED] else b""
        return (ints[:TOPS].tobytes(), tops, lists, list(self._done.items()))

    def restore(self, content: Any) -> None:
        """Become the samples whose :meth:`content` it was."""
        head, tops, lists, done = content
        put = self.cells.put_bytes
        put(0, head)
        put(TOPS, tops)
        for (at, room, _), columns in zip(_LISTS, lists, strict=True):
            self.cells.ints[at] = len(columns[0]) // 8
            for place, column in enumerate(columns):
                put(1 + at + place * room, column)
        self._done = {minute: tuple(values) for minute, values in done}

    def _roll(self, minute: int) -> None:
        """Keep the means of the minute that is over and begin another."""
        ints, reals = self.cells.ints, self.cells.reals
        n = reals[DEEP - 1]
        if n:
            known = reals[WITHDRAWN + 2] > 0
            gone = [reals[WITHDRAWN + side] if known else _UNKNOWN for side in (0, 1)]
            age = (ints[MINUTE] + 1) * SECONDS - ints[LAST]
            spread, touch, top, micro = _means(reals[NEAR:DEEP])
            depth, *whole = _means(reals[DEEP:WITHDRAWN])
            shape = (spread, touch, top, depth, micro, *whole)
            self._done[ints[MINUTE]] = (n, float(age), *shape, *self._flow(), *gone)
        elif self._book.event_ns:
            self._done[ints[MINUTE]] = (0.0, *NO_SAMPLES[1:])
        ints[MINUTE] = minute
        self.cells.put_reals(NEAR, [0.0] * (MOVED - NEAR))
        sampling.restart_flow(self.cells.at)

    def _flow(self) -> tuple[float, float]:
        """Order flow over mean depth of the touch, and the mean over the five levels; NaN where nothing was followed."""
        states, reals = self.cells.ints[STATES], self.cells.reals
        if not states:
            return _UNKNOWN, _UNKNOWN
        ratios = [reals[MOVED + level] / (reals[DEPTH + level] / states) for level in range(TOP_LEVELS)]
        return ratios[0], sum(ratios) / TOP_LEVELS


def _means(sums: memoryview[float]) -> list[float]:
    *values, count = sums.tolist()
    return [value / count if count else _UNKNOWN for value in values]


_LISTS: Final = (
    *((CLOSE + side * CLOSE_STEP, LEAST_LEVELS, 2) for side in (0, 1)),
    *((LOST + side * LOST_STEP, LEAST_LEVELS, 4) for side in (0, 1)),
    *((TRADED + side * TRADED_STEP, TRADED_LEVELS, 2) for side in (0, 1)),
    *((EARLY + side * CLOSE_STEP, LEAST_LEVELS, 2) for side in (0, 1)),
)
"""First cell, room and number of columns of each list; its first cell is the count."""
