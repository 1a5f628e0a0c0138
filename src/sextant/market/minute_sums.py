"""What was told of each minute of one instrument besides its bar: summed as events come, closed once."""

from __future__ import annotations

import hashlib
import math
import struct
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from sextant.market.books import Book
from sextant.market.freshness import Pulse
from sextant.market.samples import Samples
from sextant.market.sizes import TradeSizes
from sextant.model.cells import Cells, IntCell, compiled, ints_at, reals_at
from sextant.model.events import Liquidation, Stream, Trade
from sextant.model.times import MINUTE_NS, SECOND_NS
from sextant.model.view import MINUTE_FIELDS

KEEP_MINUTES: Final = 1_440
WAIT_NS: Final = 5 * SECOND_NS
"""How long after its end a minute without a stated bar stays open for what comes late."""

MinuteRow = tuple[int, tuple[float, ...]]
"""The number of a minute and its values in the order of ``MINUTE_FIELDS``."""

_BUY, _SELL, _BUYS, _SELLS, _LARGE_BUY, _LARGE_SELL, _MOST, _SEEN = range(8)
_LONG, _SHORT, _COUNT, _ROOT_LONG, _ROOT_SHORT = range(8, 13)
_SUMS: Final = 13
_TRADES: Final = 8
_UNKNOWN: Final = math.nan
_CHAIN_BYTES: Final = 16
_PACKED: Final = struct.Struct(f"<q{len(MINUTE_FIELDS)}d")


DUE_NS, TRADED, OPEN, ROW, SIZES = range(5)
"""Cells of the sums: when the next minute closes, whether trades are connected, the newest open minute, -1 of none, and the
addresses of its row and of the sizes."""
SUMS_CELLS: Final = 5


