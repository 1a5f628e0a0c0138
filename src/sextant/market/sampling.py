"""Kernels of samples: a book as it stood at a second, its flow and what was withdrawn, summed in cells."""

from __future__ import annotations

import math
from itertools import accumulate, repeat
from operator import mul
from typing import Final

import numpy as np

from sextant.market.levels import (
    ASKS,
    BIDS,
    COUNT,
    EVENT_NS,
    KEYS,
    PLAIN,
    ROOM,
    TICK,
)
from sextant.market.sample_cells import (
    CLOSE,
    CLOSE_STEP,
    DEEP,
    DEPTH,
    FOLLOWED,
    HELD,
    LAST,
    LEAST_LEVELS,
    LOST,
    LOST_STEP,
    MINUTE,
    MOVED,
    NEAR,
    NEXT,
    NEXT_NS,
    STATES,
    TOP_LEVELS,
    TOPS,
    WAITED,
)
from sextant.market.withdrawing import withdraw
from sextant.model.cells import compiled, ints_at, reals_at
from sextant.model.times import SECOND_NS

MOST_AGE_NS: Final = 5 * SECOND_NS
"""A book that was last told before is not sampled."""
READ_LEVELS: Final = 50
WEIGHED_LEVELS: Final = 25
WALKED_LEVELS: Final = 20
FADE: Final = 0.95
WALK_USD: Final = 100_000.0
WALK_SHARE: Final = 0.2
NEAR_FRAC: Final = 25e-4
FAR_FRAC: Final = 50e-4
DEEP_S: Final = 10
"""Every so many seconds the whole visible book is read; on the others ten levels a side."""
SECONDS: Final = 60

_WEIGHTS: Final = np.array([*accumulate(repeat(FADE, WEIGHED_LEVELS - 1), mul, initial=1.0)])


@compiled
def share(bid: float, ask: float) -> float:
    """Imbalance in [-1, 1], positive where bids are more; 0 of nothing."""
    return (bid - ask) / (bid + ask) if bid + ask > 0.0 else 0.0


@compiled
def summed(side: int, count: int) -> float:
    """The size of the best levels."""
    reals, last = reals_at(side), KEYS + ints_at(side)[ROOM] + ints_at(side)[COUNT] - 1
    total = 0.0
    for level in range(count):
        total += reals[last - level]
    return total


@compiled
def near(bids: int, asks: int, sums: int, count: int) -> None:
    """Add spread in bps, imbalance of the touch and of five levels, and the offset of the micro price in spreads.

    Parameters
    ----------
    bids, asks
        Addresses of sides of at least five levels.
    sums
        Address of the sums, the last of which is their number.
    count
        Samples that the book as it is stands for.
    """
    bid = ints_at(bids)[KEYS + ints_at(bids)[COUNT] - 1]
    ask = -ints_at(asks)[KEYS + ints_at(asks)[COUNT] - 1]
    touch = share(summed(bids, 1), summed(asks, 1))
    into = reals_at(sums)
    into[0] += count * (2e4 * (ask - bid) / (bid + ask))
    into[1] += count * touch
    into[2] += count * share(summed(bids, TOP_LEVELS), summed(asks, TOP_LEVELS))
    into[3] += count * (touch / 2.0)
    into[4] += count


@compiled
def within(side: int, least: float) -> int:
    """How many of the best fifty levels are not below a key."""
    cells = ints_at(side)
    last, most = KEYS + cells[COUNT] - 1, min(cells[COUNT], READ_LEVELS)
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        if cells[last - middle] >= least:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def notional(side: int, count: int) -> float:
    """Key times size of the best levels, summed: in ticks, and below 0 for asks."""
    cells, reals = ints_at(side), reals_at(side)
    last, room = KEYS + cells[COUNT] - 1, cells[ROOM]
    total = 0.0
    for level in range(count):
        total += cells[last - level] * reals[last + room - level]
    return total


