"""What an option structure costs and what it then earns in every scenario; all figures in USD per base unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.instrument import Instrument
from sextant.model.opportunity import CostLine
from sextant.strategies.costs import Pricing
from sextant.strategies.fees import fee_tier
from sextant.strategies.funding import funding_of
from sextant.strategies.structures import FEE_CAP_FRAC, Structure, leg_worth, shortfall

_DELIVERY_BPS: Final = {"deribit": 1.5}
"""Fee of delivering an option, basis points of the underlying: strategies.md 1.6."""

DAY_S: Final = 86_400.0


def option_delivery_bps(instrument: Instrument) -> float | None:
    """What delivering an option at its expiry costs, basis points of the underlying; None where no page is known."""
    return _DELIVERY_BPS.get(instrument.venue)


@dataclass(frozen=True)
class Charges:
    """Costs that do not depend on the scenario, USD per base unit, positive when they cost."""

    fee_entry: float
    fee_exit: float
    spread: float
    funding: float
    delivery_bps: float
    fee_words: str
    fee_source: str

    @property
    def fixed(self) -> float:
        """Their sum, delivery apart."""
        return self.fee_entry + self.fee_exit + self.spread + self.funding


@dataclass(frozen=True, eq=False)
class PricedStructure:
    """A structure with its costs for one account and its outcomes.

    Parameters
    ----------
    structure, charges
        What is traded and what that costs.
    settlement
        float64 (n,): scenarios of the settlement price.
    n_eff
        Independent outcomes that the scenarios are worth.
    """

    structure: Structure
    charges: Charges
    settlement: Floats
    n_eff: float

    @cached_property
    def net(self) -> Floats:
        """float64 (n,): profit in every scenario after all costs."""
        return self._net_at(self.settlement)

    def _net_at(self, settlement: Floats) -> Floats:
        """Profit after all costs for settlement prices (m,)."""
        delivered = self.structure.delivery(settlement, self.charges.delivery_bps)
        return self._gross_at(settlement) - self.charges.fixed - delivered

    def _gross_at(self, settlement: Floats) -> Floats:
        """Profit mid to mid."""
        found: Floats = (
            self.structure.worth(settlement) + self.structure.hedged(settlement) - self.structure.mid_usd
        )
        return found

    @cached_property
    def gross(self) -> float:
        """Expected profit mid to mid."""
        return float(self._gross_at(self.settlement).mean())

    @cached_property
    def delivery(self) -> float:
        """Expected fees of delivery."""
        return float(self.structure.delivery(self.settlement, self.charges.delivery_bps).mean())

    @property
    def edge(self) -> float:
        """Expected profit after all costs."""
        return self.gross - self.charges.fixed - self.delivery

    @cached_property
    def error(self) -> float:
        """Standard error of the expectation."""
        return float(np.std(self.net, ddof=1)) / math.sqrt(self.n_eff)

    @cached_property
    def profitable(self) -> float:
        """Share of scenarios with a profit."""
        return float(np.mean(self.net > 0))

    @cached_property
    def es95(self) -> float:
        """Expected shortfall 95 %, a loss is positive."""
        return shortfall(self.net)

    @cached_property
    def _reach(self) -> tuple[Floats, Floats]:
        """Settlement prices, rising, of all scenarios and strikes, and the profit at each."""
        prices = np.unique(np.concatenate((self.settlement, self.structure.corners)))
        return prices, self._net_at(prices)

    @property
    def worst(self) -> float:
        """Largest loss over all scenarios and strikes, positive; a structure that cannot lose has none: 0."""
        return max(0.0, -float(self._reach[1].min()))

    @property
    def best(self) -> float:
        """Largest gain over all scenarios and strikes."""
        return float(self._reach[1].max())

    @property
    def break_evens(self) -> tuple[float, ...]:
        """Settlement prices at which the profit changes its sign, within the scenarios."""
        prices, profit = self._reach
        turns = np.flatnonzero(np.sign(profit[1:]) * np.sign(profit[:-1]) < 0)
        share = profit[turns] / (profit[turns] - profit[turns + 1])
        return tuple((prices[turns] + share * (prices[turns + 1] - prices[turns])).tolist())

    def bps(self, usd: float) -> float:
        """Basis points of the reference notional."""
        return usd / self.structure.index * 1e4

    def lines(self, units: float, as_of_ns: int) -> tuple[CostLine, ...]:
        """The waterfall at a size, in its fixed order; gross plus the other lines is the edge."""
        charges, hedge = self.charges, self.structure.hedge
        rows: list[tuple[Any, float, str, str]] = [
            ("gross", self.gross, "scenarios", f"mean of {len(self.net)} scenarios at mid prices"),
            ("fee_entry", -charges.fee_entry, charges.fee_source, charges.fee_words),
            ("fee_exit", -charges.fee_exit, charges.fee_source, "of what is traded out of at the expiry"),
            ("spread", -charges.spread, "quote", "bought at the ask, sold at the bid"),
            ("slippage", 0.0, "quote", "within the size at the touch"),
            ("funding", -charges.funding, "derivatives" if hedge else "none", _funding_words(self.structure)),
            ("borrow", 0.0, "none", "nothing is borrowed"),
            ("transfer", 0.0, "none", "traded with what lies at the venue"),
            ("delivery", -self.delivery, charges.fee_source, _delivery_words(charges)),
        ]
        return tuple(
            CostLine(item, self.bps(usd) + 0.0, usd * units + 0.0, source, as_of_ns, basis)
            for item, usd, source, basis in rows
        )


def _funding_words(structure: Structure) -> str:
    return "options have no funding" if structure.hedge is None else "forecast for the hedge until the expiry"


def _delivery_words(charges: Charges) -> str:
    return (
        f"{charges.delivery_bps:g} bps of the underlying for each option delivered, at most "
        f"{FEE_CAP_FRAC:.1%} of its value; mean over scenarios"
    )


def charges_of(structure: Structure, settlement: Floats, pricing: Pricing) -> Charges | str:
    """The costs of a structure for an account, or the name of the first one that is unknown."""
    instrument = structure.expiry.specs[structure.legs[0].at].instrument
    tier, delivery_bps = fee_tier(pricing.account, instrument), option_delivery_bps(instrument)
    if tier is None:
        return "fees"
    if delivery_bps is None:
        return "delivery"
    share = tier.taker_bps / 1e4
    enter = math.fsum(
        abs(leg.quantity) * min(share * leg.expiry.index, leg.fee_ceiling_usd) for leg in structure.legs
    )
    crossed = structure.debit_usd - structure.mid_usd
    leave = 0.0
    for leg in structure.legs:
        if leg.expiry is not structure.expiry:
            value = leg_worth(leg, settlement, structure.expiry)
            leave += abs(leg.quantity) * float(np.minimum(share * settlement, FEE_CAP_FRAC * value).mean())
            crossed += abs(leg.quantity * (leg.usd - leg.mid_usd))
    hedged = _hedge_charges(structure, pricing)
    if isinstance(hedged, str):
        return hedged
    fee, spread, funding = hedged
    return Charges(
        fee_entry=enter + fee,
        fee_exit=leave + fee,
        spread=crossed + spread,
        funding=funding,
        delivery_bps=delivery_bps,
        fee_words=f"taker, {tier.taker_bps:g} bps of the underlying, at most {FEE_CAP_FRAC:.1%} of each option's price"
        + (", entry tier assumed" if tier.assumed else ""),
        fee_source=tier.source,
    )


def _hedge_charges(structure: Structure, pricing: Pricing) -> tuple[float, float, float] | str:
    """Fee of one crossing, spread of two, and funding of the hedge until the expiry; the name of what is unknown."""
    hedge = structure.hedge
    if hedge is None:
        return 0.0, 0.0, 0.0
    tier = fee_tier(pricing.account, pricing.view.instruments[hedge.column].instrument)
    funding = funding_of(pricing.view, hedge.column, structure.expiry.days * DAY_S)
    spread_bps = float(pricing.touch.spread_bps[hedge.column])
    if tier is None:
        return "fees"
    if funding is None:
        return "funding"
    if not math.isfinite(spread_bps):
        return "quotes"
    notional = abs(hedge.units) * hedge.mid
    paid = hedge.units * hedge.mid * funding.sum_frac
    return notional * tier.taker_bps / 1e4, notional * spread_bps / 1e4, paid
