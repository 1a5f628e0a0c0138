"""What a book looks like once a second and how its best levels move, averaged over each minute."""

from __future__ import annotations

import math
from typing import Any, Final

from sextant.market.books import Book, BookSide
from sextant.model.times import MINUTE_NS, SECOND_NS

MOST_AGE_NS: Final = 5 * SECOND_NS
"""A book that was last told before is not sampled."""
LEAST_LEVELS: Final = 10
READ_LEVELS: Final = 50
WEIGHED_LEVELS: Final = 25
TOP_LEVELS: Final = 5
WALKED_LEVELS: Final = 20
FADE: Final = 0.95
WALK_USD: Final = 100_000.0
WALK_SHARE: Final = 0.2
NEAR: Final = 25e-4
FAR: Final = 50e-4
TOUCH: Final = 10e-4
RESTORED: Final = 0.8
LONG_SILENCE_S: Final = 3_600
"""After so long without a message nothing is asked of the time between."""

SAMPLED: Final = 10
"""Means of a sample: spread, touch, top, depth, micro, bids and asks within 25 bps, band of 50, walk, and its number."""

_Side = tuple[list[int], list[float]]
_SECONDS: Final = 60
_UNKNOWN: Final = math.nan


class Samples:
    """Samples of one instrument's book, and the flow of its best levels.

    Parameters
    ----------
    book
        The book; read before each message that changes it.

    Notes
    -----
    The sample of a second is the book as it stood when the second began, so that a minute has sixty and each was known then.
    """

    __slots__ = (
        "_book",
        "_done",
        "_flow",
        "_last",
        "_levels",
        "_minute",
        "_next",
        "_pending",
        "_sums",
        "_traded",
        "_withdrawn",
    )

    def __init__(self, book: Book) -> None:
        self._book = book
        self._next = 0
        self._minute = -1
        self._last = 0
        self._sums = [0.0] * SAMPLED
        self._withdrawn = [0.0, 0.0, 0.0]
        self._flow = _Flow()
        self._levels: list[dict[int, float]] = []
        self._pending: list[dict[int, tuple[float, float, bool]]] = []
        self._traded: list[dict[int, float]] = [{}, {}]
        self._done: dict[int, tuple[float, ...]] = {}

    def before(self, event_ns: int) -> None:
        """Take the samples of the seconds that began by then, before a message of that time is applied."""
        if event_ns < self._next * SECOND_NS:
            return
        upto = event_ns // SECOND_NS
        if self._minute < 0:
            self._minute = event_ns // MINUTE_NS
            self._next = upto + 1
            return
        if upto - self._next > LONG_SILENCE_S:
            self._next = upto
        while self._next <= upto:
            minute = self._next // _SECONDS
            if minute != self._minute:
                self._roll(minute)
            end = min(upto, minute * _SECONDS + _SECONDS - 1)
            fresh = (self._book.event_ns + MOST_AGE_NS) // SECOND_NS
            seen = min(end, fresh) - self._next + 1
            if seen > 0 and self._book.valid:
                self._sample(self._next, seen)
            else:
                self._levels, self._pending = [], []
            self._next = end + 1

    def after(self, *, fresh: bool) -> None:
        """Follow the best levels past a message that was applied; ``fresh`` where it replaced the whole book."""
        book = self._book
        if book.valid:
            self._flow.move(book.sides, fresh=fresh)
        else:
            self._flow.forget()
        if fresh:
            self._levels, self._pending = [], []

    def trade(self, price: float, size: float, sign: int) -> None:
        """Note what a trade took from the level at its price."""
        if self._levels and sign:
            ticks = round(price / self._book.sides[0].tick)
            side, key = (1, -ticks) if sign > 0 else (0, ticks)
            self._traded[side][key] = self._traded[side].get(key, 0.0) + size

    def minute(self, minute: int) -> tuple[float, ...]:
        """The means of a minute that is over and how old its last sample was at the end, NaN without samples; forgets it.

        Returns
        -------
        tuple
            Samples, age in seconds, nine means, flow of the touch and of five levels, withdrawn bids and asks.
        """
        if self._minute >= 0:
            self.before((minute + 1) * MINUTE_NS - 1)
            if self._minute == minute:
                self._roll(minute + 1)
        for old in [at for at in self._done if at < minute]:
            del self._done[old]
        return self._done.pop(minute, NO_SAMPLES)

    def content(self) -> tuple[object, ...]:
        """Everything the samples will act on, for hashing."""
        return (
            self._next,
            self._minute,
            self._last,
            self._sums,
            self._withdrawn,
            self._flow.content(),
            [list(side.items()) for side in self._levels],
            [[(key, *rest) for key, rest in side.items()] for side in self._pending],
            [list(side.items()) for side in self._traded],
            list(self._done.items()),
        )

    def restore(self, content: Any) -> None:
        """Become the samples whose :meth:`content` it was."""
        self._next, self._minute, self._last, sums, withdrawn, flow, levels, pending, traded, done = content
        self._sums, self._withdrawn = list(sums), list(withdrawn)
        self._flow.restore(flow)
        self._levels = [{int(key): size for key, size in side} for side in levels]
        self._pending = [{key: (before, gone, hit) for key, before, gone, hit in side} for side in pending]
        self._traded = [{int(key): size for key, size in side} for side in traded]
        self._done = {minute: tuple(values) for minute, values in done}

    def _roll(self, minute: int) -> None:
        """Keep the means of the minute that is over and begin another."""
        sums, n = self._sums, self._sums[-1]
        if n:
            banded = self._withdrawn[2]
            means = [x / n for x in sums[:-1]]
            gone = [x if banded else _UNKNOWN for x in self._withdrawn[:2]]
            age = (self._minute + 1) * _SECONDS - self._last
            self._done[self._minute] = (n, float(age), *means, *self._flow.ratios(), *gone)
        elif self._book.event_ns:
            self._done[self._minute] = (0.0, *NO_SAMPLES[1:])
        self._minute = minute
        self._sums = [0.0] * SAMPLED
        self._withdrawn = [0.0, 0.0, 0.0]
        self._flow.restart()

    def _sample(self, second: int, count: int) -> None:
        bids, asks = (_read(side) for side in self._book.sides)
        if min(len(bids[0]), len(asks[0])) < LEAST_LEVELS:
            self._levels, self._pending = [], []
            return
        values = sample(bids, asks, self._book.sides[0].tick)
        sums = self._sums
        for place, value in enumerate(values):
            sums[place] += count * value
        sums[-1] += count
        self._last = second + count - 1
        for _ in range(min(count, 2)):  # what nobody changed for a second is confirmed by then
            self._withdraw(bids, asks)

    def _withdraw(self, bids: _Side, asks: _Side) -> None:
        """Compare the levels near the touch with those of the second before."""
        sides = self._book.sides
        tick = sides[0].tick
        pending: list[dict[int, tuple[float, float, bool]]] = []
        for at, (side, levels) in enumerate(zip(sides, (bids, asks), strict=True)):
            sizes, traded = side.sizes, self._traded[at]
            worst = levels[0][-1]
            if self._pending:
                for key, (before, gone, hit) in self._pending[at].items():
                    left = gone - traded.get(key, 0.0)
                    back = sizes.get(key, 0.0) >= RESTORED * before and (hit or key in traded)
                    if left > 0 and not back:
                        self._withdrawn[at] += left * abs(key) * tick
            early: dict[int, float] = {}  # traded before the book told that the size was gone
            if self._levels:
                self._withdrawn[2] = 1.0
                found = {}
                for key, before in self._levels[at].items():
                    gone = before - sizes.get(key, 0.0) - traded.get(key, 0.0)
                    if gone < 0 and key in traded:
                        early[key] = min(-gone, traded[key])
                    if gone > 0 and (key in sizes or key > worst):
                        found[key] = (before, gone, key in traded)
                pending.append(found)
            self._traded[at] = early
        self._pending = pending
        self._levels = [_near(*levels) for levels in (bids, asks)]


