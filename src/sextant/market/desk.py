"""Everything that is known about one instrument, except its final bars."""

from __future__ import annotations

from array import array
from typing import Any, Final

from msgspec import UNSET

from sextant.market.books import Book, BookTrouble
from sextant.market.counters import Counters
from sextant.market.derivatives import (
    KEEP_FUNDING,
    KEEP_LONG_SHARE,
    KEEP_OPEN_INTEREST,
    Facts,
    History,
    Liquidations,
)
from sextant.market.desk_cells import (
    BOOK,
    CHANGED,
    DESK_CELLS,
    FLOW,
    GRID_NS,
    KNOWN,
    NAMES,
    PULSES,
    QUOTE,
    SAMPLES,
    SUMS,
)
from sextant.market.flow import Flow
from sextant.market.forming import FormingBars
from sextant.market.freshness import CADENCE_NS, STREAMS, Freshness, Pulse
from sextant.market.minute_sums import MinuteSums
from sextant.market.quotes import Quote
from sextant.model.cells import Cells, IntCell
from sextant.model.events import (
    BookCleared,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    FundingSettled,
    Liquidation,
    OpenInterestPoint,
    QuoteUpdate,
    Stream,
    Trade,
)
from sextant.model.instrument import InstrumentSpec
from sextant.model.times import SECOND_NS

GRID_AGE_NS: Final = 60 * SECOND_NS
"""How old a live value may be when it stands for a point of the grid."""
_NO_TRADE: Final = frozenset({"refused", "duplicate"})


