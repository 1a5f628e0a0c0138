"""Why a voice is silent for an instrument, with what there is and what it takes."""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.confluence.catalog import Voice, voices
from sextant.confluence.contract import Need
from sextant.confluence.nodes import Column, Frame, Node, Reading, Seen, columns_of, walk
from sextant.confluence.passport import (
    GAP_ZERO,
    STREAMS,
    VENUE_ZERO_BPS,
    Absent,
    absent,
    q_age,
    soft,
)
from sextant.confluence.scorer import Evaluation
from sextant.model.bar import Floats

_SAMPLES: Final = Column("book_samples")


def why_absent(found: Evaluation, at: int, column: int) -> Absent | None:
    """Why a voice says nothing of an instrument; None where it speaks.

    Parameters
    ----------
    found
        The evaluation.
    at
        Position of the voice.
    column
        Column of the instrument.
    """
    voice = voices()[at]
    if found.now.quality[at, column] > 0:
        return None
    if not found.now.rows.applies[at][column]:
        return absent("NOT_APPLICABLE")
    frame = voice.sub.intervals[0]
    lacking = missing_columns(found, voice.sub.signal, frame)
    if lacking:
        return absent("UNSUPPORTED", of=", ".join(lacking))
    if found.now.rows.intervals[at][0, column] > 0:
        return _of_streams(found, voice, column)
    return _of_rows(found, voice, frame, column) or _of_streams(found, voice, column)


def missing_columns(found: Evaluation, node: Node, frame: Frame) -> tuple[str, ...]:
    """Columns a node needs and no feed gives, sorted."""
    lacking = set(columns_of(node) - found.given.get(frame, frozenset()) - {"grid_late_s"})
    for part in walk(node):
        if isinstance(part, Seen):
            lacking |= set(missing_columns(found, part.of, part.frame))
    return tuple(sorted(lacking))


def last_of(found: Evaluation, frame: Frame, node: Node, column: int) -> float | None:
    """The newest value of a node for an instrument; None where it has none."""
    value = found.values.get(frame, {}).get(node)
    number = float("nan") if value is None else float(value[0, column])
    return None if np.isnan(number) else number


def _of_rows(found: Evaluation, voice: Voice, frame: Frame, column: int) -> Absent | None:
    """What the rows of the first frame lack."""
    for stream in voice.sub.streams:
        age = found.now.rows.ages.get(stream)
        if age is not None and np.isnan(cell(age, column)):
            return absent("FEED_DOWN")
    have = last_of(found, frame, voice.sub.settled, column) or 0.0
    if have == 0:
        return _of_newest(found, voice, frame, column)
    if have < voice.sub.rows:
        return absent("WARMING", have, voice.sub.rows)
    for need in voice.sub.needs:
        short = _short(found, need, frame, column)
        if short is not None:
            return short
    if last_of(found, frame, voice.sub.signal, column) is not None:
        return None
    seen = any(isinstance(part, Seen) for part in walk(voice.sub.signal))
    return absent("WARMING") if seen else _failed(found, voice)


def _of_newest(found: Evaluation, voice: Voice, frame: Frame, column: int) -> Absent:
    """Why the newest row has not what a voice reads: no bar, a book that was not seen whole or ends too soon, or too few rows."""
    if last_of(found, frame, Column("close"), column) is None:
        return absent("HOLE")
    if voice.sub.streams == ("book",):
        samples = last_of(found, frame, _SAMPLES, column) or 0.0
        return absent("SHALLOW_BOOK") if samples > 0 else absent("FEW_SAMPLES", samples, 1.0)
    return absent("WARMING", 0.0, voice.sub.rows)


def _failed(found: Evaluation, voice: Voice) -> Absent:
    """Which part of a voice raised, where one did."""
    parts = {part.indicator for part in walk(voice.sub.signal) if isinstance(part, Reading)}
    for name, code in sorted(found.failed.items()):
        if code and name.partition("@")[0] in parts:
            return Absent("FAILED", f"The calculation gave no number: {name} raised {code}.")
    return absent("FAILED")


def _short(found: Evaluation, need: Need, frame: Frame, column: int) -> Absent | None:
    if missing_columns(found, need.count, frame):
        return None
    have = last_of(found, frame, need.count, column) or 0.0
    quality = float(soft(np.array(have), need.need, need.start)) if need.soft else float(have >= need.need)
    return absent(need.reason, have, need.need) if quality == 0 else None


def _of_streams(found: Evaluation, voice: Voice, column: int) -> Absent:
    now = found.now
    for stream in voice.sub.streams:
        if stream not in now.rows.ages:
            lacking = missing_columns(found, STREAMS[stream].age, "1m")
            return absent("UNSUPPORTED", of=", ".join(lacking))
        if now.stream_quality[stream][column] == 0:
            age = float(now.ages[stream][column])
            if np.isnan(age):
                return absent("FEED_DOWN")
            if float(q_age(stream, np.array(age))) == 0:
                return absent("STALE", round(age, 3), STREAMS[stream].zero_s)
            return absent("GAPPY", round(cell(now.rows.gaps[stream], column), 4), GAP_ZERO)
    if now.venue_quality[column] == 0:
        return absent("VENUE_DISPUTE", round(float(now.apart_bps[column]), 1), VENUE_ZERO_BPS)
    return absent("FAILED")


def cell(x: Floats, column: int) -> float:
    """The last row of an instrument, of an array that may be one column for all."""
    return float(x[-1, column if x.shape[1] > 1 else 0])
