"""What contracts promise whatever happens: synthetics against futures, boxes, verticals and butterflies at executable prices.

Values are fractions of the index per base unit, positive when they are gained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from sextant.model.bar import Floats
from sextant.strategies.columns import Columns
from sextant.strategies.expiries import Expiry
from sextant.strategies.structures import OptionLeg

ViolationShape = Literal["long_synthetic", "short_synthetic", "box", "vertical", "butterfly"]

SHOWN_OF_A_SHAPE: Final = 3
"""Best candidates of one shape and expiry that are priced; further ones are worse before costs."""

DELIVERED: Final[dict[ViolationShape, int]] = {
    "long_synthetic": 1,
    "short_synthetic": 1,
    "box": 2,
    "vertical": 2,
    "butterfly": 4,
}
"""Options of a unit that end in the money at most, and are charged for delivery."""


@dataclass(frozen=True)
class Future:
    """The dated future of an expiry: its column in the view, and its best prices."""

    column: int
    bid: float
    ask: float
    age_ms: float
    touch: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Violation:
    """A combination whose value at expiry is known to be at least what is stated.

    Parameters
    ----------
    shape, expiry, legs
        What is traded.
    future
        The future, and +1 to buy it, -1 to sell it; None without.
    value
        Gained at executable prices before fees.
    mid_value
        The same at mids.
    """

    shape: ViolationShape
    expiry: Expiry
    legs: tuple[OptionLeg, ...]
    future: tuple[Future, int] | None
    value: float
    mid_value: float

    @property
    def ages_ms(self) -> tuple[float, float]:
        """Youngest and oldest age of all quotes."""
        ages = [float(leg.expiry.age_ms[leg.at]) for leg in self.legs]
        ages += [] if self.future is None else [self.future[0].age_ms]
        return min(ages), max(ages)

    @property
    def touch_units(self) -> float:
        """Base units to be had at the touch of every leg."""
        sizes = [leg.touch / abs(leg.quantity) for leg in self.legs]
        if self.future is not None:
            sold, bought = self.future[0].touch
            sizes.append(bought if self.future[1] > 0 else sold)
        return min(sizes)


@dataclass(frozen=True, eq=False)
class _Ladder:
    """Both rights of every strike of an expiry, as fractions of the index; NaN where not quoted.

    ``place`` holds the row of each within the expiry, -1 where there is none; rows are calls, puts.
    """

    expiry: Expiry
    strike: Floats
    bid: Floats
    ask: Floats
    place: np.ndarray

    def forward(self, price: Floats | float) -> Floats:
        """What (price - strike) paid at the expiry is worth: in the base asset where options are inverse."""
        inverse = self.expiry.unit_usd == self.expiry.index
        found: Floats = (price - self.strike) / (price if inverse else self.expiry.index)
        return found

    @property
    def per_strike(self) -> float:
        """What one quote unit at the expiry is worth."""
        return 1.0 / (self.expiry.forward if self.expiry.unit_usd == self.expiry.index else self.expiry.index)


def futures_of(columns: Columns, chain: str) -> dict[int, Future]:
    """The quoted dated futures of a chain's venue and underlying, by expiry."""
    touch, found = columns.touch, {}
    for column, spec in enumerate(columns.view.instruments):
        name = spec.instrument
        own = f"{name.venue}:{name.base}-{name.quote}" == chain and name.kind == "future"
        if own and spec.status == "trading" and np.isfinite(touch.mid[column]):
            found[name.expiry_ns or 0] = Future(
                column,
                float(touch.bid[column]),
                float(touch.ask[column]),
                float(touch.age_ms[column]),
                (float(touch.bid_size[column]), float(touch.ask_size[column])),
            )
    return found


def violations(expiry: Expiry, future: Future | None) -> Iterator[Violation]:
    """The best candidates of every shape, before fees; many lose money, none is left out for it."""
    ladder = _ladder(expiry)
    if future is not None:
        yield from _synthetics(ladder, future)
    yield from _boxes(ladder)
    for right in (0, 1):
        yield from _verticals(ladder, right)
        yield from _butterflies(ladder, right)


def _ladder(expiry: Expiry) -> _Ladder:
    strikes = np.unique(expiry.strike)
    bid, ask = (np.full((2, len(strikes)), np.nan) for _ in range(2))
    place = np.full((2, len(strikes)), -1, dtype=np.int64)
    row, at = np.where(expiry.right > 0, 0, 1), np.searchsorted(strikes, expiry.strike)
    scale = expiry.unit_usd / expiry.index
    bid[row, at], ask[row, at], place[row, at] = expiry.bid * scale, expiry.ask * scale, np.arange(len(row))
    return _Ladder(expiry, strikes, bid, ask, place)


