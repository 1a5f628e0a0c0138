"""How old each stream of each instrument is, judged against its expected cadence at a time that is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import msgspec

from sextant.model.cells import Cells, IntCell, compiled, ints_at
from sextant.model.events import Stream
from sextant.model.times import SECOND_NS

FreshnessState = Literal["live", "late", "stale", "invalid", "unsupported"]

STREAMS: Final[tuple[Stream, ...]] = get_args(Stream)

CADENCE_NS: Final[Mapping[Stream, int]] = {
    "book": 5 * SECOND_NS,  # a book older than 5 s is not sampled: confluence.md 0.2
    "quote": 5 * SECOND_NS,
    "trades": 30 * SECOND_NS,  # silence is normal; the answer to a ping, sent every 20 s, is not optional
    "liquidations": 30 * SECOND_NS,
    "bars": 60 * SECOND_NS,  # the forming bar is pushed every 1 to 60 s
    "derivatives": 60 * SECOND_NS,
}
"""Longest time between two proofs of life of a healthy stream."""

LATE_CADENCES: Final = 2  # a feed that stands still is stale after twice its cadence: faults.md S10


CADENCE, BEGAN, NEWEST, DUE, RECEIVED, REPEATED, ALIVE, DOWN = range(8)
PULSE_CELLS: Final = 8


class Freshness(msgspec.Struct, frozen=True):
    """The age of one stream.

    Parameters
    ----------
    state
        live up to one cadence, late up to two, then stale; invalid while its connection is gone or its
        book is not believed; unsupported when nothing ever came.
    since_ns
        Since when; None for unsupported.
    reason
        Why it is not live; empty when it is.
    event_ns
        Event time of the newest fact; None when nothing ever came.
    age_ns
        Given time minus the newest proof of life; None when there was none.
    """

    state: FreshnessState
    since_ns: int | None = None
    reason: str = ""
    event_ns: int | None = None
    age_ns: int | None = None


class Pulse:
    """Proofs of life of one stream of one instrument."""

    __slots__ = ("cells", "down_reason")

    cadence_ns = IntCell(CADENCE)
    began_ns = IntCell(BEGAN)
    event_ns = IntCell(NEWEST)
    due_ns = IntCell(DUE)
    receive_ns = IntCell(RECEIVED)
    repeat_ns = IntCell(REPEATED)
    alive_ns = IntCell(ALIVE)
    down_ns = IntCell(DOWN)

    def __init__(self, cadence_ns: int) -> None:
        self.cells = Cells(PULSE_CELLS)
        self.cells.ints[CADENCE] = cadence_ns
        self.down_reason = ""

    def beat(self, event_ns: int, receive_ns: int) -> None:
        """Note a message."""
        ints = self.cells.ints
        if ints[NEWEST] < event_ns <= ints[DUE]:
            ints[NEWEST] = event_ns
            ints[RECEIVED] = receive_ns
            ints[DUE] = event_ns + ints[CADENCE]
        else:
            self._beat_out_of_turn(event_ns, receive_ns)

    def _beat_out_of_turn(self, event_ns: int, receive_ns: int) -> None:
        """Note the first message, one after a silence or a lost connection, or one that repeats a time."""
        if self.down_reason or event_ns > self.due_ns:
            self.began_ns = event_ns
            self.down_reason = ""
        if event_ns > self.event_ns:
            self.event_ns = event_ns
            self.receive_ns = receive_ns
        else:
            self.repeat_ns = receive_ns
        self.due_ns = self.event_ns + self.cadence_ns

    def alive(self, event_ns: int) -> None:
        """Note that the connection answered although the stream was quiet."""
        self.alive_ns = max(self.alive_ns, event_ns)

    def down(self, reason: str, event_ns: int) -> None:
        """Note that the connection is gone; the next message ends it."""
        if not self.down_reason:
            self.down_ns, self.down_reason = event_ns, reason or "down"
            self.due_ns = 0

    def judge(self, now_ns: int) -> Freshness:
        """The age as of ``now_ns``.

        Notes
        -----
        Messages that go on repeating one event time for longer than a cadence prove that the feed stands
        still; then an answering connection proves nothing.
        """
        seen = self.event_ns or None
        frozen = self.repeat_ns - self.receive_ns > self.cadence_ns
        proof = self.event_ns if frozen else max(self.event_ns, self.alive_ns)
        if self.down_reason:
            age = now_ns - proof if proof else None
            return Freshness("invalid", self.down_ns, self.down_reason, seen, age)
        if not proof:
            return Freshness("unsupported", reason="nothing ever came")
        age = now_ns - proof
        late_ns = proof + self.cadence_ns
        stale_ns = proof + LATE_CADENCES * self.cadence_ns
        if now_ns >= stale_ns:
            return Freshness("stale", stale_ns, "frozen" if frozen else "silent", seen, age)
        if now_ns > late_ns:
            return Freshness("late", late_ns, "frozen" if frozen else "silent", seen, age)
        return Freshness("live", self.began_ns or proof, "", seen, age)

    def content(self) -> tuple[object, ...]:
        """Everything the pulse will judge by, for hashing."""
        return (self.cells.ints.tolist(), self.down_reason)

    def restore(self, content: Any) -> None:
        """Become the pulse whose :meth:`content` it was."""
        numbers, self.down_reason = content
        self.cells.put_ints(0, numbers)


@compiled
def in_turn(pulse: int, event_ns: int) -> bool:
    """Whether a message comes before its stream is due; else it ends a silence or a loss, or is the first."""
    on_time: bool = event_ns <= ints_at(pulse)[DUE]
    return on_time


@compiled
def beat(pulse: int, event_ns: int, receive_ns: int) -> None:
    """Note a message that comes in turn."""
    cells = ints_at(pulse)
    if event_ns > cells[NEWEST]:
        cells[NEWEST], cells[RECEIVED], cells[DUE] = event_ns, receive_ns, event_ns + cells[CADENCE]
    else:
        cells[REPEATED] = receive_ns
