"""What a couple costs: both legs in one waterfall, in basis points of the larger side at entry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.opportunity import CostLine
from sextant.strategies.costs import Pricing, Stay, Terms, terms_of
from sextant.strategies.couples import SIDES, CoupleSet, LegExit, weights_of
from sextant.strategies.fees import delivery_bps

IN_GROSS: Final = "part of the gross: it is what the couple is held for"


@dataclass(frozen=True, eq=False)
class JointTerms:
    """Everything that decides the costs of a couple, at any size.

    Parameters
    ----------
    legs, weights
        Terms of each leg; its notional per reference notional.
    exits
        How each leg ends; only a leg that is traded out of pays for a second order.
    delivery_bps
        Fee of the legs that are held to their expiry, basis points of their notional; None where unknown.
    funding_counts
        Whether funding is a cost line; False where the gross is made of it.
    extra_bps, extra_words
        Cost of moving inventory, and how it comes about.
    """

    legs: tuple[Terms, Terms]
    weights: tuple[float, float]
    exits: tuple[LegExit, LegExit]
    delivery_bps: float | None
    funding_counts: bool
    extra_bps: float
    extra_words: str

    @cached_property
    def greatest_usd(self) -> float:
        """The largest reference notional that can be priced on both legs, both ways."""
        return min(
            (leg.greatest_usd if way == "trade" else leg.entry.greatest_usd) / weight
            for leg, weight, way in self._parts
        )

    @cached_property
    def unknown(self) -> str | None:
        """The first cost that is unknown, or None."""
        for name, leg in zip(SIDES, self.legs, strict=True):
            if leg.unknown is not None and (self.funding_counts or leg.unknown != "funding"):
                return f"{leg.unknown}.{name}"
        return "delivery" if self.delivery_bps is None else None

    @cached_property
    def fee_bps(self) -> tuple[float, float]:
        """Fees of entry and of exit."""
        takers = [0.0 if leg.fee is None else leg.fee.taker_bps * weight for leg, weight, _ in self._parts]
        leaving = [fee for fee, way in zip(takers, self.exits, strict=True) if way == "trade"]
        return math.fsum(takers), math.fsum(leaving)

    @cached_property
    def spread_bps(self) -> float:
        """Half the quoted spread for each crossing order."""
        return math.fsum(
            leg.spread_bps * weight * (1.0 if way == "trade" else 0.5) for leg, weight, way in self._parts
        )

    @cached_property
    def funding_bps(self) -> float:
        """Funding income of both legs, negative when it costs; 0 where it is part of the gross."""
        if not self.funding_counts:
            return 0.0
        return math.fsum(leg.funding_bps * weight for leg, weight, _ in self._parts)

    @cached_property
    def fixed_bps(self) -> float:
        """Costs that do not depend on the size, positive when they cost."""
        fees = math.fsum(self.fee_bps)
        return fees + self.spread_bps - self.funding_bps + (self.delivery_bps or 0.0) + self.extra_bps

    def slippage_bps(self, size_usd: Floats) -> Floats:
        """Slippage of all orders together, >= 0, (n,)."""
        total = np.zeros(size_usd.shape)
        for leg, weight, way in self._parts:
            own = size_usd * weight
            total += weight * (leg.slippage_bps(own) if way == "trade" else leg.entry.slippage_bps(own))
        return total

    def cost_bps(self, size_usd: float) -> float:
        """All costs at a size, positive when they cost."""
        return self.fixed_bps + float(self.slippage_bps(np.array([size_usd]))[0])

    @cached_property
    def _parts(self) -> list[tuple[Terms, float, LegExit]]:
        return list(zip(self.legs, self.weights, self.exits, strict=True))


def joint_terms(
    pricing: Pricing, said: CoupleSet, couple: int, direction: int, stop_share: float
) -> JointTerms:
    """The terms of entering a couple now and leaving it again.

    Parameters
    ----------
    couple
        Index into the couples of ``said``.
    direction
        +1 buys the first instrument, -1 sells it.
    stop_share
        Share of past exits that were stops, in [0, 1].
    """
    weights = weights_of(float(said.ratio[couple]))
    legs: list[Terms] = []
    delivered = 0.0
    for place, weight in enumerate(weights):
        column = int(said.legs[couple, place])
        stay = Stay(
            column=column,
            direction=direction if place == 0 else -direction,
            horizon_s=float(said.horizon_s[couple]),
            sigma_day=float(said.sigma_day[couple, place]),
            stop_share=stop_share,
        )
        legs.append(terms_of(pricing, stay))
        if said.exits[place] == "delivery":
            fee = delivery_bps(pricing.view.instruments[column].instrument)
            delivered += math.nan if fee is None else fee * weight
    return JointTerms(
        legs=(legs[0], legs[1]),
        weights=weights,
        exits=said.exits,
        delivery_bps=None if math.isnan(delivered) else delivered,
        funding_counts=said.model is None,
        extra_bps=said.extra_bps[0],
        extra_words=said.extra_bps[1],
    )


def joint_waterfall(
    pricing: Pricing, terms: JointTerms, gross: tuple[float | None, str], size_usd: float
) -> tuple[CostLine, ...]:
    """The lines from gross to edge at a size, in their fixed order; ``edge = gross + sum of the others``.

    Parameters
    ----------
    gross
        Expected return mid to mid, basis points, None when unproven; and what it is made of.
    """
    entry_bps, exit_bps = terms.fee_bps
    touched, as_of_ns = pricing.touch, pricing.view.as_of_ns
    quote_ns = min(int(touched.event_ns[leg.column]) for leg in terms.legs) or None
    slip = float(terms.slippage_bps(np.array([size_usd]))[0])
    ways = " and ".join(dict.fromkeys(leg.entry.kind for leg in terms.legs))
    sources = ", ".join(dict.fromkeys(leg.fee.source for leg in terms.legs if leg.fee is not None))
    has_funding = any(leg.pays_funding for leg in terms.legs) and terms.funding_counts
    lines: list[tuple[Any, float | None, str, int | None, str]] = [
        ("gross", gross[0], "evidence" if terms.funding_counts else "model", as_of_ns, gross[1]),
        ("fee_entry", 0.0 - entry_bps, sources, None, f"taker of both legs: {_fee_words(terms)}"),
        ("fee_exit", 0.0 - exit_bps, sources, None, _exit_words(terms)),
        (
            "spread",
            0.0 - terms.spread_bps,
            "assumption" if touched.assumed else "quote",
            quote_ns,
            _spread_words(pricing, terms),
        ),
        ("slippage", 0.0 - slip, ways, quote_ns, f"{ways} at {size_usd:.0f} USD of the larger side"),
        (
            "funding",
            terms.funding_bps,
            "derivatives" if has_funding else "none",
            as_of_ns,
            _funding_words(terms),
        ),
        ("borrow", 0.0, "none", None, "nothing is borrowed"),
        (
            "transfer",
            0.0 - terms.extra_bps,
            "assumption" if terms.extra_bps else "none",
            None,
            terms.extra_words,
        ),
        ("delivery", 0.0 - (terms.delivery_bps or 0.0), "fees", None, _delivery_words(terms)),
    ]
    return tuple(
        CostLine(item, bps, None if bps is None else bps * size_usd / 1e4, source, time_ns, basis)
        for item, bps, source, time_ns, basis in lines
    )


def _fee_words(terms: JointTerms) -> str:
    told = [
        f"{fee.venue} {fee.kind} {fee.taker_bps:g} bps x {weight:.2f}{' assumed' if fee.assumed else ''}"
        for fee, weight in ((leg.fee, weight) for leg, weight in zip(terms.legs, terms.weights, strict=True))
        if fee is not None
    ]
    return ", ".join(told)


def _exit_words(terms: JointTerms) -> str:
    return "; ".join(
        {
            "trade": f"{name} leg crosses again",
            "delivery": f"{name} leg is held to its expiry",
            "kept": f"{name} leg stays where it is",
        }[way]
        for name, way in zip(SIDES, terms.exits, strict=True)
    )


def _spread_words(pricing: Pricing, terms: JointTerms) -> str:
    widths = ", ".join(
        f"{leg.spread_bps:.2f} bps x {weight:.2f}"
        for leg, weight in zip(terms.legs, terms.weights, strict=True)
    )
    if pricing.touch.assumed:
        return f"assumed {pricing.assumptions.spread_bps_assumed:g} bps: the recording has no quotes"
    return f"half the quoted spread per crossing: {widths}"


def _funding_words(terms: JointTerms) -> str:
    if not terms.funding_counts:
        return IN_GROSS
    told = [
        f"{name} leg {leg.funding.count} settlements, reverting to {leg.funding.mean_frac * 1e4:.2f} bps with phi "
        f"{leg.funding.phi:.2f}"
        for name, leg in zip(SIDES, terms.legs, strict=True)
        if leg.funding is not None
    ]
    return "; ".join(told) or "neither leg has funding"


def _delivery_words(terms: JointTerms) -> str:
    if "delivery" not in terms.exits:
        return "left before any delivery"
    return f"settlement fee of {terms.delivery_bps or 0.0:g} bps at expiry"
