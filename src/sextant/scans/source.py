"""The newest market part, taken from a state that goes on learning."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from sextant.errors import Stale
from sextant.kit.clock import Clock
from sextant.kit.health import Reading
from sextant.market.ingest import learn
from sextant.market.state import MarketState
from sextant.model.bar import BAR_FIELDS
from sextant.model.event_block import EventBlock
from sextant.model.events import Event
from sextant.model.instrument import Instrument
from sextant.model.times import Interval
from sextant.model.view import BarFrame, View
from sextant.scans.beside import Sight, beside
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.prices import CostAssumptions

T = TypeVar("T")

KEEP_ROWS: Final[Mapping[Interval, int]] = {"1m": 3_000}
"""Minutes kept for scores: a day of them, the hourly references of a day before it, and one whole UTC day."""
SCANNED_MINUTES: Final = 1_440
"""Minutes that scans see of those."""
QUIET_S: Final = 30.0  # faults.md N2: a connection without a word for this long is dead
SHARED_FOR_S: Final = 1.0  # callers within this time share one view and all that was computed from it


class MarketSource:
    """Feeds a market state and gives frozen views of it; safe between the event loop and worker threads.

    Parameters
    ----------
    state
        The state; nobody else may touch it.
    clock
        Gives the instant of each view.
    assumptions
        What is assumed where quotes are missing.
    """

    def __init__(self, state: MarketState, clock: Clock, assumptions: CostAssumptions) -> None:
        self._state = state
        self._clock = clock
        self._assumptions = assumptions
        self._shelf = EvidenceShelf()
        self._lock = threading.Lock()
        self._part: MarketPart | None = None
        self._sight: Sight | None = None
        self._taken_ns = 0
        self._heard_ns: int | None = None

    def learn(self, events: Iterable[Event] | EventBlock) -> list[Instrument]:
        """The instruments whose book lost a message and must be asked for anew, after applying events in order."""
        lost = self.within(lambda state: learn(state, events))
        self.heard()
        return lost

    def within(self, work: Callable[[MarketState], T]) -> T:
        """What work gives that teaches the state; nobody reads meanwhile."""
        with self._lock:
            return work(self._state)

    def heard(self) -> None:
        """Note that whoever tells of the market was heard."""
        self._heard_ns = self._clock.monotonic_ns()

    def instruments(self) -> tuple[Instrument, ...]:
        """Every instrument that is known now."""
        with self._lock:
            return tuple(spec.instrument for spec in self._state.instruments)

    async def probe(self) -> Reading:
        """Degraded until the first event, and while nothing arrives."""
        if self._heard_ns is None:
            return Reading("degraded", "No event has arrived yet.")
        quiet_s = (self._clock.monotonic_ns() - self._heard_ns) / 1e9
        if quiet_s <= QUIET_S:
            return Reading("healthy")
        return Reading("degraded", f"No event for {quiet_s:.0f} s; {QUIET_S:g} s are allowed.")

    def read(self) -> MarketPart:
        """The market as it is known now; shared by callers of the same second.

        Raises
        ------
        Stale
            If no instrument is known yet.
        """
        with self._lock:
            return self._newest()[0]

    def sight(self) -> Sight:
        """The same moment as :meth:`read` with all minutes that are kept and what no view says, for scores.

        Raises
        ------
        Stale
            If no instrument is known yet.
        """
        with self._lock:
            return self._newest()[1]

    def glance(self) -> View:
        """Books, trades and facts as they are now, without bars; nobody's view is touched."""
        return self.within(lambda state: state.view(self._clock.now_ns(), ()))

    def _newest(self) -> tuple[MarketPart, Sight]:
        now_ns = self._clock.monotonic_ns()
        if self._part is None or self._sight is None or now_ns - self._taken_ns > SHARED_FOR_S * 1e9:
            view = self._state.view(self._clock.now_ns())
            if not view.size:
                raise Stale(
                    "No instrument is known yet; the feed is starting or unreachable.",
                    reason="feed_stale",
                )
            self._part = MarketPart(scanned(view), self._assumptions, self._shelf)
            self._sight = Sight(view, beside(self._state, view))
            self._taken_ns = now_ns
        return self._part, self._sight


def scanned(view: View) -> View:
    """What scans see of a view: of its minutes the newest 1,440; nothing is copied."""
    minutes = view.bars.get("1m")
    if minutes is None or minutes.rows <= SCANNED_MINUTES:
        return view
    return replace(view, bars={**view.bars, "1m": newest_rows(minutes, SCANNED_MINUTES)})


def newest_rows(frame: BarFrame, rows: int) -> BarFrame:
    """The newest rows of a frame that has more, sharing its memory."""
    width = len(frame.row_digests) // frame.rows
    return BarFrame(
        interval=frame.interval,
        open_ns=frame.open_ns[-rows:],
        row_digests=frame.row_digests[-rows * width :],
        **{name: getattr(frame, name)[-rows:] for name in BAR_FIELDS},
    )
