"""Scores of all instruments on every closed minute, from states that are kept and moved on.

Rows come in parts: a minute more costs a row, a whole history is the same code over more rows. When the past
of a view changed (a bar was repaired, an instrument listed) everything is computed anew from what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sextant.confluence import decision, regime
from sextant.confluence.catalog import dimensions, voices
from sextant.confluence.conditions import ConditionBook, OpenConditions, Turn
from sextant.confluence.contract import Stream
from sextant.confluence.gauges import Facts, book_facts, gauges
from sextant.confluence.inputs import NOTHING_MORE, Extra, apart_bps, blocks, closes
from sextant.confluence.ledger import History, Ledger
from sextant.confluence.nodes import Frame, Node
from sextant.confluence.passport import q_venue
from sextant.confluence.program import Block
from sextant.confluence.score import Folded, fold
from sextant.confluence.tape import Rows, Tape, ages_at, stream_qualities
from sextant.errors import Insufficient
from sextant.model.bar import Floats, Integers
from sextant.model.instrument import InstrumentSpec
from sextant.model.times import MINUTE_NS, SECOND_NS
from sextant.model.view import BarFrame, View

CHUNK_CELLS: Final = 16_384
"""Rows times instruments computed at a time, so that the arrays of a part stay near the processor."""
LEAST_CHUNK_ROWS: Final = 8
GRACE_S: Final = 2.0
"""How long after its close a minute may still come in before it counts as missing."""
SPOOFED_TRUST: Final = 0.8
Known = tuple[Floats, Floats, Mapping[Stream, Floats]]
LATE_ROWS: Final = 5
"""Minutes without bars that are still evaluated one by one; by then every stream counts for nothing."""


@dataclass(frozen=True, eq=False)
class Standing:
    """What is said at the view's time, with everything it is made of; arrays are (J, S) or (S,), J the voices.

    Parameters
    ----------
    rows
        The newest row: signals, interval values and qualities, ages of the streams.
    quality
        q of each voice at the view's time, all factors together, (J, S).
    ages
        Of each stream that some feed gives, seconds, (S,).
    stream_quality, venue_quality, book_trust
        The factors of q, (S,); the last one of sub-scores of the order book, below 1 where levels are suspected not to be meant.
    apart_bps
        Distance from the other venues, (S,); NaN where not checked.
    folded
        The fold of signals and quality; its arrays are (1, S).
    machine
        State and streaks after the newest evaluation.
    late_s
        Seconds from the close of the newest row to the view's time.
    """

    rows: Rows
    quality: Floats
    ages: Mapping[Stream, Floats]
    stream_quality: Mapping[Stream, Floats]
    venue_quality: Floats
    book_trust: Floats
    apart_bps: Floats
    folded: Folded
    machine: decision.Machine
    late_s: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything this room says of a view.

    Parameters
    ----------
    as_of_ns
        The view's time.
    instruments
        The order of every column.
    history
        By closed minute.
    now
        At the view's time.
    values
        The newest row of every node by frame, (1, S).
    closes_ns
        When that row closed, by frame.
    given
        Names of the columns there were, by frame.
    lines
        Where a state is entered.
    minutes
        The bars of 1m that were scored.
    conditions
        What is wrong with the data of each instrument.
    turns
        Which of it opened or closed with this evaluation.
    failed
        Parts that raised, with the kind of error; an empty one for those that are clean again.
    """

    as_of_ns: int
    instruments: tuple[InstrumentSpec, ...]
    history: History
    now: Standing
    values: Mapping[Frame, Mapping[Node, Floats]]
    closes_ns: Mapping[Frame, int]
    given: Mapping[Frame, frozenset[str]]
    lines: decision.Lines
    minutes: BarFrame
    conditions: OpenConditions
    turns: tuple[Turn, ...]
    failed: Mapping[str, str]


class Scorer:
    """Keeps the states of all indicators and tells the scores of one view after another.

    Parameters
    ----------
    lines
        Where a state is entered.

    Notes
    -----
    Not safe between threads; the owner serialises the calls. No clock is read: times are the views'.
    """

    def __init__(self, lines: decision.Lines = decision.SYMMETRIC) -> None:
        self._lines = lines
        self._run: _Run | None = None
        # What is wrong with the data outlives a run: a repaired bar makes all rows new, but ends no condition.
        self._conditions = ConditionBook()
        self._columns: tuple[InstrumentSpec, ...] = ()

    def update(self, view: View, extra: Extra = NOTHING_MORE) -> Evaluation:
        """What is said as of a view.

        Raises
        ------
        Insufficient
            If the view holds no instrument or no minute.
        """
        if not view.size:
            raise Insufficient("The view holds no instrument.", reason="too_little_history")
        run = self._run
        found = blocks(view, extra, None if run is None else run.done_ns)
        if run is None or not run.follows(view, found):
            found = blocks(view, extra)
            run = _Run(view, found, self._lines)
        # A run that fails half-way would go on from a state that no view has.
        self._run = None
        run.advance(view, found)
        self._run = run
        if view.instruments != self._columns:
            self._conditions.move(_moved(self._columns, view.instruments))
            self._columns = view.instruments
        return run.evaluation(view, extra, self._conditions)