@compiled
def weighed(side: int) -> float:
    """The size of the best levels, each worth a twentieth less than the one before."""
    cells, reals = ints_at(side), reals_at(side)
    last = KEYS + cells[ROOM] + cells[COUNT] - 1
    total = 0.0
    for level in range(min(cells[COUNT], WEIGHED_LEVELS)):
        total += _WEIGHTS[level] * reals[last - level]
    return total


@compiled
def walked(side: int, wanted: float) -> float:
    """The mean price of a notional that fits into the best fifty levels, both in ticks."""
    cells, reals = ints_at(side), reals_at(side)
    last, room = KEYS + cells[COUNT] - 1, cells[ROOM]
    left, base = wanted, 0.0
    for level in range(min(cells[COUNT], READ_LEVELS)):
        price, size = abs(cells[last - level]), reals[last + room - level]
        turnover = price * size
        if turnover >= left:
            paid: float = wanted / (base + left / price)
            return paid
        base += size
        left -= turnover
    return wanted / base


@compiled
def walk_asymmetry(bids: int, asks: int, mid: float) -> float:
    """How much dearer it is to buy than to sell the same notional, over both; of at most a fifth of the thinner side."""
    bid_depth = abs(notional(bids, min(ints_at(bids)[COUNT], WALKED_LEVELS)))
    ask_depth = abs(notional(asks, min(ints_at(asks)[COUNT], WALKED_LEVELS)))
    wanted = min(WALK_USD / reals_at(bids)[TICK], WALK_SHARE * min(bid_depth, ask_depth))
    sell = abs(walked(bids, wanted) / mid - 1.0)
    buy = abs(walked(asks, wanted) / mid - 1.0)
    return (buy - sell) / (buy + sell) if buy + sell > 0.0 else 0.0


@compiled
def deep(bids: int, asks: int, sums: int, count: int) -> None:
    """Add imbalance of 25 levels, notional within 25 bps a side, imbalance within 50 bps, asymmetry of a walk of 100,000 USD.

    Parameters
    ----------
    bids, asks, sums, count
        As in :func:`near`.

    Notes
    -----
    The imbalance within 50 bps is NaN where the book ends inside. The walk is positive where asks are thinner.
    """
    bid = ints_at(bids)[KEYS + ints_at(bids)[COUNT] - 1]
    ask = ints_at(asks)[KEYS + ints_at(asks)[COUNT] - 1]
    mid, tick = (bid - ask) / 2.0, reals_at(bids)[TICK]
    far_bids, far_asks = within(bids, mid - FAR_FRAC * mid), within(asks, -mid - FAR_FRAC * mid)
    whole = far_bids < min(ints_at(bids)[COUNT], READ_LEVELS) and far_asks < min(
        ints_at(asks)[COUNT], READ_LEVELS
    )
    into = reals_at(sums)
    into[0] += count * share(weighed(bids), weighed(asks))
    into[1] += count * (tick * notional(bids, within(bids, mid - NEAR_FRAC * mid)))
    into[2] += count * (-tick * notional(asks, within(asks, -mid - NEAR_FRAC * mid)))
    into[3] += count * (share(notional(bids, far_bids), -notional(asks, far_asks)) if whole else math.nan)
    into[4] += count * walk_asymmetry(bids, asks, mid)
    into[5] += count


@compiled
def begin(samples: int) -> None:
    """Begin anew with a book that was told whole: the one before it says nothing of what happened between."""
    cells, reals = ints_at(samples), reals_at(samples)
    cells[HELD] = cells[WAITED] = cells[FOLLOWED] = cells[STATES] = 0
    for side in range(2):
        cells[CLOSE + side * CLOSE_STEP] = 0
        cells[LOST + side * LOST_STEP] = 0
    for level in range(TOP_LEVELS):
        reals[MOVED + level] = reals[DEPTH + level] = 0.0


@compiled
def count_tops(samples: int, count: int) -> None:
    """Count the best levels as the flow saw them last for so many states."""
    cells, reals = ints_at(samples), reals_at(samples)
    cells[STATES] += count
    for level in range(TOP_LEVELS):
        bid, ask = reals[TOPS + TOP_LEVELS + level], reals[TOPS + 3 * TOP_LEVELS + level]
        reals[DEPTH + level] += count * (bid + ask) / 2.0


