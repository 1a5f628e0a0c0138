"""Kernels of order books: levels found, set, deleted and cut in cells, and whole changes applied."""

from __future__ import annotations

from typing import Final

import numpy as np

from sextant.model.cells import compiled, ints_at, reals_at

COUNT, ROOM, SIGN, TICK = range(4)
KEYS: Final = 4
"""Cells of a side: levels held, levels it has room for, 1 for bids and -1 for asks, the tick as a float64; then the keys,
ascending with the best last, and as many cells later their sizes."""

SEQUENCE, EVENT_NS, LEVELS, PLAIN, BIDS, ASKS = range(6)
BOOK_CELLS: Final = 6
"""Cells of a book: number and time of the last message applied, levels per side, whether it is valid and its next change
needs no second look, and the addresses of its sides."""

TICK_TOLERANCE: Final = 1e-6
FLOAT_TOLERANCE: Final = 4e-16
"""Relative error of a price divided by its tick, both correctly rounded, with room for one more rounding."""

MOST_TICKS: Final = float(2**53)
"""Beyond it a float64 does not tell one tick from the next."""

DONE: Final = 0
FULL: Final = -1
"""What a kernel says: all was applied; a side has no room. Any greater number is the place of a refused level, from 1."""


@compiled
def place_of(side: int, key: int) -> int:
    """The first place of a side whose key is not below one."""
    cells = ints_at(side)
    low, high = 0, cells[COUNT]
    while low < high:
        middle = (low + high) // 2
        if cells[KEYS + middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def size_of(side: int, key: int) -> float:
    """The size of a key; 0 where there is no such level."""
    cells = ints_at(side)
    at = place_of(side, key)
    if at < cells[COUNT] and cells[KEYS + at] == key:
        size: float = reals_at(side)[KEYS + cells[ROOM] + at]
        return size
    return 0.0


@compiled
def key_of(side: int, price: float) -> int:
    """The key of a price; 0 where it is no price of this side's ticks."""
    if not 0.0 < price < np.inf:
        return 0
    ratio = price / reals_at(side)[TICK]
    ticks = np.rint(ratio)
    if ticks < 1.0 or ratio >= MOST_TICKS or abs(ratio - ticks) > TICK_TOLERANCE + FLOAT_TOLERANCE * ratio:
        return 0
    key: int = ints_at(side)[SIGN] * np.int64(ticks)
    return key


@compiled
def put(side: int, key: int, size: float) -> int:
    """Set the size of a key above 0, or delete it; ``DONE``, or ``FULL``."""
    cells, reals = ints_at(side), reals_at(side)
    count, sizes = cells[COUNT], KEYS + cells[ROOM]
    at = place_of(side, key)
    if at < count and cells[KEYS + at] == key:
        if size > 0.0:
            reals[sizes + at] = size
            return DONE
        for place in range(at, count - 1):
            cells[KEYS + place] = cells[KEYS + place + 1]
            reals[sizes + place] = reals[sizes + place + 1]
        cells[COUNT] = count - 1
        return DONE
    # A venue deletes levels below the visible ones too: nothing to do for those.
    if size > 0.0:
        if count == cells[ROOM]:
            return FULL
        for place in range(count, at, -1):
            cells[KEYS + place] = cells[KEYS + place - 1]
            reals[sizes + place] = reals[sizes + place - 1]
        cells[KEYS + at] = key
        reals[sizes + at] = size
        cells[COUNT] = count + 1
    return DONE


@compiled
def merge(side: int, levels: int, count: int) -> int:
    """Set the sizes of prices, deleting those of size 0, in their order up to the first that is refused.

    Parameters
    ----------
    side
        Address of the side.
    levels
        Address of price and size of each level in turn.
    count
        Of levels.
    """
    told = reals_at(levels)
    for at in range(count):
        size = told[2 * at + 1]
        key = key_of(side, told[2 * at])
        if key == 0 or not 0.0 <= size < np.inf:
            return at + 1
        if put(side, key, size) == FULL:
            return FULL
    return DONE


@compiled
def cut(side: int, most: int) -> None:
    """Drop the levels beyond the best ``most``."""
    cells, reals = ints_at(side), reals_at(side)
    excess = cells[COUNT] - most
    if excess > 0:
        sizes = KEYS + cells[ROOM]
        for place in range(most):
            cells[KEYS + place] = cells[KEYS + place + excess]
            reals[sizes + place] = reals[sizes + place + excess]
        cells[COUNT] = most


@compiled
def uncrossed(bids: int, asks: int) -> bool:
    """Whether both sides have a level and bid < ask."""
    bid, ask = ints_at(bids), ints_at(asks)
    if bid[COUNT] == 0 or ask[COUNT] == 0:
        return False
    open_: bool = bid[KEYS + bid[COUNT] - 1] + ask[KEYS + ask[COUNT] - 1] < 0
    return open_


@compiled
def change(book: int, sequence: int, event_ns: int, levels: int, bids: int, asks: int) -> bool:
    """Whether a change that continues a plain book was applied and left it plain.

    Parameters
    ----------
    book
        Address of the book.
    sequence, event_ns
        Of the change.
    levels
        Address of price and size of each bid and then each ask in turn.
    bids, asks
        How many there are.

    Notes
    -----
    Where it was not, some of its levels may be set already. Sizes are absolute, so that whoever applies the whole change
    again loses nothing.
    """
    cells = ints_at(book)
    if merge(cells[BIDS], levels, bids) != DONE or merge(cells[ASKS], levels + 16 * bids, asks) != DONE:
        return False
    if not uncrossed(cells[BIDS], cells[ASKS]):
        return False
    # A level that crosses is taken back by the next message: what it pushed out is cut only after that.
    cut(cells[BIDS], cells[LEVELS])
    cut(cells[ASKS], cells[LEVELS])
    cells[SEQUENCE], cells[EVENT_NS] = sequence, event_ns
    return True
