"""Events of many messages in cells, as a compiled reader writes them and a compiled state applies them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias, cast

from msgspec import UNSET, UnsetType

from sextant.model.bar import Bar
from sextant.model.cells import Cells
from sextant.model.events import (
    BarUpdate,
    BookDelta,
    DerivativesUpdate,
    Event,
    Level,
    Liquidation,
    QuoteUpdate,
    Trade,
)
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVALS

UNREAD, CHANGES, TRADES, FACTS, BARS, LIQUIDATIONS = range(6)
"""What a message is; one that was not read is whatever another reader makes of it."""

KIND, WHOSE, EVENT_NS, RECEIVE_NS, EVENTS, BODY, MANY, MORE = range(8)
HEAD: Final = 8
"""Cells of a message: its kind, the place of its instrument, its times, how many events it is, the first cell of its body, and
two numbers: of bids and asks, of rows and the place of the interval, or bits of the fields told and of those among them that
do not apply."""

LEVELS: Final = 1
"""The body of a change: its number, then price and size of each bid and then each ask."""

TIME_NS, PRICE, SIZE, SIDE, BLOCK, NAME_AT, NAME_BYTES, DIGEST = range(8)
TRADE: Final = 8
"""Cells of a trade: time, price, size, 1 for a buyer and -1 for a seller, whether it was negotiated, where its name is in
the text, and the digest of the name. A liquidation has the first four, 1 for a long position."""
LIQUIDATION: Final = 4

OPEN_NS, OPEN, HIGH, LOW, CLOSE, VOLUME, TURNOVER, FINAL = range(8)
BAR: Final = 8

SIDES: Final = 4
FUNDING_INTERVAL_S, NEXT_FUNDING_NS = 11, 12
FIELDS: Final = 14
"""Cells of facts: the four of a quote, then those of derivatives from ``last`` to ``open_interest``; two of them are whole."""
WHOLE: Final = frozenset({FUNDING_INTERVAL_S, NEXT_FUNDING_NS})


class EventBlock:
    """Messages in the order of their arrival, each of them one or more events.

    Parameters
    ----------
    instruments
        Whom the messages are of; the same object for the next block unless others are listed.
    heads, bodies
        Cells as this module lays them out.
    text
        The messages one after another.
    first, last
        Which messages are meant, the last one not.

    Notes
    -----
    Iteration makes the model events; who applies cells needs none.
    """

    __slots__ = ("bodies", "first", "heads", "instruments", "last", "text")

    def __init__(
        self, instruments: tuple[Instrument, ...], heads: Cells, bodies: Cells, text: bytes, last: int
    ) -> None:
        self.instruments = instruments
        self.heads = heads
        self.bodies = bodies
        self.text = text
        self.first, self.last = 0, last

    def __len__(self) -> int:
        """How many events there are."""
        return sum(self.heads.ints[self.first * HEAD + EVENTS : self.last * HEAD : HEAD])

    def __iter__(self) -> Iterator[Event]:
        """The events in order."""
        for at in range(self.first, self.last):
            yield from self.events(at)

    def part(self, first: int, last: int) -> EventBlock:
        """Some of the messages, in the same cells."""
        part = EventBlock(self.instruments, self.heads, self.bodies, self.text, last)
        part.first = first
        return part

    def unread(self) -> list[int]:
        """The places of messages that were not read."""
        kinds = self.heads.ints[self.first * HEAD + KIND : self.last * HEAD : HEAD].tolist()
        return [self.first + at for at, kind in enumerate(kinds) if kind == UNREAD]

    def events(self, at: int) -> list[Event]:
        """The events of one message; none of one that was not read."""
        kind, whose, event_ns, receive_ns, _, body, many, more = self.heads.ints[
            at * HEAD : at * HEAD + HEAD
        ].tolist()
        if kind == UNREAD:
            return []
        instrument = self.instruments[whose]
        if kind == CHANGES:
            sequence, first = self.bodies.ints[body], body + LEVELS
            bids, asks = self._levels(first, many), self._levels(first + 2 * many, more)
            return [BookDelta(instrument, event_ns, receive_ns, sequence, sequence, None, bids, asks)]
        if kind == FACTS:
            return self._facts(at, instrument)
        rows = range(many)
        if kind == TRADES:
            return [self.trade(at, row) for row in rows]
        if kind == BARS:
            return [self._bar(at, row, instrument) for row in rows]
        return [self._liquidation(body + row * LIQUIDATION, instrument, receive_ns) for row in rows]

    def trade(self, at: int, row: int) -> Trade:
        """One trade of a message of trades."""
        heads, first = self.heads.ints, self.heads.ints[at * HEAD + BODY] + row * TRADE
        ints, reals = self.bodies.ints, self.bodies.reals
        name_at = ints[first + NAME_AT]
        return Trade(
            self.instruments[heads[at * HEAD + WHOSE]],
            ints[first + TIME_NS],
            heads[at * HEAD + RECEIVE_NS],
            self.text[name_at : name_at + ints[first + NAME_BYTES]].decode(),
            reals[first + PRICE],
            reals[first + SIZE],
            1 if ints[first + SIDE] > 0 else -1,
            bool(ints[first + BLOCK]),
        )

    def _levels(self, first: int, count: int) -> list[Level]:
        told = self.bodies.reals[first : first + 2 * count].tolist()
        return list(zip(told[::2], told[1::2], strict=True))

    def _facts(self, at: int, instrument: Instrument) -> list[Event]:
        head = self.heads.ints[at * HEAD : at * HEAD + HEAD].tolist()
        values = [self._field(head, field) for field in range(FIELDS)]
        times = (head[EVENT_NS], head[RECEIVE_NS])
        events: list[Event] = []
        if any(value is not UNSET for value in values[:SIDES]):
            events.append(QuoteUpdate(instrument, *times, *values[:SIDES]))
        if any(value is not UNSET for value in values[SIDES:]):
            # Those of whole numbers are whole: the cells say so.
            events.append(DerivativesUpdate(instrument, *times, *cast("list[int]", values[SIDES:])))
        return events

    def _field(self, head: list[int], field: int) -> float | None | UnsetType:
        if not head[MANY] >> field & 1:
            return UNSET
        if head[MORE] >> field & 1:
            return None
        cells = self.bodies.ints if field in WHOLE else self.bodies.reals
        return cells[head[BODY] + field]

    def _bar(self, at: int, row: int, instrument: Instrument) -> BarUpdate:
        heads = self.heads.ints[at * HEAD : at * HEAD + HEAD].tolist()
        first = heads[BODY] + row * BAR
        ints, reals = self.bodies.ints, self.bodies.reals
        bar = Bar(ints[first + OPEN_NS], *reals[first + OPEN : first + FINAL].tolist())
        interval = INTERVALS[heads[MORE]]
        return BarUpdate(
            instrument, heads[EVENT_NS], heads[RECEIVE_NS], interval, bar, bool(ints[first + FINAL])
        )

    def _liquidation(self, first: int, instrument: Instrument, receive_ns: int) -> Liquidation:
        ints, reals = self.bodies.ints, self.bodies.reals
        side: Literal["long", "short"] = "long" if ints[first + SIDE] > 0 else "short"
        return Liquidation(
            instrument, ints[first + TIME_NS], receive_ns, side, reals[first + PRICE], reals[first + SIZE]
        )


Events: TypeAlias = list[Event] | EventBlock
"""Events in order, one by one or in cells."""