def _best(values: Floats) -> list[tuple[int, ...]]:
    """Places of the greatest known values, greatest first."""
    flat = np.where(np.isnan(values), -np.inf, values).ravel()
    order = np.argsort(-flat, kind="stable")[:SHOWN_OF_A_SHAPE]
    return [
        tuple(int(part) for part in np.unravel_index(place, values.shape))
        for place in order
        if np.isfinite(flat[place])
    ]


def _legs(ladder: _Ladder, *wanted: tuple[int, int, int]) -> tuple[OptionLeg, ...]:
    """Legs by (row: 0 call, 1 put; strike; quantity)."""
    return tuple(OptionLeg(ladder.expiry, int(ladder.place[row, at]), many) for row, at, many in wanted)


def _synthetics(ladder: _Ladder, future: Future) -> Iterator[Violation]:
    """A call bought and a put sold against the future sold, and the mirror."""
    (call_bid, put_bid), (call_ask, put_ask) = ladder.bid, ladder.ask
    middle = 0.5 * ((call_bid + call_ask) - (put_bid + put_ask))
    fair = ladder.forward(0.5 * (future.bid + future.ask))
    long = ladder.forward(future.bid) - (call_ask - put_bid)
    short = (call_bid - put_ask) - ladder.forward(future.ask)
    for (at,) in _best(long):
        legs = _legs(ladder, (0, at, 1), (1, at, -1))
        worth = float(fair[at] - middle[at])
        yield Violation("long_synthetic", ladder.expiry, legs, (future, -1), float(long[at]), worth)
    for (at,) in _best(short):
        legs = _legs(ladder, (0, at, -1), (1, at, 1))
        worth = float(middle[at] - fair[at])
        yield Violation("short_synthetic", ladder.expiry, legs, (future, 1), float(short[at]), worth)


def _boxes(ladder: _Ladder) -> Iterator[Violation]:
    """A synthetic bought at one strike and sold at another, which pays the distance of the strikes."""
    (call_bid, put_bid), (call_ask, put_ask) = ladder.bid, ladder.ask
    bought, sold = call_ask - put_bid, call_bid - put_ask
    middle = 0.5 * (bought + sold)
    width = (ladder.strike[None, :] - ladder.strike[:, None]) * ladder.per_strike
    value = width - bought[:, None] + sold[None, :]
    np.fill_diagonal(value, np.nan)
    for low, high in _best(value):
        legs = _legs(ladder, (0, low, 1), (1, low, -1), (0, high, -1), (1, high, 1))
        worth = float(width[low, high] - middle[low] + middle[high])
        yield Violation("box", ladder.expiry, legs, None, float(value[low, high]), worth)


def _verticals(ladder: _Ladder, row: int) -> Iterator[Violation]:
    """The dearer of two options of one right may not be sold for less than the other costs."""
    bid, ask = ladder.bid[row], ladder.ask[row]
    # Calls are worth less at the higher strike, puts at the lower one.
    better = ladder.strike[:, None] < ladder.strike[None, :]
    value = np.where(better if row == 0 else better.T, bid[None, :] - ask[:, None], np.nan)
    mid = 0.5 * (bid + ask)
    for bought, sold in _best(value):
        legs = _legs(ladder, (row, bought, 1), (row, sold, -1))
        worth = float(mid[sold] - mid[bought])
        yield Violation("vertical", ladder.expiry, legs, None, float(value[bought, sold]), worth)


def _butterflies(ladder: _Ladder, row: int) -> Iterator[Violation]:
    """Of three neighbouring strikes at equal distances the outer two cost at least twice the middle one."""
    bid, ask, strike = ladder.bid[row], ladder.ask[row], ladder.strike
    if len(strike) < 3:
        return
    even = np.isclose(strike[2:] - strike[1:-1], strike[1:-1] - strike[:-2])
    value = np.where(even, 2.0 * bid[1:-1] - ask[:-2] - ask[2:], np.nan)
    mid = 0.5 * (bid + ask)
    for (at,) in _best(value):
        legs = _legs(ladder, (row, at, 1), (row, at + 1, -2), (row, at + 2, 1))
        worth = float(2.0 * mid[at + 1] - mid[at] - mid[at + 2])
        yield Violation("butterfly", ladder.expiry, legs, None, float(value[at]), worth)
