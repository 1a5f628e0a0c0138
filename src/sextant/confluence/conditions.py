"""What is wrong with the data of an instrument, as states that open and close once, each with its effect on the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.view import Flags

ConditionKind = Literal[
    "oi_history_short",
    "liquidation_feed_down",
    "liquidation_quiet",
    "levels_none",
    "trades_short",
    "trades_unreconciled",
    "book_shallow",
    "book_gap",
    "window_short_1440",
    "bars_short",
    "bars_hole",
    "stream_stale",
    "venue_dispute",
    "not_applicable",
    "slow_calculation",
    "part_failed",
    "mixed_signals",
    "coverage_low",
]
Word = Literal["opened", "closed"]

OPEN_AFTER: Final = 2
CLOSE_AFTER: Final = 3

EFFECTS: Final[Mapping[ConditionKind, str]] = {
    "oi_history_short": "orderflow.open_interest is absent",
    "liquidation_feed_down": "sentiment.liquidations fades, then is absent",
    "liquidation_quiet": "none: a measured 0",
    "levels_none": "none: a measured 0",
    "trades_short": "the quality of this sub-score falls",
    "trades_unreconciled": "the quality of what uses trades falls",
    "book_shallow": "what uses the book fades, then is absent",
    "book_gap": "what uses the book fades until the book is whole again",
    "window_short_1440": "volume.adl and volume.obv are absent, then weak",
    "bars_short": "the quality of what is read on this interval falls",
    "bars_hole": "what is read on minutes begins anew after the hole",
    "stream_stale": "the quality of what uses the stream falls",
    "venue_dispute": "the quality of everything falls",
    "not_applicable": "this sub-score counts as not covered",
    "slow_calculation": "none on the score; far beyond its budget the part is left out for a minute",
    "part_failed": "what is computed from this part is absent",
    "mixed_signals": "none beyond the consensus",
    "coverage_low": "the score shrinks towards neutral",
}
"""What a condition does to the score."""

UNLOGGED: Final[frozenset[ConditionKind]] = frozenset({"liquidation_quiet", "levels_none", "not_applicable"})
"""States that are told beside a score and make no event: nothing is wrong."""


@dataclass(frozen=True, eq=False)
class Gauge:
    """One reading of a condition for all instruments.

    Parameters
    ----------
    subject
        What it is about beside the instrument: a stream or a sub-score; empty where there is only one.
    have
        What was read, (S,); NaN where nothing can be said, which neither opens nor closes.
    opens, closes
        Whether it was seen, and whether it is over, (S,).
    need
        The line where it opens.
    """

    kind: ConditionKind
    subject: str
    have: Floats
    opens: Flags
    closes: Flags
    need: float


@dataclass(frozen=True)
class Condition:
    """Something that is wrong with an instrument, or was.

    Parameters
    ----------
    since_ns, until_ns
        When it was first seen; when it ended, None while it holds.
    count, last_ns
        How often it was seen, and when last.
    have, need
        What was read last, and the line.
    """

    kind: ConditionKind
    subject: str
    since_ns: int
    until_ns: int | None
    count: int
    last_ns: int
    have: float | None
    need: float

    @property
    def effect(self) -> str:
        """What it does to the score."""
        return EFFECTS[self.kind]


@dataclass(frozen=True)
class Turn:
    """A condition of the instrument in a column opened or closed: one event each."""

    word: Word
    column: int
    condition: Condition


class Track:
    """One kind and subject over all instruments; arrays are (S,)."""

    def __init__(self, gauge: Gauge) -> None:
        size = len(gauge.have)
        self.gauge = gauge
        self.count: Integers = np.zeros(size, dtype=np.int64)
        self.clear: Integers = np.zeros(size, dtype=np.int64)
        self.is_open: Flags = np.zeros(size, dtype=np.bool_)
        self.since_ns: Integers = np.zeros(size, dtype=np.int64)
        self.last_ns: Integers = np.zeros(size, dtype=np.int64)

    def move(self, before: Integers) -> None:
        """Become the track of other columns; ``before`` is where each was, -1 for one that was nowhere, (S,)."""
        known = before >= 0
        at = np.where(known, before, 0)
        for name in ("count", "clear", "since_ns", "last_ns"):
            setattr(self, name, np.where(known, getattr(self, name)[at], 0))
        self.is_open = self.is_open[at] & known
        have = np.where(known, self.gauge.have[at], np.nan)
        self.gauge = replace(self.gauge, have=have, opens=self.gauge.opens[at], closes=self.gauge.closes[at])

    def take(self, gauge: Gauge, now_ns: int) -> list[Turn]:
        """What a reading changed."""
        self.gauge = gauge
        opens, closes = gauge.opens, gauge.closes & ~gauge.opens
        first = opens & (self.count == 0)
        self.since_ns = np.where(first, now_ns, self.since_ns)
        self.last_ns = np.where(opens, now_ns, self.last_ns)
        # One reading alone is noise: what is not seen again at once was never there.
        self.count = np.where(opens, self.count + 1, np.where(self.is_open, self.count, 0))
        self.clear = np.where(closes, self.clear + 1, 0)
        opened = ~self.is_open & (self.count >= OPEN_AFTER)
        closed = self.is_open & (self.clear >= CLOSE_AFTER)
        turns = [Turn("opened", int(at), self.condition(int(at))) for at in np.flatnonzero(opened)]
        turns += [Turn("closed", int(at), self.condition(int(at), now_ns)) for at in np.flatnonzero(closed)]
        self.is_open = (self.is_open | opened) & ~closed
        self.count = np.where(closed, 0, self.count)
        return turns

    def condition(self, column: int, until_ns: int | None = None) -> Condition:
        """The condition of an instrument."""
        have = float(self.gauge.have[column])
        return Condition(
            kind=self.gauge.kind,
            subject=self.gauge.subject,
            since_ns=int(self.since_ns[column]),
            until_ns=until_ns,
            count=int(self.count[column]),
            last_ns=int(self.last_ns[column]),
            have=None if np.isnan(have) else have,
            need=self.gauge.need,
        )


class ConditionBook:
    """Every condition of a run, with the readings in a row that would change it.

    Notes
    -----
    One opens after two readings and closes after three; a reading between its two lines does neither. No clock is read.
    """

    def __init__(self) -> None:
        self._tracks: dict[tuple[str, str], Track] = {}

    def update(self, gauges: Sequence[Gauge], now_ns: int) -> tuple[Turn, ...]:
        """What opened or closed with these readings, in the order of gauges and columns."""
        turns: list[Turn] = []
        for gauge in gauges:
            key = (gauge.kind, gauge.subject)
            track = self._tracks.get(key)
            if track is None:
                track = self._tracks[key] = Track(gauge)
            turns += track.take(gauge, now_ns)
        return tuple(turns)

    def move(self, before: Integers) -> None:
        """Go on with other columns; ``before`` is where each was, -1 for one that was nowhere, (S,)."""
        for track in self._tracks.values():
            track.move(before)

    def held(self) -> OpenConditions:
        """The conditions as they are now; later readings do not change what was handed out."""
        return OpenConditions(tuple(copy(track) for _, track in sorted(self._tracks.items())))


class OpenConditions:
    """The open conditions of one evaluation."""

    def __init__(self, tracks: tuple[Track, ...] = ()) -> None:
        self._tracks = tracks

    def of(self, column: int) -> tuple[Condition, ...]:
        """Those of an instrument, by kind and subject."""
        return tuple(track.condition(column) for track in self._tracks if track.is_open[column])

    def counts(self) -> dict[ConditionKind, int]:
        """Of how many instruments each kind holds; a kind that holds of none is left out."""
        held: dict[ConditionKind, Flags] = {}
        for track in self._tracks:
            kind = track.gauge.kind
            held[kind] = track.is_open | held[kind] if kind in held else track.is_open
        return {kind: int(flags.sum()) for kind, flags in held.items() if flags.any()}