class MinuteSums:
    """The minutes of one instrument.

    Parameters
    ----------
    book
        Its book.
    pulses
        The age of its streams.

    Notes
    -----
    A minute closes with its stated bar, or with the first event five seconds after its end; from then on nothing changes it, and what
    comes for it is refused. Of a minute during which a stream was not there throughout, what it tells is unknown.
    """

    __slots__ = (
        "_last",
        "_open",
        "_pulses",
        "_since_ns",
        "_sizes",
        "cells",
        "chain",
        "closed",
        "samples",
    )

    due_ns = IntCell(DUE_NS)

    def __init__(self, book: Book, pulses: Mapping[Stream, Pulse]) -> None:
        self.cells = Cells(SUMS_CELLS)
        self.samples = Samples(book)
        self.closed: deque[MinuteRow] = deque(maxlen=KEEP_MINUTES)
        self.chain = b""
        self._pulses = pulses
        self._sizes = TradeSizes()
        self._last = -1
        self._open: dict[int, Cells] = {}
        self._since_ns: dict[Stream, int] = {}
        self._settle()

    def tick(self, now_ns: int) -> None:
        """Let time pass up to a message of the book, before it is applied."""
        self.samples.before(now_ns)
        if now_ns >= self.due_ns:
            self._begin(now_ns)

    def alive(self, stream: Stream, now_ns: int) -> None:
        """Note that a stream is there."""
        if stream not in self._since_ns:
            self._since_ns[stream] = now_ns
            self._settle()
        if self._last < 0:
            self._begin(now_ns)

    def lose(self, stream: Stream) -> None:
        """Note that a stream is gone."""
        self._since_ns.pop(stream, None)
        self._settle()

    def trade(self, event: Trade, sign: int) -> bool:
        """Whether a public trade was added; ``sign`` is the side that took, 0 where nobody can say."""
        if "trades" not in self._since_ns:
            self.alive("trades", event.event_ns)
        row = self._row(event.event_ns)
        if row is None:
            return False
        row[_SEEN] += event.size
        if event.block:
            return True
        usd = event.price * event.size
        if sign:
            self.samples.trade(event.price, event.size, sign)
        large = self._sizes.take(event.event_ns, usd)
        row[_MOST] = max(row[_MOST], usd)
        if sign > 0:
            row[_BUY] += usd
            row[_BUYS] += 1.0
            if large:
                row[_LARGE_BUY] += usd
        elif sign < 0:
            row[_SELL] += usd
            row[_SELLS] += 1.0
            if large:
                row[_LARGE_SELL] += usd
        return True

    def liquidation(self, event: Liquidation) -> bool:
        """Whether a forced close was added."""
        row = self._row(event.event_ns)
        if row is None:
            return False
        usd = event.price * event.size
        short = event.side == "short"
        row[_LONG + short] += usd
        row[_COUNT] += 1.0
        row[_ROOT_LONG + short] += math.sqrt(usd)
        return True

    def advance(self, now_ns: int) -> None:
        """Close the minutes that ended five seconds ago and more."""
        self._close((now_ns - WAIT_NS) // MINUTE_NS - 1)

    def stated(self, open_ns: int) -> None:
        """Close the minute whose bar is final, and those before it."""
        if self._last >= 0:
            self._close(open_ns // MINUTE_NS)

    def content(self) -> tuple[object, ...]:
        """Everything it will act on and a digest of the minutes that are closed, for hashing."""
        return (
            self.chain,
            self.due_ns,
            self._last,
            [(minute, row.reals.tolist()) for minute, row in self._open.items()],
            sorted(self._since_ns.items()),
            self._sizes.content(),
            self.samples.content(),
        )

    def restore(self, content: Any) -> None:
        """Become the sums whose :meth:`content` it was; the closed minutes are told apart."""
        self.chain, self.due_ns, self._last, rows, since, sizes, samples = content
        self._open = {minute: Cells(_SUMS) for minute, _ in rows}
        for minute, row in rows:
            self._open[minute].put_reals(0, list(row))
        self._since_ns = dict(since)
        self._sizes.restore(sizes)
        self.samples.restore(samples)
        self._settle()

    def _settle(self) -> None:
        """Tell kernels what they may add to."""
        ints = self.cells.ints
        ints[TRADED] = "trades" in self._since_ns
        ints[OPEN] = max(self._open, default=-1)
        ints[ROW] = self._open[ints[OPEN]].at if self._open else 0
        ints[SIZES] = self._sizes.cells.at

    def _row(self, event_ns: int) -> memoryview[float] | None:
        """The sums of the minute of a time; None where it is closed."""
        if event_ns >= self.due_ns:
            self._begin(event_ns)
        minute = event_ns // MINUTE_NS
        row = self._open.get(minute)
        if row is None:
            if minute <= self._last:
                return None
            row = self._open[minute] = Cells(_SUMS)
            self._settle()
        return row.reals

    def _begin(self, event_ns: int) -> None:
        if self._last < 0:
            self._last = event_ns // MINUTE_NS - 1
            self.due_ns = (self._last + 2) * MINUTE_NS + WAIT_NS
        else:
            self.advance(event_ns)

    def _close(self, upto: int) -> None:
        first = max(self._last + 1, upto - KEEP_MINUTES + 1)
        for minute in range(first, upto + 1):
            values = self._values(minute, self._open.pop(minute, None))
            self.closed.append((minute, values))
            told = hashlib.blake2b(self.chain, digest_size=_CHAIN_BYTES)
            told.update(_PACKED.pack(minute, *values))
            self.chain = told.digest()
        if upto > self._last:
            self._last = upto
            self.due_ns = (upto + 2) * MINUTE_NS + WAIT_NS
            self._open = {minute: row for minute, row in self._open.items() if minute > upto}
            self._settle()

    def _values(self, minute: int, row: Cells | None) -> tuple[float, ...]:
        sums = [0.0] * _SUMS if row is None else row.reals.tolist()
        close_ns = (minute + 1) * MINUTE_NS
        trades = sums[:_TRADES] if self._whole("trades", minute) else [_UNKNOWN] * _TRADES
        book = self.samples.minute(minute)
        forced = [_UNKNOWN] * (_SUMS - _TRADES + 1)
        if self._whole("liquidations", minute):
            pulse = self._pulses["liquidations"]
            forced = [*sums[_TRADES:], max(0.0, (close_ns - max(pulse.event_ns, pulse.alive_ns)) / SECOND_NS)]
        return (*trades, *book, *forced)

    def _whole(self, stream: Stream, minute: int) -> bool:
        """Whether a stream was there throughout a minute."""
        since_ns = self._since_ns.get(stream)
        return since_ns is not None and since_ns <= minute * MINUTE_NS


@compiled
def is_open(sums: int, event_ns: int) -> bool:
    """Whether trades of a time are added to the newest open minute, and no minute is due before."""
    cells = ints_at(sums)
    summed: bool = cells[TRADED] and event_ns < cells[DUE_NS] and event_ns // MINUTE_NS == cells[OPEN]
    return summed


@compiled
def add_trade(sums: int, usd: float, size: float, sign: int, large: int) -> None:
    """Add a trade of a known side to the newest open minute."""
    row = reals_at(ints_at(sums)[ROW])
    row[_SEEN] += size
    row[_MOST] = max(row[_MOST], usd)
    bought = sign > 0
    row[_BUY if bought else _SELL] += usd
    row[_BUYS if bought else _SELLS] += 1.0
    if large:
        row[_LARGE_BUY if bought else _LARGE_SELL] += usd
