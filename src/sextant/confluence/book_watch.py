"""Books seen once a second: walls that stand, and large levels that come and go.

No sample is kept but what the rules of :mod:`sextant.confluence.detectors` need: what the walls of the last thirty samples held,
and the large levels from when each was first seen until it is gone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.confluence.detectors import (
    SPOOF_BPS,
    SPOOF_TIMES,
    SPOOF_WINDOW_NS,
    WALL_IMBALANCE,
    WALL_LEVELS,
    WALL_SAMPLES,
    WALL_SDS,
    WALL_SHARE,
    WALL_USD,
    Resting,
    Seen,
    spoofs_suspected,
    walls_seen,
)
from sextant.model.bar import Floats
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.view import Books, View

LEFT: Final = 0.1
"""Share of its size at which a level is gone; also where no more than the usual size of its side is left."""
SAME_PRICE: Final = 1e-9
AGAINST_ROWS: Final = 30
"""Minutes over which trades against a wall are summed."""
SIDES: Final = (1, -1)
UNKNOWN_NS: Final = 0
"""Since when a level rests that was there when it came into sight; it may be old, and is no bait."""


@dataclass(frozen=True)
class _Level:
    """A large level since it was first seen; sizes in base units."""

    size: float
    usual: float
    since_ns: int
    mid: float


def walls(books: Books, turnover: Floats) -> Floats:
    """As :func:`sextant.confluence.detectors.wall_usd` for every book at once, float64 (2, S): bids, asks; 0 without a wall.

    Parameters
    ----------
    turnover
        Of 24 hours, (S,).
    """
    usd = np.stack((books.bid_price * books.bid_size, books.ask_price * books.ask_size))
    there = ~np.isnan(usd)
    known = np.where(there, usd, 0.0)
    count = np.maximum(there.sum(axis=2), 1)
    mean = known.sum(axis=2) / count
    sd = np.sqrt((np.where(there, usd - mean[:, :, None], 0.0) ** 2).sum(axis=2) / count)
    large = there & (known >= (mean + WALL_SDS * sd)[:, :, None])
    held = np.where(large, known, 0.0).sum(axis=2)
    total = known.sum(axis=2)
    net, apart = held - held[::-1], total - total[::-1]
    holds = (
        books.valid[None, :]
        & (large.sum(axis=2) >= WALL_LEVELS)
        & (net > WALL_USD)
        & (total > WALL_SHARE * turnover[None, :])
        & (apart > WALL_IMBALANCE * (total + total[::-1]))
    )
    return np.where(holds, net, 0.0)


class BookWatch:
    """What once-a-second samples of all books say; times are those of the views.

    Notes
    -----
    Another set of instruments begins anew: a wall must stand on thirty samples again.
    """

    def __init__(self) -> None:
        self._specs: tuple[InstrumentSpec, ...] = ()
        self._walls: deque[Floats] = deque(maxlen=WALL_SAMPLES)
        self._levels: dict[tuple[int, int, float], _Level] = {}
        self._gone: dict[Instrument, deque[Resting]] = {}
        self._ends: Floats | None = None

    def take(self, view: View) -> None:
        """Look at the books of a view; its bars are not read."""
        if view.instruments != self._specs:
            self._specs = view.instruments
            self._walls.clear()
            self._levels.clear()
            self._ends = None
        self._walls.append(walls(view.books, view.derivatives.turnover_24h))
        self._leave(view)
        self._enter(view)
        self._ends = ends(view.books)

    def seen(self, view: View) -> list[Seen]:
        """What the rules about walls and withdrawn levels say now; nothing of a book without either."""
        told: list[Seen] = []
        ring = np.array(self._walls)
        if len(ring) and ring.shape[2] == view.size:
            for column in np.flatnonzero(ring.any(axis=(0, 1))).tolist():
                name = view.instruments[column].instrument
                told += walls_seen(
                    name,
                    {side: ring[:, place, column].tolist() for place, side in enumerate(SIDES)},
                    against_usd(view, column),
                )
        for name, gone in list(self._gone.items()):
            while gone and view.as_of_ns - gone[0].gone_ns > SPOOF_WINDOW_NS:
                gone.popleft()
            if gone:
                told += spoofs_suspected(name, gone, view.as_of_ns)
            else:
                del self._gone[name]
        return told

    def _enter(self, view: View) -> None:
        """Note the large levels that are not yet known."""
        mid = middles(view.books)
        for side, price, size in _sides(view.books):
            for column, level, usual in _large(price, size, mid):
                key = (column, side, float(price[column, level]))
                if key not in self._levels:
                    since_ns = view.as_of_ns if self._is_fresh(key) else UNKNOWN_NS
                    self._levels[key] = _Level(
                        float(size[column, level]), usual, since_ns, float(mid[column])
                    )

    def _is_fresh(self, key: tuple[int, int, float]) -> bool:
        """Whether the sample before showed its price and no large level there; else nobody knows since when it rests."""
        column, side, price = key
        if self._ends is None:
            return False
        end = float(self._ends[SIDES.index(side), column])
        return side * (price - end) >= 0  # False where the book was not believed

    def _leave(self, view: View) -> None:
        """Note the levels that are gone; what lies beyond the visible book, or in one that is not believed, is forgotten."""
        mid = middles(view.books)
        sides = {side: (price, size) for side, price, size in _sides(view.books)}
        now = ends(view.books)
        for key, level in list(self._levels.items()):
            column, side, price = key
            prices, sizes = (x[column] for x in sides[side])
            if not view.books.valid[column] or np.isnan(mid[column]):
                del self._levels[key]
                continue
            at = np.flatnonzero(np.abs(prices / price - 1.0) <= SAME_PRICE)
            if at.size and sizes[at[0]] > max(LEFT * level.size, level.usual):
                continue
            del self._levels[key]
            if side * (price - float(now[SIDES.index(side), column])) < 0:
                continue
            name = view.instruments[column].instrument
            rested = Resting(
                side=side,
                price=price,
                size=level.size,
                usual=level.usual,
                traded=_traded(view, name, price, level.since_ns),
                since_ns=level.since_ns,
                gone_ns=view.as_of_ns,
                mid=level.mid,
                mid_gone=float(mid[column]),
            )
            if rested.is_bait:
                self._gone.setdefault(name, deque()).append(rested)


def middles(books: Books) -> Floats:
    """The middle of each book, (S,); NaN without one."""
    out: Floats = np.where(books.valid, (books.bid_price[:, 0] + books.ask_price[:, 0]) / 2.0, np.nan)
    return out


def ends(books: Books) -> Floats:
    """The last visible price of each side, float64 (2, S): bids, asks; NaN where the book is not believed."""
    shown = [~np.isnan(size) & books.valid[:, None] for _, _, size in _sides(books)]
    low = np.where(shown[0], books.bid_price, np.inf).min(axis=1)
    high = np.where(shown[1], books.ask_price, -np.inf).max(axis=1)
    out: Floats = np.where(np.isfinite([low, high]), [low, high], np.nan)
    return out


def against_usd(view: View, column: int) -> Mapping[int, float]:
    """What was traded against each side in the last thirty minutes, quote units: sold into bids, bought from asks."""
    if view.minutes is None or not view.minutes.rows:
        return {}
    first = max(0, view.minutes.rows - AGAINST_ROWS)
    return {
        side: float(np.nansum(view.minutes.column(name, first)[:, column]))
        for side, name in zip(SIDES, ("sell_turnover", "buy_turnover"), strict=True)
    }


def _sides(books: Books) -> Iterator[tuple[int, Floats, Floats]]:
    yield 1, books.bid_price, books.bid_size
    yield -1, books.ask_price, books.ask_size


def _large(price: Floats, size: Floats, mid: Floats) -> Iterator[tuple[int, int, float]]:
    """Row, level and usual size of each level that is large for its side and near the middle."""
    known = np.isfinite(mid) & ~np.isnan(size[:, 0])
    rows = np.flatnonzero(known)
    if not rows.size:
        return
    usual = np.nanmedian(size[rows], axis=1)
    with np.errstate(invalid="ignore"):
        apart = np.abs(price[rows] / mid[rows, None] - 1.0) * 1e4
        chosen = (
            (size[rows] >= SPOOF_TIMES * usual[:, None]) & (apart >= SPOOF_BPS[0]) & (apart <= SPOOF_BPS[1])
        )
    for row, level in np.argwhere(chosen).tolist():
        yield int(rows[row]), level, float(usual[row])


def _traded(view: View, name: Instrument, price: float, since_ns: int) -> float:
    """What was traded at a price since a time, base units."""
    tape = view.trades.get(name)
    if tape is None:
        return 0.0
    there = (tape.event_ns >= since_ns) & (np.abs(tape.price / price - 1.0) <= SAME_PRICE)
    return float(tape.size[there].sum())