@compiled
def follow(samples: int, bids: int, asks: int, count: int) -> None:
    """Add to the flow what changed since the state before, or begin with this one, which lasted for ``count`` samples."""
    cells, reals = ints_at(samples), reals_at(samples)
    for side in range(2):
        book, sign = (bids, 1.0) if side == 0 else (asks, -1.0)
        keys, sizes = ints_at(book), reals_at(book)
        last, room = KEYS + keys[COUNT] - 1, keys[ROOM]
        for level in range(TOP_LEVELS):
            at = TOPS + 2 * TOP_LEVELS * side + level
            key_was, had = cells[at], reals[at + TOP_LEVELS]
            key, has = keys[last - level], sizes[last + room - level]
            if cells[FOLLOWED]:
                if key > key_was:
                    reals[MOVED + level] += sign * has
                elif key < key_was:
                    reals[MOVED + level] -= sign * had
                elif has != had:
                    reals[MOVED + level] += sign * (has - had)
            cells[at], reals[at + TOP_LEVELS] = key, has
    if not cells[FOLLOWED]:
        cells[STATES] = 0
        for level in range(TOP_LEVELS):
            reals[MOVED + level] = reals[DEPTH + level] = 0.0
    cells[FOLLOWED] = 1
    count_tops(samples, count)


@compiled
def sample(samples: int, book: int, second: int, count: int) -> None:
    """Sample a valid book for so many seconds from one on; one of few levels is begun anew."""
    cells = ints_at(samples)
    bids, asks = ints_at(book)[BIDS], ints_at(book)[ASKS]
    if min(ints_at(bids)[COUNT], ints_at(asks)[COUNT]) < LEAST_LEVELS:
        begin(samples)
        return
    follow(samples, bids, asks, count)
    near(bids, asks, samples + 8 * NEAR, count)
    last = second + count - 1
    cells[LAST] = last
    whole = -(-second // DEEP_S) * DEEP_S
    if whole <= last:
        deep(bids, asks, samples + 8 * DEEP, 1 + (last - whole) // DEEP_S)
    withdraw(samples, bids, asks)
    if count > 1 and (cells[LOST] > 0 or cells[LOST + LOST_STEP] > 0):
        # What nobody changed for a second is confirmed by then.
        withdraw(samples, bids, asks)


@compiled
def sample_upto(samples: int, book: int, last: int, valid: int) -> None:
    """Take the samples of the seconds up to one, all of the minute begun, from a book that is valid (1) or not (0)."""
    cells = ints_at(samples)
    fresh = (ints_at(book)[EVENT_NS] + MOST_AGE_NS) // SECOND_NS
    seen = min(last, fresh) - cells[NEXT] + 1
    if seen > 0 and valid:
        sample(samples, book, cells[NEXT], seen)
    else:
        begin(samples)
    cells[NEXT] = last + 1


@compiled
def sample_before(samples: int, book: int, event_ns: int) -> bool:
    """Whether what a message of a time comes after is sampled: a plain book, in the minute begun."""
    cells = ints_at(samples)
    if event_ns < cells[NEXT_NS]:
        return True
    upto, minute = event_ns // SECOND_NS, cells[MINUTE]
    if not ints_at(book)[PLAIN] or minute != upto // SECONDS or minute != cells[NEXT] // SECONDS:
        return False
    cells[NEXT_NS] = (upto + 1) * SECOND_NS
    if cells[NEXT] <= upto:
        sample_upto(samples, book, upto, 1)
    return True


@compiled
def restart_flow(samples: int) -> None:
    """Begin another minute of the flow from the levels as they are."""
    cells, reals = ints_at(samples), reals_at(samples)
    cells[STATES] = 0
    for level in range(TOP_LEVELS):
        reals[MOVED + level] = reals[DEPTH + level] = 0.0
    if cells[FOLLOWED]:
        count_tops(samples, 1)