NO_SAMPLES: Final = (_UNKNOWN,) * (SAMPLED + 5)


def sample(bids: _Side, asks: _Side, tick: float) -> tuple[float, ...]:
    """Nine figures of one state of a book with ten levels a side and more.

    Parameters
    ----------
    bids, asks
        Keys (ticks, negative for asks) and sizes, best first.
    tick
        Quote units.

    Returns
    -------
    tuple
        Spread in bps; imbalance of touch, of five and of 25 levels; offset of the micro price in spreads; bids and asks within
        25 bps in quote units; imbalance within 50 bps, NaN where the book ends inside; asymmetry of the walk of 100,000 USD,
        positive where asks are thinner.
    """
    (bid_keys, bid_sizes), (ask_keys, ask_sizes) = bids, asks
    bid, ask = bid_keys[0], -ask_keys[0]
    mid = (bid + ask) / 2.0
    near_bid, far_bid, whole_bid = _within(bids, mid, tick)
    near_ask, far_ask, whole_ask = _within(asks, mid, tick)
    touch = _share(bid_sizes[0], ask_sizes[0])
    return (
        1e4 * (ask - bid) / mid,
        touch,
        _share(sum(bid_sizes[:TOP_LEVELS]), sum(ask_sizes[:TOP_LEVELS])),
        _share(_faded(bid_sizes), _faded(ask_sizes)),
        touch / 2.0,
        near_bid,
        near_ask,
        _share(far_bid, far_ask) if whole_bid and whole_ask else _UNKNOWN,
        _walk_asymmetry(bids, asks, mid * tick, tick),
    )


def _read(side: BookSide) -> _Side:
    keys = side.keys[: -READ_LEVELS - 1 : -1]
    sizes = side.sizes
    return keys, [sizes[key] for key in keys]