class Desk:
    """The latest facts of one instrument and the age of each of its streams.

    Parameters
    ----------
    spec
        Its rules.
    counters
        Where outcomes are counted.
    """

    __slots__ = (
        "_book_pulse",
        "_counters",
        "_facts_pulse",
        "_quote_pulse",
        "_trades_pulse",
        "book",
        "cells",
        "facts",
        "flow",
        "forming",
        "funding",
        "liquidations",
        "long_share",
        "minutes",
        "open_interest",
        "pulses",
        "quote",
        "spec",
    )

    changed = IntCell(CHANGED)
    """Not 0 where anything came since whoever reads it last wrote 0."""

    def __init__(self, spec: InstrumentSpec, counters: Counters) -> None:
        self._counters = counters
        self.spec = spec
        self.cells = Cells(DESK_CELLS)
        self.book = Book(spec.tick)
        self.quote = Quote()
        self.flow = Flow()
        self.facts = Facts()
        self.funding = History(KEEP_FUNDING)
        self.open_interest = History(KEEP_OPEN_INTEREST)
        self.long_share = History(KEEP_LONG_SHARE)
        self.liquidations = Liquidations()
        self.pulses: dict[Stream, Pulse] = {stream: Pulse(CADENCE_NS[stream]) for stream in STREAMS}
        self.forming = FormingBars(self.flow, self.pulses["bars"], counters)
        # Options are rows of chains: nothing reads their minutes.
        option = spec.instrument.kind == "option"
        self.minutes = None if option else MinuteSums(self.book, self.pulses)
        self._book_pulse = self.pulses["book"]
        self._trades_pulse = self.pulses["trades"]
        self._quote_pulse = self.pulses["quote"]
        self._facts_pulse = self.pulses["derivatives"]
        self._settle()

    def take_spec(self, spec: InstrumentSpec, event_ns: int) -> str | None:
        """The reason for which the book needs a snapshot, if the rules changed under it."""
        self.spec = spec
        self.changed = True
        return "tick_changed" if self.book.change_tick(spec.tick, event_ns) else None

    def take_snapshot(self, event: BookSnapshot) -> str | None:
        """The reason for which the book needs a snapshot again, if it does."""
        self.changed = True
        self._book_pulse.beat(event.event_ns, event.receive_ns)
        if self.minutes is not None:
            self.minutes.tick(event.event_ns)
        trouble = self.book.snapshot(event)
        if self.minutes is not None:
            self.minutes.samples.begin()
        return None if trouble is None else self._judge(trouble)

    def take_delta(self, event: BookDelta) -> str | None:
        """The reason for which the book needs a snapshot, if it does."""
        self.changed = True
        self._book_pulse.beat(event.event_ns, event.receive_ns)
        minutes = self.minutes
        if minutes is None:
            trouble = self.book.delta(event)
        else:
            samples = minutes.samples
            if event.event_ns >= samples.next_ns:
                minutes.tick(event.event_ns)
            trouble = self.book.delta(event)
            if event.sequence == 1:  # a restart: the whole book
                samples.begin()
        return None if trouble is None else self._judge(trouble)

    def take_cleared(self, event: BookCleared) -> None:
        """Forget the book, as the venue says."""
        self.changed = True
        self._book_pulse.beat(event.event_ns, event.receive_ns)
        self.book.clear(event.reason or "cleared", event.event_ns)

    def take_quote(self, event: QuoteUpdate) -> None:
        """Take best prices stated outside the book."""
        self.changed = True
        self._quote_pulse.beat(event.event_ns, event.receive_ns)
        trouble = self.quote.take(event)
        if trouble is not None:
            self._counters.add(f"quotes_{trouble}")

    def take_trade(self, event: Trade) -> None:
        """Take a public trade."""
        self.changed = True
        self._trades_pulse.beat(event.event_ns, event.receive_ns)
        trouble = self.flow.take(event)
        if trouble is not None:
            self._counters.add(f"trades_{trouble}")
        if not event.aggressor:
            self._counters.add("trades_unknown_side")
        minutes = self.minutes
        if minutes is not None and trouble not in _NO_TRADE and not minutes.trade(event, self.flow.sign):
            self._counters.add("trades_after_minute")

    def take_facts(self, event: DerivativesUpdate) -> None:
        """Take facts beyond the book."""
        self.changed = True
        self._facts_pulse.beat(event.event_ns, event.receive_ns)
        if event.open_interest is not UNSET:
            self._fill_grid(event.event_ns)
        if isinstance(event.long_share, float):
            self.long_share.take(event.event_ns, event.long_share)
        older, refused = self.facts.take(event)
        if older or refused:
            self._counters.add("facts_old", older)
            self._counters.add("facts_refused", refused)

    def take_point(self, event: FundingSettled | OpenInterestPoint) -> None:
        """Take one point of a history."""
        if isinstance(event, FundingSettled):
            taken = self.funding.take(event.event_ns, event.rate)
        else:
            taken = event.open_interest >= 0 and self.open_interest.take(event.event_ns, event.open_interest)
        if not taken:
            self._counters.add("facts_refused")

    def take_liquidation(self, event: Liquidation) -> None:
        """Take a forced close."""
        self.pulses["liquidations"].beat(event.event_ns, event.receive_ns)
        if not self.liquidations.take(event):
            self._counters.add("liquidations_refused")
        elif self.minutes is not None:
            self.minutes.alive("liquidations", event.event_ns)
            if not self.minutes.liquidation(event):
                self._counters.add("liquidations_after_minute")

    def lose(self, stream: Stream, reason: str, event_ns: int) -> None:
        """Believe a stream no longer: its connection is gone."""
        self.changed = True
        self.pulses[stream].down(reason, event_ns)
        if self.minutes is not None:
            self.minutes.lose(stream)
        if stream == "book":
            self.book.invalidate("stream_down", event_ns)
        elif stream == "quote":
            self.quote.forget()

    def freshness(self, stream: Stream, now_ns: int) -> Freshness:
        """The age of a stream; a book that is not believed is invalid, however young."""
        judged = self.pulses[stream].judge(now_ns)
        if stream == "book" and judged.state in ("live", "late") and not self.book.valid:
            return Freshness("invalid", self.book.since_ns, self.book.reason, judged.event_ns, judged.age_ns)
        return judged

    def content(self) -> tuple[object, ...]:
        """Everything known, in canonical order, for hashing."""
        return (
            self.spec,
            self.book.content(),
            self.quote.content(),
            self.flow.content(),
            self.facts.content(),
            self.funding.content(),
            self.open_interest.content(),
            self.liquidations.content(),
            self.forming.content(),
            [self.pulses[stream].content() for stream in STREAMS],
            self.long_share.content(),
            None if self.minutes is None else self.minutes.content(),
        )

    def _settle(self) -> None:
        """Tell kernels where its parts are."""
        ints, minutes = self.cells.ints, self.minutes
        ints[CHANGED] = True
        ints[BOOK], ints[QUOTE], ints[KNOWN] = (part.cells.at for part in (self.book, self.quote, self.facts))
        ints[FLOW], ints[NAMES] = self.flow.cells.at, self.flow.names.cells.at
        ints[PULSES : PULSES + len(STREAMS)] = array("q", [self.pulses[one].cells.at for one in STREAMS])
        if minutes is not None:
            ints[SUMS], ints[SAMPLES] = minutes.cells.at, minutes.samples.cells.at

    def _fill_grid(self, event_ns: int) -> None:
        """Take the open interest known when a grid time passed for the point of that time, if it was not old."""
        grid_ns = event_ns - event_ns % GRID_NS
        told_ns = self.facts.time_ns("open_interest")
        if grid_ns > self.open_interest.newest_ns and grid_ns - GRID_AGE_NS <= told_ns <= grid_ns:
            self.open_interest.take(grid_ns, self.facts.value("open_interest"))

    def _judge(self, trouble: BookTrouble) -> str | None:
        """Count what was wrong and say whether only a snapshot can help."""
        count = self._counters.add
        if trouble == "gap":
            count("book_gaps")
            return "gap"
        if trouble == "refused":
            count("book_refused")
            return self.book.reason
        if trouble in ("crossed", "crossed_again"):
            count("book_crossed")
            return "crossed" if trouble == "crossed_again" else None
        count("book_waiting" if trouble == "waiting" else "book_duplicates")
        return None


def restore_desk(desk: Desk, content: Any) -> None:
    """Make a desk of an instrument the one whose :meth:`Desk.content` it was, its spec aside."""
    desk.changed = True
    _, book, quote, flow, facts, funding, interest, liquidations, forming, pulses, share, minutes = content
    desk.book.restore(book)
    desk.quote.restore(quote)
    desk.flow.restore(flow)
    desk.facts.restore(facts)
    desk.funding.restore(funding)
    desk.open_interest.restore(interest)
    desk.liquidations.restore(liquidations, desk.spec.instrument)
    desk.forming.restore(forming)
    for stream, pulse in zip(STREAMS, pulses, strict=True):
        desk.pulses[stream].restore(pulse)
    desk.long_share.restore(share)
    if desk.minutes is not None:
        desk.minutes.restore(minutes)
