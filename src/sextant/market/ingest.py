"""From an ordered iterator of model events to a market state: live sockets, a file or another process alike."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sextant.market.state import MarketState
from sextant.model.events import Event


class IngestReport(msgspec.Struct, frozen=True):
    """What one run of events brought.

    Parameters
    ----------
    events
        How many there were.
    gaps, crossed, resyncs
        Books that lost a message; messages that left a book crossed or locked; snapshots asked for.
    bars_closed
        Places that a stated bar filled first, folded ones aside.
    bars_repaired, bars_refused
        Stated bars that changed an earlier statement; that no market can have traded.
    unknown_instruments
        Events of instruments that were never listed.
    first_event_ns, last_event_ns
        Lowest and highest event time; None without events.
    counts
        Every count of the state that rose, and by how much.
    """

    events: int
    gaps: int
    crossed: int
    resyncs: int
    bars_closed: int
    bars_repaired: int
    bars_refused: int
    unknown_instruments: int
    first_event_ns: int | None
    last_event_ns: int | None
    counts: dict[str, int]


def ingest(state: MarketState, events: Iterable[Event]) -> IngestReport:
    """What the events brought, after all of them were applied in order.

    Raises
    ------
    InputError
        If something among them is not a model event.
    """
    before = state.counters
    apply = state.apply
    count = 0
    first: int | None = None
    last: int | None = None
    for event in events:
        apply(event)
        count += 1
        event_ns = event.event_ns
        if first is None or last is None:
            first = last = event_ns
        elif event_ns > last:
            last = event_ns
        elif event_ns < first:
            first = event_ns
    rose = {name: now - before[name] for name, now in state.counters.items() if now > before[name]}
    return IngestReport(
        events=count,
        gaps=rose.get("book_gaps", 0),
        crossed=rose.get("book_crossed", 0),
        resyncs=rose.get("book_resyncs", 0),
        bars_closed=rose.get("bars_closed", 0) + rose.get("bars_confirmed", 0) + rose.get("bars_replaced", 0),
        bars_repaired=rose.get("bars_repaired", 0),
        bars_refused=rose.get("bars_refused", 0),
        unknown_instruments=rose.get("unknown_instruments", 0),
        first_event_ns=first,
        last_event_ns=last,
        counts=rose,
    )
