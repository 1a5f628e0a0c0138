"""What every condition is read from: one reading of each kind and subject for all instruments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sextant.confluence.catalog import Voice, voices
from sextant.confluence.conditions import ConditionKind, Gauge
from sextant.confluence.contract import ALL, Reason, Stream
from sextant.confluence.levels import LEVELS
from sextant.confluence.nodes import Column, Frame, Node, Rolled, mapped
from sextant.confluence.passport import STREAMS
from sextant.confluence.score import Folded
from sextant.model.bar import Floats
from sextant.model.view import Books, Flags

DISPUTE_BPS: Final = (15.0, 10.0)
UNRECONCILED: Final = (0.005, 0.003)
MIXED: Final = (0.15, 0.10)
COVERAGE: Final = (0.60, 0.65)
BOOK_LEVELS: Final = 10
"""Levels a side below which a book is shallow."""
HOLE_ROWS: Final = 60
QUIET_ROWS: Final = 60
GAP: Final = "gap"
"""Why a book is not believed that lost a message and waits for a whole one."""
DISBELIEVED: Final = frozenset({"crossed", "one_sided", "empty"})
"""Why a book is not believed although every message of it came."""

_COUNTED: Final[Mapping[Reason, ConditionKind]] = {"FEW_TRADES": "trades_short"}
_DAY_ROWS: Final = 1440


def _either(long: Floats, short: Floats) -> Floats:
    """1 for a minute in which positions were closed by force, 0 for a quiet one, unknown while nobody told."""
    return np.where(np.isnan(long) | np.isnan(short), np.nan, np.where(long + short > 0, 1.0, 0.0))


def _present(close: Floats) -> Floats:
    return np.where(np.isnan(close), np.nan, 1.0)


_CLOSE: Final = Column("close")
EVENT_MINUTES: Final = Rolled("sum", mapped(_either, Column("root_long"), Column("root_short")), QUIET_ROWS)
BARS_PRESENT: Final = Rolled("recent", mapped(_present, _CLOSE), HOLE_ROWS)
BARS_EXPECTED: Final = Rolled("age", _CLOSE)
GAUGED: Final[Mapping[Frame, tuple[Node, ...]]] = {"1m": (EVENT_MINUTES, BARS_PRESENT, BARS_EXPECTED)}
"""By frame what is computed for conditions alone."""


@dataclass(frozen=True, eq=False)
class BookFacts:
    """How the books are; arrays are (S,).

    Parameters
    ----------
    levels
        Levels of the side that has fewer; 0 where it is crossed or empty, NaN where that cannot be said.
    broken
        1 where a message was lost and the whole book has not come since, else 0; NaN where that cannot be said.
    """

    levels: Floats
    broken: Floats


@dataclass(frozen=True, eq=False)
class Facts:
    """What gauges are read from; arrays are (S,), those of ``values`` (1, S) or (1, 1).

    Parameters
    ----------
    values
        The newest row of every node, by frame.
    applies
        Of each voice.
    books
        None where no book is known.
    failed
        Parts that raised, with the code; of those that were clean again an empty one.
    """

    folded: Folded
    apart_bps: Floats
    ages: Mapping[Stream, Floats]
    gaps: Mapping[Stream, Floats]
    values: Mapping[Frame, Mapping[Node, Floats]]
    applies: Sequence[Flags]
    books: BookFacts | None = None
    failed: Mapping[str, str] = field(default_factory=dict)


def gauges(facts: Facts) -> list[Gauge]:
    """Every reading of an evaluation."""
    return [
        _above("mixed_signals", "", facts.folded.dissent[0], MIXED),
        _above("venue_dispute", "", facts.apart_bps, DISPUTE_BPS),
        _below("coverage_low", "", facts.folded.coverage[0], COVERAGE),
        *_of_streams(facts),
        *_of_voices(facts),
        *_of_bars(facts),
        *_of_books(facts),
        *_of_parts(facts),
    ]


def book_facts(books: Books, reasons: Sequence[str] = ()) -> BookFacts:
    """How the books of a view are.

    Parameters
    ----------
    books
        As the view shows them.
    reasons
        Why each is not believed, empty where it is; nothing where nobody says.
    """
    sides = (books.bid_size, books.ask_size)
    fewest = np.min([np.count_nonzero(~np.isnan(side), axis=1) for side in sides], axis=0)
    levels = np.where(books.event_ns > 0, np.where(books.valid, fewest, 0), np.nan)
    if not reasons:
        return BookFacts(levels, np.full(len(levels), np.nan))
    # A lost message or connection says nothing of how deep the book is.
    told = np.array([not reason or reason in DISBELIEVED for reason in reasons])
    broken = np.array([float(reason == GAP) for reason in reasons])
    seen = books.event_ns > 0
    return BookFacts(np.where(told, levels, np.nan), np.where(seen, broken, np.nan))


def _of_streams(facts: Facts) -> Iterator[Gauge]:
    size = len(facts.apart_bps)
    for stream, age in facts.ages.items():
        kind: ConditionKind = "liquidation_feed_down" if stream == "liquidations" else "stream_stale"
        full = STREAMS[stream].full_s
        yield _above(kind, stream, age, (full, full))
    if "trades" in facts.gaps:
        yield _above("trades_unreconciled", "trades", _row(facts.gaps["trades"], size), UNRECONCILED)
    events = facts.values.get("1m", {}).get(EVENT_MINUTES)
    if events is not None:
        yield _below("liquidation_quiet", "", _row(events, size), (1.0, 1.0))


def _of_voices(facts: Facts) -> Iterator[Gauge]:
    size = len(facts.apart_bps)
    minutes = facts.values.get("1m", {})
    for voice, applies in zip(voices(), facts.applies, strict=True):
        if not applies.all():
            never = np.zeros(size, dtype=np.bool_)
            yield Gauge("not_applicable", voice.name, np.full(size, np.nan), ~applies, never, 0.0)
        for need in voice.sub.needs:
            short = _COUNTED.get(need.reason)
            if voice.name == "orderflow.open_interest":
                short = "oi_history_short"
            if short is not None and need.count in minutes:
                have = np.where(applies, _row(minutes[need.count], size), np.nan)
                yield _below(short, voice.name, have, (need.need, need.need))
        if voice.name == "volume.adl":
            yield from _of_day(minutes, voice, size)


def _of_day(minutes: Mapping[Node, Floats], voice: Voice, size: int) -> Iterator[Gauge]:
    """A day of minutes, then the hours its reference needs."""
    if voice.sub.settled in minutes:
        yield _below(
            "window_short_1440", "", _row(minutes[voice.sub.settled], size), (voice.sub.rows, voice.sub.rows)
        )
    for need in voice.sub.needs:
        if need.count in minutes:
            hours = _row(minutes[need.count], size)
            yield _below("window_short_1440", "reference hours", hours, (need.need, need.need))


def _of_bars(facts: Facts) -> Iterator[Gauge]:
    size = len(facts.apart_bps)
    for frame in ALL:
        values = facts.values.get(frame, {})
        longest = longest_of(frame)
        if longest.sub.settled in values:
            have = _row(values[longest.sub.settled], size)
            yield _below("bars_short", frame, have, (longest.sub.rows, longest.sub.rows))
        nodes = LEVELS.get(frame, {})
        if "support" in nodes and nodes["support"] in values:
            below, above = (_row(values[nodes[name]], size) for name in ("support", "resistance"))
            known = ~(np.isnan(below) | np.isnan(above))
            count = np.isfinite(below).astype(np.float64) + np.isfinite(above)
            yield _below("levels_none", frame, np.where(known, count, np.nan), (1.0, 1.0))
    minutes = facts.values.get("1m", {})
    if BARS_PRESENT in minutes and BARS_EXPECTED in minutes:
        expected = np.minimum(_row(minutes[BARS_EXPECTED], size), float(HOLE_ROWS))
        holes = np.where(expected > 0, expected - np.nan_to_num(_row(minutes[BARS_PRESENT], size)), np.nan)
        yield _above("bars_hole", "1m", holes, (0.0, 0.0))


def longest_of(frame: Frame) -> Voice:
    """The sub-score of all intervals that needs the most rows; what needs a whole day is a condition of its own."""
    shared = [voice for voice in voices() if frame in voice.sub.intervals and voice.sub.rows < _DAY_ROWS]
    return max(shared, key=lambda voice: (len(voice.sub.intervals), voice.sub.rows))


def _of_books(facts: Facts) -> Iterator[Gauge]:
    if facts.books is not None:
        yield _below("book_shallow", "book", facts.books.levels, (BOOK_LEVELS, BOOK_LEVELS))
        yield _above("book_gap", "book", facts.books.broken, (0.0, 0.0))


def _of_parts(facts: Facts) -> Iterator[Gauge]:
    size = len(facts.apart_bps)
    for part, code in facts.failed.items():
        failed = np.full(size, bool(code))
        yield Gauge("part_failed", part, np.full(size, np.nan), failed, ~failed, 0.0)


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
