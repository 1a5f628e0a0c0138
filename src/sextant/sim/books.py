"""The one true order book of an instrument, feeding every depth."""

from __future__ import annotations

from bisect import insort
from collections import deque
from typing import Final

from sextant.sim.noise import Dice

Level = tuple[int, int]
"""Price in ticks and size in lots."""

DEEPEST: Final = 1_000
_CHANGES: Final = 6


class Side:
    """Resting sizes by price on one side, best first.

    Parameters
    ----------
    sign
        +1 for asks (away from the touch means up), -1 for bids.
    typical
        Typical size of a level in lots.
    gap
        Greatest distance in ticks from one level to the next.
    """

    def __init__(self, sign: int, typical: int, gap: int) -> None:
        self._sign = sign
        self._typical = typical
        self._gap = gap
        self._sizes: dict[int, int] = {}
        self._order: list[int] = []

    def move(self, best: int, wanted: int, dice: Dice) -> None:
        """Make ``best`` the best price and keep at least ``wanted`` levels.

        Parameters
        ----------
        best
            Price in ticks.
        wanted
            Levels to keep; fewer where the price reaches one tick.
        dice
            Where chance comes from.
        """
        sign, order, sizes = self._sign, self._order, self._sizes
        gone = 0
        while gone < len(order) and order[gone] < sign * best:
            del sizes[sign * order[gone]]
            gone += 1
        del order[:gone]
        if not order or order[0] != sign * best:
            self._insert(best, dice)
        self._stir(dice)
        self._extend(wanted, dice)

    def _stir(self, dice: Dice) -> None:
        """A few levels near the touch change size, leave, or appear."""
        sign, order, sizes = self._sign, self._order, self._sizes
        reach = min(len(order), 40)
        for _ in range(1 + dice.below(_CHANGES)):
            draw = dice.bits()
            row = draw % reach
            row = (row * ((draw >> 8) % reach)) // reach
            price = sign * order[row]
            kind = (draw >> 20) % 8
            if kind == 0 and row > 0 and len(order) > 10:
                del order[row], sizes[price]
                reach = min(len(order), 40)
            elif kind == 1 and price + sign not in sizes and price + sign > 0:
                self._insert(price + sign, dice)
            else:
                sizes[price] = self._size(dice)

    def deepen(self, wanted: int, dice: Dice) -> None:
        """Add levels at the far end until there are ``wanted``."""
        if len(self._order) < wanted:
            self._extend(wanted, dice)

    def _extend(self, wanted: int, dice: Dice) -> None:
        order = self._order
        while len(order) < wanted:
            price = self._sign * order[-1] + self._sign * (1 + dice.below(self._gap))
            if price < 1:
                return
            self._sizes[price] = self._size(dice)
            order.append(self._sign * price)
        if len(order) > wanted + 64:
            for row in order[wanted + 32 :]:
                del self._sizes[self._sign * row]
            del order[wanted + 32 :]

    def _insert(self, price: int, dice: Dice) -> None:
        self._sizes[price] = self._size(dice)
        insort(self._order, self._sign * price)

    def _size(self, dice: Dice) -> int:
        unit = dice.unit()
        return 1 + int(self._typical * 2.0 * unit * unit * (1.0 + 3.0 * (unit > 0.95)))

    def top(self, depth: int) -> list[Level]:
        """The best ``depth`` levels, best first."""
        sign, sizes = self._sign, self._sizes
        return [(sign * row, sizes[sign * row]) for row in self._order[:depth]]


class Book:
    """Bids and asks of one instrument; never crossed, never locked.

    Parameters
    ----------
    typical
        Typical size of a level in lots.
    gap
        Greatest distance in ticks between neighbouring levels.
    """

    def __init__(self, typical: int, gap: int) -> None:
        self.bids = Side(-1, typical, gap)
        self.asks = Side(+1, typical, gap)
        self.seq = 0
        self.changed_ms = 0

    def move(self, bid: int, ask: int, wanted: int, dice: Dice) -> None:
        """Set the touch and let a few levels change; ``bid`` < ``ask``, in ticks."""
        depth = min(DEEPEST, wanted)
        self.bids.move(bid, depth, dice)
        self.asks.move(ask, depth, dice)

    def view(self, depth: int) -> tuple[list[Level], list[Level]]:
        """The best ``depth`` bids and asks."""
        return self.bids.top(depth), self.asks.top(depth)


class DepthFeed:
    """What the subscribers of one depth were told last, and the difference to the book.

    Parameters
    ----------
    depth
        Levels a side.
    first
        Number of its first push.

    Notes
    -----
    Every push has the next number, so a client that applied all of them holds exactly ``at(u)``.
    """

    def __init__(self, depth: int, first: int) -> None:
        self.depth = depth
        self.u = first
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self.seq = 0
        self.changed_ms = 0
        self._past: deque[tuple[int, list[Level], list[Level]]] = deque(maxlen=8)

    @property
    def started(self) -> bool:
        """Whether anything was pushed yet."""
        return bool(self._bids)

    def restart(self) -> None:
        """Number the present state 1, as the venue's service does after a restart."""
        self.u = 1
        self._past.append((1, list(self._bids.items()), list(self._asks.items())))

    def same(self, book: Book) -> bool:
        """Whether the book shows at this depth what was pushed last."""
        bids, asks = book.view(self.depth)
        return self._bids == dict(bids) and self._asks == dict(asks)

    def push(self, book: Book) -> tuple[list[Level], list[Level]]:
        """The levels that changed since the last push; size 0 means gone."""
        bids, asks = book.view(self.depth)
        changed = difference(self._bids, bids), difference(self._asks, asks)
        self._bids, self._asks = dict(bids), dict(asks)
        self.u += 1
        self.seq, self.changed_ms = book.seq, book.changed_ms
        self._past.append((self.u, bids, asks))
        return changed

    def mistell(self, ticks: int, lots: int) -> None:
        """Remember that listeners were told a bid that the book does not have; the next push takes it back."""
        self._bids[ticks] = lots

    def told(self) -> tuple[list[Level], list[Level]]:
        """All levels as of the last push."""
        return list(self._bids.items()), list(self._asks.items())

    def at(self, number: int) -> tuple[list[Level], list[Level]] | None:
        """The levels as of the newest push ``number`` where it is one of the last eight, else None."""
        return next(((bids, asks) for u, bids, asks in reversed(self._past) if u == number), None)

    def lately(self) -> list[tuple[list[Level], list[Level]]]:
        """The levels as of each of the last eight pushes, the oldest first."""
        return [(bids, asks) for _, bids, asks in self._past]


def difference(before: dict[int, int], now: list[Level]) -> list[Level]:
    """The levels that are new or of another size, then those that are gone, with size 0."""
    changed = [level for level in now if before.get(level[0]) != level[1]]
    if changed or len(before) != len(now):
        kept = {price for price, _ in now}
        changed.extend((price, 0) for price in before if price not in kept)
    return changed
