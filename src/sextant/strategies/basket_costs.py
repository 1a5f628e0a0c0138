"""What a basket costs: all legs in one waterfall, in basis points of the larger side at entry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sextant.model.bar import Floats
from sextant.model.opportunity import CostLine
from sextant.strategies.costs import Pricing, Terms


@dataclass(frozen=True, eq=False)
class BasketTerms:
    """Everything that decides the costs of a basket, at any size.

    Parameters
    ----------
    legs, weights
        Terms of each leg, all of them known; its notional per reference notional, > 0.
    """

    legs: tuple[Terms, ...]
    weights: tuple[float, ...]

    @property
    def greatest_usd(self) -> float:
        """The largest reference notional that can be priced on all legs, both ways."""
        return min(leg.greatest_usd / weight for leg, weight in self._parts)

    @property
    def fee_bps(self) -> float:
        """Taker fees of one way."""
        return math.fsum(leg.fee_exit_bps * weight for leg, weight in self._parts)

    @property
    def spread_bps(self) -> float:
        """Half the quoted spread for each of two crossings."""
        return math.fsum(leg.spread_bps * weight for leg, weight in self._parts)

    @property
    def funding_bps(self) -> float:
        """Funding income of all legs, negative when it costs."""
        return math.fsum(leg.funding_bps * weight for leg, weight in self._parts)

    @property
    def fixed_bps(self) -> float:
        """Costs that do not depend on the size, positive when they cost."""
        return 2.0 * self.fee_bps + self.spread_bps - self.funding_bps

    def slippage_bps(self, size_usd: Floats) -> Floats:
        """Slippage of all orders together, >= 0, (n,)."""
        total = np.zeros(size_usd.shape)
        for leg, weight in self._parts:
            total += weight * leg.slippage_bps(size_usd * weight)
        return total

    def cost_bps(self, size_usd: float) -> float:
        """All costs at a size, positive when they cost."""
        return self.fixed_bps + float(self.slippage_bps(np.array([size_usd]))[0])

    @property
    def _parts(self) -> list[tuple[Terms, float]]:
        return list(zip(self.legs, self.weights, strict=True))


def basket_waterfall(
    pricing: Pricing, terms: BasketTerms, gross_bps: float | None, size_usd: float
) -> tuple[CostLine, ...]:
    """The lines from gross to edge at a size, in their fixed order; ``edge = gross + sum of the others``.

    Parameters
    ----------
    gross_bps
        Expected return of all legs beyond the factors; None when unproven.
    """
    touched, as_of_ns, count = pricing.touch, pricing.view.as_of_ns, len(terms.legs)
    quote_ns = min(int(touched.event_ns[leg.column]) for leg in terms.legs) or None
    slip = float(terms.slippage_bps(np.array([size_usd]))[0])
    sources = ", ".join(dict.fromkeys(leg.fee.source for leg in terms.legs if leg.fee is not None))
    assumed = any(leg.fee is not None and leg.fee.assumed for leg in terms.legs)
    fees = f"taker of {count} legs{', entry tiers assumed' if assumed else ''}"
    kinds = " and ".join(dict.fromkeys(leg.entry.kind for leg in terms.legs))
    has_funding = any(leg.pays_funding for leg in terms.legs)
    words = "unproven: too few past events" if gross_bps is None else "shrunk means of past residual returns"
    spread = f"half the quoted spread per crossing, two crossings of {count} legs"
    if touched.assumed:
        spread = f"assumed {pricing.assumptions.spread_bps_assumed:g} bps: the recording has no quotes"
    rows: list[tuple[Any, float | None, str, int | None, str]] = [
        ("gross", gross_bps, "evidence", as_of_ns, words),
        ("fee_entry", 0.0 - terms.fee_bps, sources, None, fees),
        ("fee_exit", 0.0 - terms.fee_bps, sources, None, fees),
        ("spread", 0.0 - terms.spread_bps, "assumption" if touched.assumed else "quote", quote_ns, spread),
        ("slippage", 0.0 - slip, kinds, quote_ns, f"{kinds} at {size_usd:.0f} USD of the larger side"),
        (
            "funding",
            terms.funding_bps,
            "derivatives" if has_funding else "none",
            as_of_ns,
            "forecast of each leg on its own clock" if has_funding else "no leg has funding",
        ),
        ("borrow", 0.0, "none", None, "nothing is borrowed"),
        ("transfer", 0.0, "none", None, "traded with what lies at the venues"),
        ("delivery", 0.0, "none", None, "left before any delivery"),
    ]
    return tuple(
        CostLine(item, bps, None if bps is None else bps * size_usd / 1e4, source, time_ns, basis)
        for item, bps, source, time_ns, basis in rows
    )