def _share(bid: float, ask: float) -> float:
    return (bid - ask) / (bid + ask) if bid + ask > 0 else 0.0


def _faded(sizes: list[float]) -> float:
    total, weight = 0.0, 1.0
    for size in sizes[:WEIGHED_LEVELS]:
        total += weight * size
        weight *= FADE
    return total


def _within(levels: _Side, mid: float, tick: float) -> tuple[float, float, bool]:
    """Quote units within 25 and within 50 bps of the middle, and whether the book goes on beyond."""
    near = far = 0.0
    for key, size in zip(*levels, strict=True):
        ticks = abs(key)
        apart = abs(ticks - mid) / mid
        if apart > FAR:
            return near, far, True
        far += ticks * size * tick
        if apart <= NEAR:
            near = far
    return near, far, False


def _near(keys: list[int], sizes: list[float]) -> dict[int, float]:
    """The levels within 10 bps of the best one."""
    least = keys[0] - TOUCH * abs(keys[0])
    return {key: size for key, size in zip(keys, sizes, strict=True) if key >= least}


def _walk_asymmetry(bids: _Side, asks: _Side, mid: float, tick: float) -> float:
    """How much dearer it is to buy than to sell the same notional, over both; of at most a fifth of the thinner side."""
    sides = [
        [(abs(key) * tick, size) for key, size in zip(keys[:WALKED_LEVELS], sizes, strict=False)]
        for keys, sizes in (bids, asks)
    ]
    depth = min(sum(price * size for price, size in side) for side in sides)
    notional = min(WALK_USD, WALK_SHARE * depth)
    sell, buy = (abs(_walked(side, notional) / mid - 1.0) for side in sides)
    return (buy - sell) / (buy + sell) if buy + sell > 0 else 0.0


def _walked(levels: list[tuple[float, float]], notional: float) -> float:
    """The mean price of a notional that fits into the levels."""
    left, base = notional, 0.0
    for price, size in levels:
        taken = min(left, price * size)
        base += taken / price
        left -= taken
        if left <= 0:
            break
    return notional / base


class _Flow:
    """Order flow imbalance of the five best levels since the minute began, and the mean depth beside it."""

    __slots__ = ("_before", "_depth", "_moved", "_states")

    def __init__(self) -> None:
        self._before: list[list[tuple[int, float]]] = []
        self._moved = [0.0] * TOP_LEVELS
        self._depth = [0.0] * TOP_LEVELS
        self._states = 0

    def move(self, sides: tuple[BookSide, BookSide], *, fresh: bool) -> None:
        """Add what changed; a fresh book is where it begins again."""
        now = []
        for side in sides:
            sizes = side.sizes
            now.append([(key, sizes[key]) for key in side.keys[: -TOP_LEVELS - 1 : -1]])
        before = self._before
        if now == before:
            return
        self._before = now
        if fresh or not before:
            self._states = 0
            self._moved, self._depth = [0.0] * TOP_LEVELS, [0.0] * TOP_LEVELS
        else:
            self._add(before, now)
        self._count(now)

    def ratios(self) -> tuple[float, float]:
        """Of the touch, and the mean over the five levels; NaN where nothing was followed."""
        if not self._states:
            return _UNKNOWN, _UNKNOWN
        found = [
            moved / (depth / self._states) if depth else 0.0
            for moved, depth in zip(self._moved, self._depth, strict=True)
        ]
        return found[0], sum(found) / TOP_LEVELS

    def restart(self) -> None:
        """Begin another minute from the levels as they are."""
        self._moved, self._depth, self._states = [0.0] * TOP_LEVELS, [0.0] * TOP_LEVELS, 0
        if self._before:
            self._count(self._before)

    def forget(self) -> None:
        """Know nothing until a whole book comes."""
        self._before, self._states = [], 0

    def _add(self, before: list[list[tuple[int, float]]], now: list[list[tuple[int, float]]]) -> None:
        moved = self._moved
        for sign, was, present in ((1.0, before[0], now[0]), (-1.0, before[1], now[1])):
            for level, ((key_was, had), (key, has)) in enumerate(zip(was, present, strict=False)):
                if key > key_was:
                    moved[level] += sign * has
                elif key == key_was:
                    moved[level] += sign * (has - had)
                else:
                    moved[level] -= sign * had

    def _count(self, now: list[list[tuple[int, float]]]) -> None:
        self._states += 1
        depth = self._depth
        for side in now:
            for level, (_, size) in enumerate(side):
                depth[level] += size / 2.0

    def content(self) -> tuple[object, ...]:
        """Everything it will act on, for hashing."""
        return (self._before, self._moved, self._depth, self._states)

    def restore(self, content: Any) -> None:
        """Become the flow whose :meth:`content` it was."""
        before, moved, depth, self._states = content
        self._before = [[(key, size) for key, size in side] for side in before]
        self._moved, self._depth = list(moved), list(depth)