def _moved(before: tuple[InstrumentSpec, ...], after: tuple[InstrumentSpec, ...]) -> Integers:
    """Where each of some instruments was, int64; -1 for one that was not there."""
    columns = {spec.instrument: column for column, spec in enumerate(before)}
    return np.array([columns.get(spec.instrument, -1) for spec in after], dtype=np.int64)


def evaluate(view: View, extra: Extra = NOTHING_MORE) -> Evaluation:
    """What is said as of a view, computed from all it holds.

    Raises
    ------
    Insufficient
        If the view holds no instrument or no minute.
    """
    return Scorer().update(view, extra)


class _Run:
    """Programs and states over one unbroken history of one set of instruments."""

    def __init__(self, view: View, found: Mapping[Frame, Block], lines: decision.Lines) -> None:
        self._specs = view.instruments
        self._lines = lines
        self._tape = Tape(view.instruments, found)
        self._ledger = Ledger(view.size)
        self._machine = decision.machine(view.size)
        self._labels = regime.label_state(view.size)
        self._seen: dict[Frame, tuple[Integers, bytes]] = {}
        self._rows: Rows | None = None

    @property
    def done_ns(self) -> dict[Frame, int]:
        """When the newest row of each frame opened."""
        return self._tape.done_ns

    def follows(self, view: View, found: Mapping[Frame, Block]) -> bool:
        """Whether a view goes on where the last one ended, with the same past."""
        if view.instruments != self._specs or self._tape.given != given(found):
            return False
        return all(_same_past(self._seen.get(frame), view, frame) for frame in found if frame != "grid")

    def advance(self, view: View, found: Mapping[Frame, Block]) -> None:
        """Takes in the rows that are new."""
        minutes = found["1m"]
        if len(minutes.open_ns):
            # Only the row of a further minute sees the grid.
            self._tape.take_grid(found["grid"])
        step = max(LEAST_CHUNK_ROWS, CHUNK_CELLS // view.size)
        for start in range(0, len(minutes.open_ns), step):
            part = minutes.rows(start, start + step)
            self._score(closes(part, "1m"), self._tape.advance(part, found))
        for frame in found:
            if frame != "grid":
                bars = view.bars[frame]
                self._seen[frame] = (bars.open_ns, bars.row_digests)

    def _score(self, close_ns: Integers, rows: Rows) -> None:
        """Folds, decides and labels some rows."""
        folded = fold(dimensions(), rows.signals, rows.quality(), regime.multipliers(**rows.weather))
        stress = decision.entry(rows.weather["hv"], rows.weather["ll"])
        state = decision.decide(self._machine, folded.confluence, folded.coverage, stress, self._lines)
        label = np.empty(state.shape, dtype=np.int64)
        regime.label_rows(self._labels, rows.label_parts(state.shape), label)
        self._ledger.append(
            History(
                close_ns,
                folded.confluence,
                folded.coverage,
                folded.consensus,
                state.astype(np.int8),
                label.astype(np.int8),
            )
        )
        self._rows = rows.last()

    def evaluation(self, view: View, extra: Extra, conditions: ConditionBook) -> Evaluation:
        """What is said as of the view; ``conditions`` take their readings."""
        assert self._rows is not None  # noqa: S101  # a view without minutes was refused
        history = self._ledger.history()
        late_s = (view.as_of_ns - int(history.close_ns[-1])) / SECOND_NS
        known = (apart_bps(view), book_trust(extra, view.size), extra.ages)
        machine = self._machine.copy()
        whole = int(max(0.0, late_s - GRACE_S) * SECOND_NS // MINUTE_NS)
        for minute in range(1, min(whole, LATE_ROWS) + 1):
            self._at(view, machine, minute * 60.0, known)
        standing = self._at(view, machine.copy(), late_s, known)
        facts = self._facts(standing, view, extra)
        turns = conditions.update(gauges(facts), view.as_of_ns)
        return Evaluation(
            as_of_ns=view.as_of_ns,
            instruments=self._specs,
            history=history,
            now=replace(standing, machine=machine),
            values=self._tape.values(),
            closes_ns=self._tape.closes(),
            given=self._tape.given,
            lines=self._lines,
            minutes=view.bars["1m"],
            conditions=conditions.held(),
            turns=turns,
            failed=self._tape.failed,
        )

    def _facts(self, standing: Standing, view: View, extra: Extra) -> Facts:
        rows = standing.rows
        return Facts(
            folded=standing.folded,
            apart_bps=standing.apart_bps,
            ages=standing.ages,
            gaps=rows.gaps,
            values=self._tape.values(),
            applies=rows.applies,
            books=book_facts(view.books, extra.book_reasons),
            failed=self._tape.failed,
        )

    def _at(self, view: View, machine: decision.Machine, late_s: float, known: Known) -> Standing:
        """The newest row seen ``late_s`` after its close; ``machine`` moves by one evaluation.

        ``known`` is how far other venues are apart, the trust in the book, and the ages of streams that are heard between minutes.
        """
        apart, trust, heard = known
        rows = self._rows
        assert rows is not None  # noqa: S101  # as above
        ages = ages_at(rows, late_s, _told_since(view, rows, late_s, heard))
        streams = stream_qualities(rows, ages)
        venue = q_venue(apart)
        quality = _trusted(rows.quality(streams, venue[None, :]), trust)
        folded = fold(dimensions(), rows.signals, quality, regime.multipliers(**rows.weather))
        stress = decision.entry(rows.weather["hv"], rows.weather["ll"])
        decision.decide(machine, folded.confluence, folded.coverage, stress, self._lines)
        return Standing(
            rows=rows,
            quality=np.concatenate([np.broadcast_to(q, (1, view.size)) for q in quality]),
            ages={name: np.broadcast_to(x, (1, view.size))[0] for name, x in ages.items()},
            stream_quality={name: np.broadcast_to(q, (1, view.size))[0] for name, q in streams.items()},
            venue_quality=venue,
            book_trust=trust,
            apart_bps=apart,
            folded=folded,
            machine=machine,
            late_s=late_s,
        )


def book_trust(extra: Extra, size: int) -> Floats:
    """The factor on the quality of the order book, (S,): .8 where levels are suspected to be shown and not meant."""
    if extra.spoofed is None:
        return np.ones(size)
    return np.where(extra.spoofed, SPOOFED_TRUST, 1.0)


def _trusted(quality: Sequence[Floats], trust: Floats) -> list[Floats]:
    """The qualities with the trust in the book on the sub-scores of the order book."""
    if np.all(trust == 1.0):
        return list(quality)
    return [
        q * trust[None, :] if voice.dimension.name == "orderbook" else q
        for voice, q in zip(voices(), quality, strict=True)
    ]


def _told_since(
    view: View, rows: Rows, late_s: float, heard: Mapping[Stream, Floats]
) -> dict[Stream, Floats]:
    """Ages of the streams of which a view says more than the last closed minute, (1, S).

    Notes
    -----
    A valid book that was told since the minute closed has been sampled since; one that is not valid grows older.
    """
    found: dict[Stream, Floats] = {name: age[None, :] for name, age in heard.items()}
    facts = view.derivatives.event_ns
    found["quote"] = np.where(facts > 0, (view.as_of_ns - facts) / SECOND_NS, np.nan)[None, :]
    sampled = rows.ages.get("book")
    if sampled is not None:
        older = sampled + late_s
        told = np.where(view.books.valid, (view.as_of_ns - view.books.event_ns) / SECOND_NS, np.nan)
        found["book"] = np.where(np.isnan(older), np.nan, np.fmin(older, told[None, :]))
    return found


def given(found: Mapping[Frame, Block]) -> dict[Frame, frozenset[str]]:
    """Names of the columns there are, by frame."""
    return {frame: frozenset(block.columns) for frame, block in found.items()}


def _same_past(before: tuple[Integers, bytes] | None, view: View, frame: Frame) -> bool:
    """Whether the rows of a frame that both views hold are the same."""
    if before is None or frame == "grid":
        return before is None and frame == "grid"
    open_ns, digests = before
    bars = view.bars[frame]
    first = int(np.searchsorted(open_ns, bars.open_ns[0]))
    common = len(open_ns) - first
    width = len(digests) // max(1, len(open_ns))
    return common > 0 and digests[first * width :] == bars.row_digests[: common * width]
