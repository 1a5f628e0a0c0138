"""A couple on its way to an opportunity: its evidence, terms, and the means of who asks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sextant.model.bar import Floats
from sextant.model.instrument import InstrumentSpec
from sextant.model.scorecard import Scorecard
from sextant.strategies.contract import Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.couple_costs import JointTerms
from sextant.strategies.couples import Couple, CoupleSet
from sextant.strategies.proof import Proof
from sextant.strategies.sizing import Means


@dataclass(frozen=True)
class Capital:
    """What a couple ties up.

    Parameters
    ----------
    tied
        Capital of each leg per reference notional.
    leverage
        Leverage of each leg; None for spot.
    """

    tied: tuple[float, float]
    leverage: tuple[float | None, float | None]


@dataclass(frozen=True, eq=False)
class CoupleOffer:
    """A candidate couple with everything that decides its price and its size."""

    strategy: Strategy
    verdict: Verdict
    index: int
    direction: int
    card: Scorecard
    pricing: Pricing
    terms: JointTerms
    proof: Proof
    means: Means
    capital: Capital

    @cached_property
    def said(self) -> CoupleSet:
        """What the strategy says about all couples."""
        said = self.verdict.couples
        assert said is not None  # noqa: S101  # an offer is made for a couple
        return said

    @cached_property
    def couple(self) -> Couple:
        """The two instruments."""
        return self.said.couples[self.index]

    @cached_property
    def specs(self) -> tuple[InstrumentSpec, InstrumentSpec]:
        """The rules of both legs."""
        first, second = self.said.legs[self.index].tolist()
        specs = self.pricing.view.instruments
        return specs[first], specs[second]

    @cached_property
    def sides(self) -> tuple[int, int]:
        """+1 for the leg that is bought, -1 for the other."""
        return self.direction, -self.direction

    @cached_property
    def mids(self) -> tuple[float, float]:
        """USD of one base unit of each leg."""
        legs = self.said.legs[self.index]
        first, second = (self.pricing.touch.mid[legs] * self.pricing.usd[legs]).tolist()
        return first, second

    @cached_property
    def horizon_s(self) -> float:
        """Time barrier."""
        return float(self.said.horizon_s[self.index])

    @cached_property
    def sigma_frac(self) -> float:
        """Standard deviation of the hedged return over the horizon."""
        return float(self.said.sigma_frac[self.index])

    @cached_property
    def stop_frac(self) -> float | None:
        """Distance of the stop, fraction of the reference notional; None without one."""
        away = abs(float(self.said.stop[self.index]) - float(self.said.entry[self.index]))
        return away / 1e4 / max(1.0, float(self.said.ratio[self.index])) if math.isfinite(away) else None

    @cached_property
    def volume_24h_usd(self) -> float:
        """Turnover of the leg that is traded less."""
        return float(np.min(self.pricing.volume_24h_usd[self.said.legs[self.index]]))

    @cached_property
    def expected_bps(self) -> float | None:
        """Gross that is reckoned with: the model's, proven or not, else what past events prove."""
        if self.said.model is None:
            return self.proof.gross_bps
        gross = float(self.said.model.gross_bps[self.index])
        return gross if math.isfinite(gross) else None

    @cached_property
    def error_bps(self) -> float | None:
        """Standard error of it; None where unknown."""
        if self.said.model is None:
            return self.proof.error_bps
        error = float(self.said.model.error_bps[self.index])
        return error if math.isfinite(error) else None

    def break_even_s(self, cost_bps: float) -> float:
        """Seconds until what is collected exceeds all costs, at most the horizon.

        Notes
        -----
        What is expected besides the payments (the closing of a basis) is there at the horizon only.
        """
        accrued = None if self.said.model is None else self.said.model.accrued[self.index]
        if accrued is None or self.said.model is None:
            return self.horizon_s
        return first_reached(
            accrued, cost_bps + float(self.said.model.burden_bps[self.index]), self.horizon_s
        )


def gross_words(offer: CoupleOffer) -> str:
    """What the gross of an offer is made of."""
    if offer.said.model is not None:
        return offer.said.model.words[offer.index]
    if offer.proof.gross_bps is None:
        return "unproven: too few past events"
    return "shrunk mean of past events, mid to mid"


def first_reached(accrued: tuple[Floats, Floats], level: float, otherwise: float) -> float:
    """The first time at which a sum of payments is at least ``level``; ``otherwise`` where it never is.

    Parameters
    ----------
    accrued
        Seconds and sums, float64 (n,) each.
    """
    times, sums = accrued
    reached = np.flatnonzero(sums >= level)
    return float(times[reached[0]]) if len(reached) else otherwise
