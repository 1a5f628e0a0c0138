"""Kernels of what was withdrawn: size near the touch that went between two samples without a trade."""

from __future__ import annotations

from typing import Final

from sextant.market.levels import COUNT, KEYS, ROOM, TICK, size_of
from sextant.market.sample_cells import (
    BOTH,
    CLOSE,
    CLOSE_STEP,
    EARLY,
    HELD,
    LEAST_LEVELS,
    LOST,
    LOST_STEP,
    TRADED,
    TRADED_LEVELS,
    TRADED_STEP,
    WAITED,
    WITHDRAWN,
)
from sextant.model.cells import compiled, ints_at, reals_at

TOUCH_FRAC: Final = 10e-4
RESTORED: Final = 0.8


@compiled
def found(at: int, key: int) -> int:
    """The place of a key in a numbered list of cells, from 0; -1 where it is not in it."""
    cells = ints_at(at)
    for place in range(cells[0]):
        if cells[1 + place] == key:
            return place
    return -1


@compiled
def amount(at: int, room: int, key: int) -> float:
    """What a numbered list of keys and amounts says of a key; 0 where it says nothing."""
    place = found(at, key)
    return reals_at(at)[1 + room + place] if place >= 0 else 0.0


@compiled
def join(both: int, traded: int, early: int) -> None:
    """What was traded since the last sample, and before it where the book had not yet told that the size was gone."""
    into, amounts = ints_at(both), reals_at(both)
    for cell in range(1 + 2 * TRADED_LEVELS):
        into[cell] = ints_at(traded)[cell]
    cells, reals = ints_at(early), reals_at(early)
    for place in range(cells[0]):
        more, at = reals[1 + LEAST_LEVELS + place], found(traded, cells[1 + place])
        if at >= 0:
            amounts[1 + TRADED_LEVELS + at] = more + amounts[1 + TRADED_LEVELS + at]
        else:
            into[1 + into[0]] = cells[1 + place]
            amounts[1 + TRADED_LEVELS + into[0]] = more
            into[0] += 1


@compiled
def confirmed(lost: int, side: int, traded: int) -> float:
    """What of the losses of the second before was withdrawn, quote units: not traded since, nor put back after a trade."""
    cells, reals = ints_at(lost), reals_at(lost)
    total = 0.0
    for place in range(cells[0]):
        key, had = cells[1 + place], reals[1 + LEAST_LEVELS + place]
        left = reals[1 + 2 * LEAST_LEVELS + place] - amount(traded, TRADED_LEVELS, key)
        hit = cells[1 + 3 * LEAST_LEVELS + place] == 1 or found(traded, key) >= 0
        back = size_of(side, key) >= RESTORED * had and hit
        if left > 0.0 and not back:
            total += left * abs(key) * reals_at(side)[TICK]
    return total


@compiled
def note_losses(lost: int, close: int, side: int, traded: int) -> None:
    """Note by level what it had, what it lost that nobody traded, and whether it was traded at all.

    A level below the worst of the ten best says nothing: it may still be there.
    """
    cells, reals = ints_at(lost), reals_at(lost)
    before, sizes, book = ints_at(close), reals_at(close), ints_at(side)
    worst = book[KEYS + book[COUNT] - LEAST_LEVELS]
    cells[0] = 0
    for place in range(before[0]):
        key, had = before[1 + place], sizes[1 + LEAST_LEVELS + place]
        now = size_of(side, key)
        if now < had and (now != 0.0 or key > worst):
            gone = had - now - amount(traded, TRADED_LEVELS, key)
            if gone > 0.0:
                at = 1 + cells[0]
                cells[at] = key
                reals[at + LEAST_LEVELS] = had
                reals[at + 2 * LEAST_LEVELS] = gone
                cells[at + 3 * LEAST_LEVELS] = found(traded, key) >= 0
                cells[0] += 1


@compiled
def keep_early(early: int, close: int, side: int, traded: int) -> None:
    """Keep what was traded before the book told that the size was gone: it counts for a second more."""
    cells, reals = ints_at(early), reals_at(early)
    fresh, amounts = ints_at(traded), reals_at(traded)
    cells[0] = 0
    for place in range(fresh[0]):
        key, size = fresh[1 + place], amounts[1 + TRADED_LEVELS + place]
        at = found(close, key)
        if at >= 0:
            had = reals_at(close)[1 + LEAST_LEVELS + at]
            more = min(size, size - had + size_of(side, key))
            if more > 0.0:
                cells[1 + cells[0]] = key
                reals[1 + LEAST_LEVELS + cells[0]] = more
                cells[0] += 1


@compiled
def keep_close(close: int, side: int) -> None:
    """Keep the levels within 10 bps of the best one, of the ten best."""
    cells, reals = ints_at(close), reals_at(close)
    keys, sizes = ints_at(side), reals_at(side)
    last, room = KEYS + keys[COUNT] - 1, keys[ROOM]
    best = keys[last]
    least = best - TOUCH_FRAC * abs(best)
    count = 0
    while count < LEAST_LEVELS and keys[last - count] >= least:
        cells[1 + count] = keys[last - count]
        reals[1 + LEAST_LEVELS + count] = sizes[last + room - count]
        count += 1
    cells[0] = count


@compiled
def withdraw(samples: int, bids: int, asks: int) -> None:
    """Compare the levels near the touch with those of the second before."""
    cells, reals = ints_at(samples), reals_at(samples)
    both = samples + 8 * BOTH
    for place in range(2):
        side = bids if place == 0 else asks
        close, lost = samples + 8 * (CLOSE + place * CLOSE_STEP), samples + 8 * (LOST + place * LOST_STEP)
        early = samples + 8 * (EARLY + place * CLOSE_STEP)
        traded = samples + 8 * (TRADED + place * TRADED_STEP)
        join(both, traded, early)
        if cells[WAITED]:
            reals[WITHDRAWN + place] += confirmed(lost, side, both)
        ints_at(lost)[0] = 0
        if cells[HELD]:
            note_losses(lost, close, side, both)
        keep_early(early, close, side, traded)
        ints_at(traded)[0] = 0
        keep_close(close, side)
    if cells[HELD]:
        reals[WITHDRAWN + 2] = 1.0
    cells[WAITED], cells[HELD] = cells[HELD], 1


@compiled
def note_trade(samples: int, side: int, key: int, size: float) -> None:
    """Note what a trade took from a level that was close by at the last sample, or had lost size by it."""
    if not ints_at(samples)[HELD]:
        return
    traded = samples + 8 * (TRADED + side * TRADED_STEP)
    cells, reals = ints_at(traded), reals_at(traded)
    at = found(traded, key)
    if at >= 0:
        reals[1 + TRADED_LEVELS + at] += size
    elif (
        found(samples + 8 * (CLOSE + side * CLOSE_STEP), key) >= 0
        or found(samples + 8 * (LOST + side * LOST_STEP), key) >= 0
    ):
        cells[1 + cells[0]] = key
        reals[1 + TRADED_LEVELS + cells[0]] = size
        cells[0] += 1
