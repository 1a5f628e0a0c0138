"""Everything that is known about one instrument, except its final bars."""

from __future__ import annotations

from typing import Any

from sextant.market.books import Book, BookTrouble
from sextant.market.counters import Counters
from sextant.market.derivatives import KEEP_FUNDING, KEEP_OPEN_INTEREST, Facts, History, Liquidations
from sextant.market.flow import Flow
from sextant.market.forming import FormingBars
from sextant.market.freshness import CADENCE_NS, STREAMS, Freshness, Pulse
from sextant.market.quotes import Quote
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
        "changed",
        "facts",
        "flow",
        "forming",
        "funding",
        "liquidations",
        "open_interest",
        "pulses",
        "quote",
        "spec",
    )

    def __init__(self, spec: InstrumentSpec, counters: Counters) -> None:
        self._counters = counters
        self.spec = spec
        self.changed = True
        self.book = Book(spec.tick)
        self.quote = Quote()
        self.flow = Flow()
        self.facts = Facts()
        self.funding = History(KEEP_FUNDING)
        self.open_interest = History(KEEP_OPEN_INTEREST)
        self.liquidations = Liquidations()
        self.pulses: dict[Stream, Pulse] = {stream: Pulse(CADENCE_NS[stream]) for stream in STREAMS}
        self.forming = FormingBars(self.flow, self.pulses["bars"], counters)
        self._book_pulse = self.pulses["book"]
        self._trades_pulse = self.pulses["trades"]
        self._quote_pulse = self.pulses["quote"]
        self._facts_pulse = self.pulses["derivatives"]

    def take_spec(self, spec: InstrumentSpec, event_ns: int) -> str | None:
        """The reason for which the book needs a snapshot, if the rules changed under it."""
        self.spec = spec
        self.changed = True
        return "tick_changed" if self.book.change_tick(spec.tick, event_ns) else None

    def take_snapshot(self, event: BookSnapshot) -> str | None:
        """The reason for which the book needs a snapshot again, if it does."""
        self.changed = True
        self._book_pulse.beat(event.event_ns, event.receive_ns)
        trouble = self.book.snapshot(event)
        return None if trouble is None else self._judge(trouble)

    def take_delta(self, event: BookDelta) -> str | None:
        """The reason for which the book needs a snapshot, if it does."""
        self.changed = True
        self._book_pulse.beat(event.event_ns, event.receive_ns)
        trouble = self.book.delta(event)
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

    def take_facts(self, event: DerivativesUpdate) -> None:
        """Take facts beyond the book."""
        self.changed = True
        self._facts_pulse.beat(event.event_ns, event.receive_ns)
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

    def lose(self, stream: Stream, reason: str, event_ns: int) -> None:
        """Believe a stream no longer: its connection is gone."""
        self.changed = True
        self.pulses[stream].down(reason, event_ns)
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
        )

    def restore(self, content: Any) -> None:
        """Become the desk of this instrument whose :meth:`content` it was, its spec aside."""
        self.changed = True
        _, book, quote, flow, facts, funding, interest, liquidations, forming, pulses = content
        self.book.restore(book)
        self.quote.restore(quote)
        self.flow.restore(flow)
        self.facts.restore(facts)
        self.funding.restore(funding)
        self.open_interest.restore(interest)
        self.liquidations.restore(liquidations, self.spec.instrument)
        self.forming.restore(forming)
        for stream, pulse in zip(STREAMS, pulses, strict=True):
            self.pulses[stream].restore(pulse)

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
