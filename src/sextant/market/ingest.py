"""From an ordered iterator of model events to a market state: live sockets, a file or another process alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from sextant.market.parts import StatePart
from sextant.market.state import MarketState, Replacement
from sextant.model.event_block import EventBlock
from sextant.model.events import Event
from sextant.model.instrument import Instrument
from sextant.model.shard import Shard

Met = Literal["applied", "agrees", "differs", "gap"]
"""What became of an entry: its events were applied; the state is, or is not, what the feed says; something before it is missing."""


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


def learn(state: MarketState, events: Iterable[Event] | EventBlock) -> list[Instrument]:
    """The instruments whose book lost a message and must be asked for anew, after applying events in order.

    Raises
    ------
    InputError
        If something among them is not a model event.
    """
    if isinstance(events, EventBlock):
        state.apply(events)
    else:
        for event in events:
            state.apply(event)
    return [instrument for instrument, _ in state.drain_resyncs()]


class ShardEntry(msgspec.Struct, frozen=True):
    """One entry of a shard's stream.

    Parameters
    ----------
    entry_id
        Its place; whoever numbers the entries decides what it looks like.
    after
        The place it continues.
    events
        What the feed learnt, in order.
    digest
        What the shard's part of the state is after everything before; empty where the entry does not say.
    """

    entry_id: str
    after: str
    events: Sequence[Event] = ()
    digest: str = ""


class ShardIngest:
    """Keeps one shard's part of a state equal to that of its feed.

    Parameters
    ----------
    state
        The state, which other shards may tell of other instruments.
    shard
        Whose entries come.
    start
        The place before the first entry of a stream.
    """

    def __init__(self, state: MarketState, shard: Shard, start: str) -> None:
        self._state = state
        self.part = StatePart(state, shard)
        self.position = start

    def take(self, entry: ShardEntry) -> Met:
        """What became of the next entry; on a gap nothing changes, and only :meth:`restore` helps."""
        if entry.after != self.position:
            return "gap"
        learn(self._state, entry.events)
        self.position = entry.entry_id
        if not entry.digest:
            return "applied"
        return "agrees" if self.part.digest() == entry.digest else "differs"

    def restore(self, position: str, loaded: Replacement) -> None:
        """Know what the feed knew at a place, and go on from there."""
        self.part.restore(loaded)
        self.position = position
