"""Samples of a book a second time, in lists and dictionaries: what the compiled samples must equal."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate, repeat
from operator import mul, neg
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

DEEP_S: Final = 10
"""Every so many seconds the whole visible book is read; on the others ten levels a side."""

_Side = tuple[list[int], list[float]]
"""Keys (ticks, negative for asks) and sizes, best first."""
_SECONDS: Final = 60
_WEIGHTS: Final = tuple(accumulate(repeat(FADE, WEIGHED_LEVELS - 1), mul, initial=1.0))
_UNKNOWN: Final = math.nan


class PlainSamples:
    """Samples of one instrument's book, and the flow of its best levels.

    Parameters
    ----------
    book
        The book; read before each message that changes it.

    Notes
    -----
    The sample of a second is the book as it stood when the second began, so that a minute has sixty and each was known then.
    The sums over many levels are read every ten seconds, what withdrew among the ten best levels.
    Order flow is followed from sample to sample: what came and went within a second is not in it.
    """

    __slots__ = (
        "_book",
        "_deep",
        "_done",
        "_early",
        "_flow",
        "_last",
        "_levels",
        "_minute",
        "_near",
        "_next",
        "_pending",
        "_traded",
        "_withdrawn",
        "next_ns",
    )

    def __init__(self, book: Book) -> None:
        self._book = book
        self.next_ns = 0
        self._next = 0
        self._minute = -1
        self._last = 0
        self._near, self._deep = [0.0] * 5, [0.0] * 6
        self._withdrawn = [0.0, 0.0, 0.0]
        self._flow = _Flow()
        self._levels: list[_Side] = []
        self._pending: list[dict[int, tuple[float, float, bool]]] = []
        self._traded: list[dict[int, float]] = [{}, {}]
        self._early: list[dict[int, float]] = [{}, {}]
        self._done: dict[int, tuple[float, ...]] = {}

    def before(self, event_ns: int) -> None:
        """Take the samples of the seconds that began by then, before a message of that time is applied."""
        if event_ns < self.next_ns:
            return
        upto = event_ns // SECOND_NS
        self.next_ns = (upto + 1) * SECOND_NS
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
                self.begin()
            self._next = end + 1

    def begin(self) -> None:
        """Begin anew with a book that was told whole: the one before it says nothing of what happened between."""
        self._levels, self._pending = [], []
        self._flow.forget()

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
            self.next_ns,
            self._minute,
            self._last,
            self._near,
            self._deep,
            self._withdrawn,
            self._flow.content(),
            self._levels,
            [[(key, *rest) for key, rest in side.items()] for side in self._pending],
            [list(side.items()) for side in self._traded],
            [list(side.items()) for side in self._early],
            list(self._done.items()),
        )

    def restore(self, content: Any) -> None:
        """Become the samples whose :meth:`content` it was."""
        self._next, self.next_ns, self._minute, self._last, *rest = content
        near, deep, withdrawn, flow, levels, pending, traded, early, done = rest
        self._near, self._deep, self._withdrawn = list(near), list(deep), list(withdrawn)
        self._flow.restore(flow)
        self._levels = [(list(keys), list(sizes)) for keys, sizes in levels]
        self._pending = [{key: (before, gone, hit) for key, before, gone, hit in side} for side in pending]
        self._traded = [{int(key): size for key, size in side} for side in traded]
        self._early = [{int(key): size for key, size in side} for side in early]
        self._done = {minute: tuple(values) for minute, values in done}

    def _roll(self, minute: int) -> None:
        """Keep the means of the minute that is over and begin another."""
        n = self._near[-1]
        if n:
            gone = [x if self._withdrawn[2] else _UNKNOWN for x in self._withdrawn[:2]]
            age = (self._minute + 1) * _SECONDS - self._last
            spread, touch, top, micro = _means(self._near)
            depth, *deep = _means(self._deep)
            shape = (spread, touch, top, depth, micro, *deep)
            self._done[self._minute] = (n, float(age), *shape, *self._flow.ratios(), *gone)
        elif self._book.event_ns:
            self._done[self._minute] = (0.0, *NO_SAMPLES[1:])
        self._minute = minute
        self._near, self._deep = [0.0] * 5, [0.0] * 6
        self._withdrawn = [0.0, 0.0, 0.0]
        self._flow.restart()

    def _sample(self, second: int, count: int) -> None:
        bids, asks = self._book.sides
        near = _read(bids, LEAST_LEVELS), _read(asks, LEAST_LEVELS)
        if min(len(near[0][0]), len(near[1][0])) < LEAST_LEVELS:
            self.begin()
            return
        self._flow.move(*near, count)
        _add(self._near, near_sample(*near), count)
        self._last = second + count - 1
        deep = -(-second // DEEP_S) * DEEP_S
        if deep <= self._last:
            whole = _read(bids, READ_LEVELS), _read(asks, READ_LEVELS)
            _add(self._deep, deep_sample(*whole, bids.tick), 1 + (self._last - deep) // DEEP_S)
        self._withdraw(*near)
        if count > 1 and any(self._pending):  # what nobody changed for a second is confirmed by then
            self._withdraw(*near)

    def _withdraw(self, bids: _Side, asks: _Side) -> None:
        """Compare the levels near the touch with those of the second before."""
        pending: list[dict[int, tuple[float, float, bool]]] = []
        for at, (side, levels) in enumerate(zip(self._book.sides, (bids, asks), strict=True)):
            fresh, traded = self._traded[at], self._traded[at]
            if self._early[at]:
                traded = {**fresh, **{key: x + fresh.get(key, 0.0) for key, x in self._early[at].items()}}
            if self._pending and self._pending[at]:
                self._withdrawn[at] += _confirmed(self._pending[at], side, traded)
            if self._levels:
                self._withdrawn[2] = 1.0
                pending.append(_gone(self._levels[at], dict(side.content()), traded, levels[0][-1]))
            # What was traded before the book told that the size was gone counts for a second more.
            before = dict(zip(*self._levels[at], strict=True)) if self._levels and fresh else {}
            sizes = dict(side.content())
            self._early[at] = {
                key: more
                for key, size in fresh.items()
                if key in before and (more := min(size, size - before[key] + sizes.get(key, 0.0))) > 0
            }
            self._traded[at] = {}
        self._pending = pending
        self._levels = [_close_by(bids), _close_by(asks)]


NO_SAMPLES: Final = (_UNKNOWN,) * 15


def near_sample(bids: _Side, asks: _Side) -> tuple[float, ...]:
    """Spread in bps; imbalance of the touch and of five levels; offset of the micro price in spreads.

    Parameters
    ----------
    bids, asks
        Keys (ticks, negative for asks) and sizes, best first.
    """
    (bid_keys, bid_sizes), (ask_keys, ask_sizes) = bids, asks
    bid, ask = bid_keys[0], -ask_keys[0]
    touch = _share(bid_sizes[0], ask_sizes[0])
    top = _share(sum(bid_sizes[:TOP_LEVELS]), sum(ask_sizes[:TOP_LEVELS]))
    return 2e4 * (ask - bid) / (bid + ask), touch, top, touch / 2.0


def deep_sample(bids: _Side, asks: _Side, tick: float) -> tuple[float, ...]:
    """Imbalance of 25 levels; notional within 25 bps a side; imbalance within 50 bps; asymmetry of a walk of 100,000 USD.

    Parameters
    ----------
    bids, asks
        As in :func:`near_sample`.
    tick
        Quote units.

    Notes
    -----
    The imbalance within 50 bps is NaN where the book ends inside. The walk is positive where asks are thinner.
    """
    (bid_keys, bid_sizes), (ask_keys, ask_sizes) = bids, asks
    mid = (bid_keys[0] - ask_keys[0]) / 2.0
    sold = list(map(mul, bid_keys, bid_sizes))  # in ticks, as are those bought, which are negative
    bought = list(map(mul, ask_keys, ask_sizes))
    far_bids, far_asks = _reaching(bid_keys, mid - FAR * mid), _reaching(ask_keys, -mid - FAR * mid)
    whole = far_bids < len(bid_keys) and far_asks < len(ask_keys)
    return (
        _share(sum(map(mul, _WEIGHTS, bid_sizes)), sum(map(mul, _WEIGHTS, ask_sizes))),
        tick * sum(sold[: _reaching(bid_keys, mid - NEAR * mid)]),
        -tick * sum(bought[: _reaching(ask_keys, -mid - NEAR * mid)]),
        _share(sum(sold[:far_bids]), -sum(bought[:far_asks])) if whole else _UNKNOWN,
        _walk_asymmetry(bids, asks, mid, tick),
    )


def _add(sums: list[float], values: tuple[float, ...], count: int) -> None:
    """Add a sample that lasted for ``count`` samples; the last sum is their number."""
    for place, value in enumerate(values):
        sums[place] += count * value
    sums[-1] += count


def _means(sums: list[float]) -> list[float]:
    return [x / sums[-1] if sums[-1] else _UNKNOWN for x in sums[:-1]]


def _read(side: BookSide, count: int) -> _Side:
    levels = side.content()[: -count - 1 : -1]
    return [key for key, _ in levels], [size for _, size in levels]


def _share(bid: float, ask: float) -> float:
    return (bid - ask) / (bid + ask) if bid + ask > 0 else 0.0


def _reaching(keys: list[int], least: float) -> int:
    """How many keys, best first, are not below one."""
    return bisect_right(keys, -least, key=neg)


def _close_by(levels: _Side) -> _Side:
    """The levels within 10 bps of the best one."""
    keys, sizes = levels
    count = _reaching(keys, keys[0] - TOUCH * abs(keys[0]))
    return keys[:count], sizes[:count]


def _gone(
    levels: _Side, sizes: dict[int, float], traded: dict[int, float], worst: int
) -> dict[int, tuple[float, float, bool]]:
    """By level that lost size nobody traded: what it had, what it lost, and whether it was traded at all.

    A level below the worst visible one says nothing: it may still be there.
    """
    found = {}
    for key, before in zip(*levels, strict=True):
        now = sizes.get(key, 0.0)
        if now < before and (now or key > worst):
            lost = before - now - traded.get(key, 0.0)
            if lost > 0:
                found[key] = (before, lost, key in traded)
    return found


def _confirmed(
    pending: dict[int, tuple[float, float, bool]], side: BookSide, traded: dict[int, float]
) -> float:
    """What of the losses of the second before was withdrawn, quote units: not traded since, nor put back after a trade."""
    total, sizes = 0.0, dict(side.content())
    for key, (before, lost, hit) in pending.items():
        left = lost - traded.get(key, 0.0)
        back = sizes.get(key, 0.0) >= RESTORED * before and (hit or key in traded)
        if left > 0 and not back:
            total += left * abs(key) * side.tick
    return total


def _walk_asymmetry(bids: _Side, asks: _Side, mid: float, tick: float) -> float:
    """How much dearer it is to buy than to sell the same notional, over both; of at most a fifth of the thinner side."""
    depth = [abs(sum(map(mul, keys[:WALKED_LEVELS], sizes))) for keys, sizes in (bids, asks)]
    notional = min(WALK_USD / tick, WALK_SHARE * min(depth))
    sell, buy = (abs(_walked(*side, notional) / mid - 1.0) for side in (bids, asks))
    return (buy - sell) / (buy + sell) if buy + sell > 0 else 0.0


def _walked(keys: list[int], sizes: list[float], notional: float) -> float:
    """The mean price of a notional that fits into the levels, both in ticks."""
    left, base = notional, 0.0
    for key, size in zip(keys, sizes, strict=True):
        turnover = abs(key) * size
        if turnover >= left:
            return notional / (base + left / abs(key))
        base += size
        left -= turnover
    return notional / base


class _Flow:
    """Order flow imbalance of the five best levels since the minute began, and the mean depth beside it."""

    __slots__ = ("_before", "_depth", "_moved", "_states")

    def __init__(self) -> None:
        self._before: tuple[_Side, _Side] | None = None
        self._moved = [0.0] * TOP_LEVELS
        self._depth = [0.0] * TOP_LEVELS
        self._states = 0

    def move(self, bids: _Side, asks: _Side, count: int) -> None:
        """Add what changed since the state before, or begin with this one, which lasted for ``count`` samples."""
        now = (
            (bids[0][:TOP_LEVELS], bids[1][:TOP_LEVELS]),
            (asks[0][:TOP_LEVELS], asks[1][:TOP_LEVELS]),
        )
        before, self._before = self._before, now
        if before is None:
            self._zero()
        else:
            moved = self._moved
            for sign, was, present in ((1.0, before[0], now[0]), (-1.0, before[1], now[1])):
                for level, (key_was, had, key, has) in enumerate(zip(*was, *present, strict=True)):
                    if key > key_was:
                        moved[level] += sign * has
                    elif key < key_was:
                        moved[level] -= sign * had
                    elif has != had:
                        moved[level] += sign * (has - had)
        self._count(now, count)

    def ratios(self) -> tuple[float, float]:
        """Of the touch, and the mean over the five levels; NaN where nothing was followed."""
        if not self._states:
            return _UNKNOWN, _UNKNOWN
        found = [
            moved / (depth / self._states) for moved, depth in zip(self._moved, self._depth, strict=True)
        ]
        return found[0], sum(found) / TOP_LEVELS

    def restart(self) -> None:
        """Begin another minute from the levels as they are."""
        self._zero()
        if self._before is not None:
            self._count(self._before, 1)

    def forget(self) -> None:
        """Know nothing until a whole book comes."""
        self._before = None
        self._zero()

    def content(self) -> tuple[object, ...]:
        """Everything it will act on, for hashing."""
        return (self._before, self._moved, self._depth, self._states)

    def restore(self, content: Any) -> None:
        """Become the flow whose :meth:`content` it was."""
        before, moved, depth, self._states = content
        self._moved, self._depth = list(moved), list(depth)
        self._before = None
        if before is not None:
            first, second = ((list(keys), list(sizes)) for keys, sizes in before)
            self._before = first, second

    def _zero(self) -> None:
        self._moved, self._depth, self._states = [0.0] * TOP_LEVELS, [0.0] * TOP_LEVELS, 0

    def _count(self, now: tuple[_Side, _Side], count: int) -> None:
        self._states += count
        depth = self._depth
        for level, (bid, ask) in enumerate(zip(now[0][1], now[1][1], strict=True)):
            depth[level] += count * (bid + ask) / 2.0
