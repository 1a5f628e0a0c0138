"""The newest confluence of all instruments, kept beside the market and computed away from the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import numpy as np

from sextant.confluence.book_watch import BookWatch
from sextant.confluence.changes import changes, is_repeat
from sextant.confluence.conditions import EFFECTS, UNLOGGED
from sextant.confluence.detectors import Fact, FactBook
from sextant.confluence.market_wide import Held
from sextant.confluence.program import FAILURES
from sextant.confluence.scorer import GRACE_S, Evaluation, Scorer
from sextant.errors import Expired, InputError, NotFound, Stale
from sextant.kit import log
from sextant.kit.clock import Clock
from sextant.kit.conditions import Conditions
from sextant.kit.health import Reading
from sextant.kit.precedence import Precedence
from sextant.model.instrument import Instrument, matches
from sextant.model.times import MINUTE_NS, SECOND_NS, iso_ms
from sextant.model.view import BarFrame, Feed, View
from sextant.scans.beside import Sight
from sextant.scans.bulletin import Bulletin, News
from sextant.scans.detecting import facts_seen, spoofed
from sextant.scans.entries import Entry, entry_of
from sextant.scans.overview import Overview, overview
from sextant.scans.pace import SCORES, Pace
from sextant.scans.relations import Relating, Relations

T = TypeVar("T")

_LOG: Final = log.get("scans")

GLANCE_S: Final = 1.0
"""How often the books are looked at: detectors count samples of a second."""
LOOK_S: Final = 1.0
"""How often the market is looked at; a closed minute is scored within two seconds."""
AGAIN_S: Final = 10.0
"""How often the ages are told anew while no minute closes."""
KEEP: Final = 15
"""Evaluations kept to answer what was believed a few minutes ago."""
KEEP_ENTRIES: Final = 500
LATE_S: Final = 150.0
SHOWN: Final = 5


@dataclass(frozen=True)
class Scored:
    """An evaluation, where its facts came from, the picture of the market beside it, and how instruments follow its leader."""

    evaluation: Evaluation
    feed: Feed
    simulated: bool
    overview: Overview | None = None
    relations: Relations | None = None


@dataclass(frozen=True)
class Aside:
    """What stands beside scoring.

    Parameters
    ----------
    glance
        Gives the books as they are, once a second; None where nobody looks at them.
    conditions
        Where the conditions of the process are noted.
    precedence
        What scores wait for.
    """

    glance: Callable[[], View] | None = None
    conditions: Conditions | None = None
    precedence: Precedence = field(default_factory=Precedence)


ALONE: Final = Aside()
OF_PARTS: Final = frozenset({"slow_calculation", "part_failed"})
"""Conditions of the process, which are noted by part and not by instrument."""


class Scoring:
    """Scores the market minute by minute and keeps the newest answers.

    Parameters
    ----------
    read
        Gives the market as it is known now.
    clock
        Paces the loop and gives ages.
    aside
        What stands beside it.
    """

    def __init__(self, read: Callable[[], Sight], clock: Clock, aside: Aside = ALONE) -> None:
        self._read = read
        self._clock = clock
        self._glance = aside.glance
        self._precedence = aside.precedence
        self._conditions = aside.conditions or Conditions(clock)
        self._pace = Pace(self._conditions)
        self._scorer = Scorer()
        self._kept: deque[Scored] = deque(maxlen=KEEP)
        self._lacking: str | None = None
        self._regime = Held("unknown", 0)
        self._relating = Relating()
        self._told_ns: dict[tuple[Instrument, str], int] = {}
        self._entries: deque[Entry] = deque(maxlen=KEEP_ENTRIES)
        self._last: dict[Instrument, Entry] = {}
        self._facts = FactBook()
        self._watch = BookWatch()
        self._watched = threading.Lock()
        self.bulletin = Bulletin()

    async def serve(self) -> None:
        """Score each closed minute until cancelled; a market without minutes is waited for."""
        async with asyncio.TaskGroup() as group:
            if self._glance is not None:
                group.create_task(self._watching(self._glance))
            while True:
                await self.look()
                await self._clock.sleep(LOOK_S)

    async def look(self) -> bool:
        """Whether something was scored: a further minute, or the same one ten seconds later."""
        if self._kept and not self._may_be_due(self._clock.now_ns()):
            return False
        await self._precedence.give_way()
        try:
            sight = self._read()
        except Stale as error:
            self._lacking = error.message
            return False
        view = sight.view
        minutes = view.bars.get("1m")
        if minutes is None or not minutes.rows:
            self._lacking = "No minute of any instrument has closed yet."
            return False
        if self._kept and not self._is_due(view.as_of_ns, minutes):
            return False
        extra = replace(sight.extra, spoofed=spoofed(view, self._facts.all()))
        found = await self._timed(SCORES, view.size, lambda: self._scorer.update(view, extra))
        if found is None:
            return False
        news = _turned(found)
        if not self._pace.skips("facts"):
            news += await self._timed("facts", view.size, lambda: self._detect(view, found)) or []
        if self._kept:
            before = self._kept[-1].evaluation
            news += await asyncio.to_thread(self._note, view, before, found)
            if before.history.close_ns[-1] == found.history.close_ns[-1]:
                self._kept.pop()
        picture = await self._picture(view, found)
        related = await self._relations(view)
        self._kept.append(Scored(found, view.feed, view.simulated, picture, related))
        self._tell(found)
        self.bulletin.add(view.as_of_ns, news)
        return True

    def entries(self) -> tuple[Entry, ...]:
        """The newest changes of state that were worth telling, oldest first."""
        return tuple(self._entries)

    def entry_of(self, instrument: Instrument) -> Entry | None:
        """The last change of an instrument; None where its state never changed here."""
        return self._last.get(instrument)

    def facts_of(self, instrument: Instrument | None) -> tuple[Fact, ...]:
        """What is the case just now with an instrument beside its score, or with the whole market."""
        return self._facts.of(instrument)

    def newest(self, as_of_ns: int | None = None) -> Scored:
        """What is said now, or was said at a time.

        Parameters
        ----------
        as_of_ns
            The newest evaluation up to this time.

        Raises
        ------
        Stale
            If nothing was scored yet.
        InputError
            If the time is in the future.
        Expired
            If the time is before what is kept.
        """
        if not self._kept:
            reason = self._lacking or "The first scores are being computed."
            raise Stale(f"There are no scores yet: {reason}", reason="feed_stale")
        if as_of_ns is None:
            return self._kept[-1]
        if as_of_ns > self._clock.now_ns():
            raise InputError(
                f"as_of {iso_ms(as_of_ns)} is in the future.", reason="out_of_range", field="as_of"
            )
        known = [one for one in self._kept if one.evaluation.as_of_ns <= as_of_ns]
        if not known:
            oldest = iso_ms(self._kept[0].evaluation.as_of_ns)
            raise Expired(f"Scores are kept since {oldest}.", reason="as_of_too_old")
        return known[-1]

    async def probe(self) -> Reading:
        """Degraded before the first scores, and while they are older than two and a half minutes; with the conditions that hold."""
        if not self._kept:
            return Reading("degraded", self._lacking or "The first scores are being computed.")
        found = self._kept[-1].evaluation
        age_s = (self._clock.now_ns() - found.as_of_ns) / SECOND_NS
        if age_s > LATE_S:
            return Reading("degraded", f"The newest scores are {age_s:.0f} s old; {LATE_S:g} s are allowed.")
        counts = sorted(found.conditions.counts().items())
        held = ", ".join(f"{kind} of {count}" for kind, count in counts if kind not in UNLOGGED)
        return Reading("healthy", f"Open conditions: {held}." if held else None)

    async def _watching(self, glance: Callable[[], View]) -> None:
        """Look at the books once a second."""
        while True:
            await asyncio.to_thread(self._glimpse, glance)
            await self._clock.sleep(GLANCE_S)

    def _glimpse(self, glance: Callable[[], View]) -> None:
        view = glance()
        with self._watched:
            self._watch.take(view)

    async def _timed(self, part: str, size: int, work: Callable[[], T]) -> T | None:
        """What work gives in a thread, None where it raised; how long it took, and whether it raised, is noted."""
        began_ns = self._clock.monotonic_ns()
        try:
            made = await asyncio.to_thread(work)
        except FAILURES as error:
            _LOG.exception("scoring.part_failed", part=part)
            self._conditions.note("part_failed", part, holds=True, code=type(error).__name__)
            return None
        self._conditions.note("part_failed", part, holds=False)
        self._pace.note(part, (self._clock.monotonic_ns() - began_ns) / SECOND_NS, size)
        return made

    async def _picture(self, view: View, found: Evaluation) -> Overview | None:
        """The whole market; the one before while it is left out."""
        if self._pace.skips("overview"):
            return self._kept[-1].overview if self._kept else None
        picture = await self._timed("overview", view.size, lambda: overview(view, found, self._regime))
        if picture is not None:
            self._regime = picture.held
        return picture

    async def _relations(self, view: View) -> Relations | None:
        """How instruments follow the leader; None while it is left out."""
        if self._pace.skips("relations"):
            return None
        return await self._timed("relations", view.size, lambda: self._relating.update(view))

    def _tell(self, found: Evaluation) -> None:
        """Note in the log of conditions how many instruments each kind holds of: a line when it begins, one when it ends."""
        counts = found.conditions.counts()
        for kind in EFFECTS:
            if kind not in UNLOGGED and kind not in OF_PARTS:
                held = counts.get(kind, 0)
                self._conditions.note(kind, "scores", holds=held > 0, at_once=True, instruments=held)

    def _note(self, view: View, before: Evaluation, after: Evaluation) -> list[News]:
        """Keep what changed, with its plan; a repeat within five minutes is not told again."""
        told: list[News] = []
        for change in changes(before, after):
            entry = entry_of(view, after, change)
            self._last[change.instrument] = entry
            key = (change.instrument, change.after)
            if not is_repeat(self._told_ns.get(key), change):
                self._told_ns[key] = change.at_ns
                self._entries.append(entry)
                told.append((change.instrument, entry))
        return told

    def _detect(self, view: View, found: Evaluation) -> list[News]:
        """Open, move on and close the facts of all instruments; those that are worth telling."""
        with self._watched:
            seen = facts_seen(view, found, self._facts, self._watch)
        return [(fact.seen.instrument, fact) for fact in self._facts.update(seen, view.as_of_ns)]

    def _may_be_due(self, now_ns: int) -> bool:
        """Whether a view could show anything to score; each view that is taken makes bars be copied when they change."""
        newest = self._kept[-1].evaluation
        closes_ns = int(newest.history.close_ns[-1]) + MINUTE_NS
        return now_ns >= min(closes_ns, newest.as_of_ns + int(AGAIN_S * 1e9))

    def _is_due(self, as_of_ns: int, minutes: BarFrame) -> bool:
        newest = self._kept[-1].evaluation
        close_ns = int(minutes.open_ns[-1]) + MINUTE_NS
        if close_ns > int(newest.history.close_ns[-1]):
            # Scored too early, the minute would be scored again with all rows before it once the others have come.
            return as_of_ns - close_ns >= GRACE_S * SECOND_NS or not _awaited(minutes)
        return as_of_ns - newest.as_of_ns >= AGAIN_S * 1e9


def _turned(found: Evaluation) -> list[News]:
    """The conditions that opened or closed, but for states in which nothing is wrong."""
    return [
        (found.instruments[turn.column].instrument, turn)
        for turn in found.turns
        if turn.condition.kind not in UNLOGGED
    ]


def _awaited(minutes: BarFrame) -> bool:
    """Whether an instrument that had the minute before has not the newest one yet."""
    if minutes.rows < 2:
        return False
    newest, before = minutes.close[-1], minutes.close[-2]
    return bool(np.any(np.isnan(newest) & ~np.isnan(before)))


def column_named(text: str, instruments: Sequence[Instrument]) -> int:
    """The position of the one instrument that an id, ``BTC``, ``BTC-USDT`` or ``BTCUSDT`` names.

    Raises
    ------
    NotFound
        If it names none.
    InputError
        If it names several.
    """
    found = [at for at, one in enumerate(instruments) if matches(text, one)]
    if not found:
        joined = text.strip().upper()
        found = [at for at, one in enumerate(instruments) if joined == one.base + one.quote]
    if not found:
        raise NotFound(f"There is no instrument '{text}'; ids are spelled as {_spelled(instruments)}.")
    if len(found) > 1:
        names = ", ".join(str(instruments[at]) for at in found[:SHOWN])
        further = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise InputError(
            f"'{text}' names {len(found)} instruments: {names}{further}. Say which.",
            reason="not_a_choice",
            field="instrument",
        )
    return found[0]


def _spelled(instruments: Sequence[Instrument]) -> str:
    return str(instruments[0]) if instruments else "bybit:BTC-USDT:perpetual"
