"""Option structures: which legs, what they are worth at expiry, and what holding them to it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np

from sextant.model.bar import Floats
from sextant.strategies.black import Greeks, greeks, payoff, price
from sextant.strategies.expiries import Expiry

Shape = Literal[
    "long_straddle",
    "long_strangle",
    "put_credit_vertical",
    "call_credit_vertical",
    "iron_condor",
    "iron_butterfly",
    "butterfly",
    "calendar_spread",
]

CREDIT_SHAPES: Final = frozenset(
    {"put_credit_vertical", "call_credit_vertical", "iron_condor", "iron_butterfly"}
)
FEE_CAP_FRAC: Final = 0.125
"""Share of an option's value that no fee of trading or delivering it exceeds."""

TAIL: Final = 0.05


@dataclass(frozen=True, eq=False)
class OptionLeg:
    """Options of one kind within a structure: which of an expiry, and how many per unit, signed."""

    expiry: Expiry
    at: int
    quantity: int

    @property
    def price(self) -> float:
        """Executable price, price units: the ask of what is bought, the bid of what is sold."""
        side = self.expiry.ask if self.quantity > 0 else self.expiry.bid
        return float(side[self.at])

    @property
    def usd(self) -> float:
        """What one base unit costs or brings at the executable price, USD."""
        return self.price * self.expiry.unit_usd

    @property
    def mid_usd(self) -> float:
        """The same at mid."""
        return float(self.expiry.mid[self.at]) * self.expiry.unit_usd

    @property
    def touch(self) -> float:
        """Base units to be had at that price; 0 where unknown."""
        size = float((self.expiry.ask_size if self.quantity > 0 else self.expiry.bid_size)[self.at])
        return size if math.isfinite(size) else 0.0

    @property
    def fee_ceiling_usd(self) -> float:
        """What a fee on one base unit at most comes to, USD."""
        return FEE_CAP_FRAC * self.usd


@dataclass(frozen=True, eq=False)
class Hedge:
    """A perpetual held beside the options to their expiry.

    Parameters
    ----------
    column
        Of the view.
    units
        Base units per unit of the structure, signed.
    mid
        Its price, USD.
    """

    column: int
    units: float
    mid: float


@dataclass(frozen=True, eq=False)
class Structure:
    """Options that are traded together and held until the nearest expiry; all figures per base unit.

    Parameters
    ----------
    shape
        Its name.
    legs
        Nearest expiry first.
    hedge
        A perpetual against its delta; None without.
    """

    shape: Shape
    legs: tuple[OptionLeg, ...]
    hedge: Hedge | None = None

    @property
    def expiry(self) -> Expiry:
        """The expiry at which it ends."""
        return self.legs[0].expiry

    @property
    def index(self) -> float:
        """Reference notional of one base unit, USD."""
        return self.expiry.index

    @property
    def debit_usd(self) -> float:
        """What its options cost at executable prices; negative where they bring a credit."""
        return math.fsum(leg.quantity * leg.usd for leg in self.legs)

    @property
    def mid_usd(self) -> float:
        """What its options cost at mids."""
        return math.fsum(leg.quantity * leg.mid_usd for leg in self.legs)

    @property
    def touch_units(self) -> float:
        """Base units of the structure to be had at the touch."""
        return min(leg.touch / abs(leg.quantity) for leg in self.legs)

    @cached_property
    def greeks(self) -> Greeks:
        """Sensitivities of its options and its hedge, (1,) each."""
        parts = [_greeks(leg) for leg in self.legs]
        sums = [
            np.array([math.fsum(getattr(part, name) for part in parts)])
            for name in ("delta", "gamma", "vega", "theta")
        ]
        if self.hedge is not None:
            sums[0] = sums[0] + self.hedge.units
        return Greeks(*sums)

    def worth(self, settlement: Floats) -> Floats:
        """Value of its options at the nearest expiry for settlement prices (n,), USD.

        Notes
        -----
        An option of a later expiry is worth Black's value at its present volatility, its forward moved by the same
        factor as the settled one.
        """
        total = np.zeros(len(settlement))
        for leg in self.legs:
            total += leg.quantity * leg_worth(leg, settlement, self.expiry)
        return total

    def hedged(self, settlement: Floats) -> Floats:
        """What the hedge has gained at the nearest expiry, USD."""
        if self.hedge is None:
            return np.zeros(len(settlement))
        return self.hedge.units * (settlement - self.hedge.mid)

    def delivery(self, settlement: Floats, delivery_bps: float) -> Floats:
        """Fees of delivering its options at the nearest expiry, USD, each capped by the option's value."""
        total = np.zeros(len(settlement))
        for leg in self.legs:
            if leg.expiry is self.expiry:
                value = leg_worth(leg, settlement, self.expiry)
                total += abs(leg.quantity) * np.minimum(delivery_bps / 1e4 * settlement, FEE_CAP_FRAC * value)
        return total

    @cached_property
    def corners(self) -> Floats:
        """Settlement prices at which the value of its options bends: its strikes."""
        strikes = [float(leg.expiry.strike[leg.at]) for leg in self.legs]
        return np.array(sorted(set(strikes)))


def leg_worth(leg: OptionLeg, settlement: Floats, near: Expiry) -> Floats:
    """Value of one base unit of a leg when the nearest expiry settles, USD, never negative."""
    strike, right = float(leg.expiry.strike[leg.at]), int(leg.expiry.right[leg.at])
    if leg.expiry is near:
        return payoff(settlement, strike, right)
    every = np.ones(len(settlement))
    return price(
        settlement * (leg.expiry.forward / near.forward),
        every * strike,
        every * float(leg.expiry.iv[leg.at]),
        every * (leg.expiry.years - near.years),
        np.full(len(settlement), right, dtype=np.int64),
    )


def _greeks(leg: OptionLeg) -> Greeks:
    one = np.ones(1)
    expiry, at, many = leg.expiry, leg.at, float(leg.quantity)
    own = greeks(
        one * expiry.forward,
        expiry.strike[at : at + 1],
        expiry.iv[at : at + 1],
        one * expiry.years,
        expiry.right[at : at + 1],
    )
    return Greeks(*(many * getattr(own, name)[0] for name in ("delta", "gamma", "vega", "theta")))


def shortfall(values: Floats) -> float:
    """Mean loss of the worst twentieth, at least one value; positive when it is a loss."""
    count = max(1, math.ceil(TAIL * len(values)))
    return -float(np.sort(values)[:count].mean())
