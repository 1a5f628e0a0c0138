"""What is wrong with the data of an instrument, as states that open and close once, each with its effect on the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from sextant.confluence.catalog import voices
from sextant.confluence.contract import Reason, Stream
from sextant.confluence.nodes import Node
from sextant.confluence.passport import STREAMS
from sextant.confluence.score import Folded
from sextant.model.bar import Floats, Integers
from sextant.model.view import Flags

ConditionKind = Literal[
    "oi_history_short",
    "liquidation_feed_down",
    "trades_short",
    "trades_unreconciled",
    "book_shallow",
    "window_short_1440",
    "stream_stale",
    "venue_dispute",
    "mixed_signals",
    "coverage_low",
]
Word = Literal["opened", "closed"]

OPEN_AFTER: Final = 2
CLOSE_AFTER: Final = 3

EFFECTS: Final[Mapping[ConditionKind, str]] = {
    "oi_history_short": "orderflow.open_interest is absent",
    "liquidation_feed_down": "sentiment.liquidations fades, then is absent",
    "trades_short": "the quality of this sub-score falls",
    "trades_unreconciled": "the quality of what uses trades falls",
    "book_shallow": "what uses the book fades, then is absent",
    "window_short_1440": "volume.adl and volume.obv are absent",
    "stream_stale": "the quality of what uses the stream falls",
    "venue_dispute": "the quality of everything falls",
    "mixed_signals": "none beyond the consensus",
    "coverage_low": "the score shrinks towards neutral",
}
"""What a condition does to the score."""

_DISPUTE_BPS: Final = (15.0, 10.0)
_UNRECONCILED: Final = (0.005, 0.003)
_MIXED: Final = (0.15, 0.10)
_COVERAGE: Final = (0.60, 0.65)
_COUNTED: Final[Mapping[Reason, ConditionKind]] = {"FEW_TRADES": "trades_short"}


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


@dataclass(frozen=True, eq=False)
class Facts:
    """What gauges are read from; arrays are (S,), those of ``values`` (1, S) or (1, 1).

    Parameters
    ----------
    values
        The newest 1m row of every node.
    applies
        Of each voice.
    """

    folded: Folded
    apart_bps: Floats
    ages: Mapping[Stream, Floats]
    gaps: Mapping[Stream, Floats]
    values: Mapping[Node, Floats]
    applies: Sequence[Flags]


def gauges(facts: Facts) -> list[Gauge]:
    """Every reading of an evaluation."""
    size = len(facts.apart_bps)
    found = [
        _above("mixed_signals", "", facts.folded.dissent[0], _MIXED),
        _above("venue_dispute", "", facts.apart_bps, _DISPUTE_BPS),
        _below("coverage_low", "", facts.folded.coverage[0], _COVERAGE),
    ]
    for stream, age in facts.ages.items():
        kind: ConditionKind = "liquidation_feed_down" if stream == "liquidations" else "stream_stale"
        full = STREAMS[stream].full_s
        found.append(_above(kind, stream, age, (full, full)))
    if "trades" in facts.gaps:
        found.append(_above("trades_unreconciled", "trades", _row(facts.gaps["trades"], size), _UNRECONCILED))
    for voice, applies in zip(voices(), facts.applies, strict=True):
        for need in voice.sub.needs:
            short = _COUNTED.get(need.reason)
            if voice.name == "orderflow.open_interest":
                short = "oi_history_short"
            elif voice.name == "orderbook.touch_imbalance":
                short = "book_shallow"
            if short is not None and need.count in facts.values:
                have = np.where(applies, _row(facts.values[need.count], size), np.nan)
                found.append(_below(short, voice.name, have, (need.need, need.need)))
        if voice.name == "volume.adl" and voice.sub.settled in facts.values:
            have = np.where(applies, _row(facts.values[voice.sub.settled], size), np.nan)
            rows = float(voice.sub.rows)
            found.append(_below("window_short_1440", "", have, (rows, rows)))
    return found


def _row(x: Floats, size: int) -> Floats:
    out: Floats = np.broadcast_to(x[-1:], (1, size))[0]
    return out


def _above(kind: ConditionKind, subject: str, have: Floats, lines: tuple[float, float]) -> Gauge:
    """Opens above the first line, closes below the second, or at it where they are one."""
    with np.errstate(invalid="ignore"):
        closes = have <= lines[1] if lines[0] == lines[1] else have < lines[1]
        return Gauge(kind, subject, have, have > lines[0], closes, lines[0])


def _below(kind: ConditionKind, subject: str, have: Floats, lines: tuple[float, float]) -> Gauge:
    """Opens below the first line, closes from the second on."""
    with np.errstate(invalid="ignore"):
        return Gauge(kind, subject, have, have < lines[0], have >= lines[1], lines[0])
