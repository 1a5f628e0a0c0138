"""The opportunity that a cycle is at its size: three orders, what they cost, and what comes back."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sextant.model.bar import Floats
from sextant.model.opportunity import CostLine, GateReading, InputAge, Leg, Opportunity, Size
from sextant.model.times import MILLISECOND_NS, SECOND_NS
from sextant.strategies.contract import Strategy
from sextant.strategies.costs import Capacity, Pricing, capacity_curve
from sextant.strategies.cycles import Filled, Hop, returned
from sextant.strategies.fees import fee_tier
from sextant.strategies.proof import contractual
from sextant.strategies.ranking import rank_score
from sextant.strategies.risk import level_of
from sextant.strategies.sizing import ES95_OF_SIGMA, MISSED_HEDGE_FRAC, Binding, Means, on_tick


@dataclass(frozen=True, eq=False)
class CycleTerms:
    """What decides the edge of a cycle at any size.

    Parameters
    ----------
    hops, columns
        Its three trades, and the columns of their instruments.
    start, usd
        The asset it begins with, and USD per unit of it.
    gross_bps, executable_bps
        Gain before all costs between mid prices, and at the touch.
    greatest_usd
        The largest size that all three books hold.
    """

    hops: tuple[Hop, ...]
    columns: tuple[int, ...]
    start: str
    usd: float
    gross_bps: float
    executable_bps: float
    greatest_usd: float

    @cached_property
    def kept_frac(self) -> float:
        """Share that is left by three fees."""
        return math.prod(1.0 - hop.fee_frac for hop in self.hops)

    @property
    def fixed_bps(self) -> float:
        """Spreads and fees, whatever the size; positive when they cost."""
        return self.gross_bps - self._touch_bps

    @property
    def _touch_bps(self) -> float:
        """Gain at the touch after fees."""
        return 1e4 * ((1.0 + self.executable_bps / 1e4) * self.kept_frac - 1.0)

    def slippage_bps(self, size_usd: Floats) -> Floats:
        """What the books take beyond the touch, (n,), >= 0; NaN beyond what they hold."""
        given = size_usd / self.usd
        gained = 1e4 * (returned(self.hops, given) / given - 1.0)
        out: Floats = np.maximum(self._touch_bps - gained, 0.0)
        return out

    def cost_bps(self, size_usd: float) -> float:
        """All costs at a size, positive when they cost."""
        return self.fixed_bps + float(self.slippage_bps(np.array([size_usd]))[0])


@dataclass(frozen=True, eq=False)
class CycleOffer:
    """A cycle at the prices of one account."""

    strategy: Strategy
    params: Mapping[str, float]
    name: str
    terms: CycleTerms
    room: Capacity
    means: Means
    pricing: Pricing

    @property
    def ages_ms(self) -> tuple[float, ...]:
        """How old the three quotes are."""
        return tuple(self.pricing.touch.age_ms[list(self.terms.columns)].tolist())


def assemble(
    offer: CycleOffer, filled: Filled, binding: Binding, readings: tuple[GateReading, ...]
) -> Opportunity:
    """The opportunity of a cycle whose gates all passed."""
    terms, strategy, view = offer.terms, offer.strategy, offer.pricing.view
    notional, edge_bps = filled.spent * terms.usd, filled.edge_frac * 1e4
    level, raised = level_of(MISSED_HEDGE_FRAC, 0)
    oldest_ms = max(offer.ages_ms)
    oldest_ns = view.as_of_ns - round(oldest_ms * MILLISECOND_NS)
    life_s = strategy.life_s or 0.0
    limit_ms = next(need.greatest_age_s for need in strategy.needs if need.column == "quotes") * 1e3
    sigma = MISSED_HEDGE_FRAC / ES95_OF_SIGMA
    score = None if offer.means.illustrative else rank_score(edge_bps, notional, sigma, offer.means.profile)
    lot = binding if filled.quantities[0] > terms.hops[0].spec.lot else "lot"
    lines = waterfall(offer, filled)
    cost_bps = -math.fsum(line.bps or 0.0 for line in lines[1:])
    return Opportunity(
        opportunity_key=_key(offer),
        first_seen_ns=oldest_ns,
        strategy_id=strategy.id,
        strategy_name=strategy.name,
        opportunity_type=strategy.opportunity_type,
        lane=strategy.lane,
        legs=_legs(offer, filled),
        direction="neutral",
        entry=None,
        stop=None,
        stop_reason="Nothing is held afterwards; the loss is that of an order that is not filled.",
        targets=(),
        horizon_s=life_s,
        expected_s=life_s,
        gross_bps=terms.gross_bps,
        costs=lines,
        edge_bps=edge_bps,
        edge_usd=filled.edge_frac * notional,
        edge_lcb_bps=edge_bps,
        es95_usd=MISSED_HEDGE_FRAC * notional,
        break_even_s=life_s,
        break_even_hit_frac=None,
        capacity_usd=offer.room.largest_usd,
        capacity_curve=capacity_curve(terms, terms.gross_bps, notional),
        size_min_usd=offer.room.smallest_usd,
        expires_ns=oldest_ns + round(life_s * SECOND_NS),
        half_life_s=None,
        strength=max(terms.gross_bps, 0.0) / cost_bps if cost_bps > 0 else 0.0,
        confidence=None,
        confidence_low=None,
        confidence_high=None,
        grade="analytic",
        evidence=contractual(terms.gross_bps, edge_bps, life_s),
        risk_level=level,
        risk_facts={"loss_frac_of_capital": MISSED_HEDGE_FRAC, "levels_up": float(raised)},
        size=Size(
            filled.quantities[0],
            notional,
            MISSED_HEDGE_FRAC * notional,
            lot,
            notional,
            offer.means.illustrative,
        ),
        inputs=(InputAge("quotes", oldest_ns, oldest_ms, limit_ms),),
        gates=readings,
        reasons=_reasons(offer, filled, lot),
        warnings=_warnings(offer),
        rank_group=0,
        rank_score=score,
        as_of_ns=view.as_of_ns,
    )


def waterfall(offer: CycleOffer, filled: Filled) -> tuple[CostLine, ...]:
    """The lines from gross to edge, in their fixed order; ``edge = gross + sum of the others``.

    Notes
    -----
    Each fee is taken of what the hops before it left, so the second and the third are a little less than their rates;
    what depth and lots take is what remains between the touch and what comes back.
    """
    terms, time_ns = offer.terms, offer.pricing.view.as_of_ns
    touched = 1.0 + terms.executable_bps / 1e4
    first = -1e4 * touched * terms.hops[0].fee_frac
    later = -1e4 * touched * (1.0 - terms.kept_frac) - first
    depth = 1e4 * (filled.edge_frac - (touched * terms.kept_frac - 1.0))
    tier = fee_tier(offer.pricing.account, terms.hops[0].spec.instrument)
    source = "unknown" if tier is None else tier.source
    walked = f"books walked at the size; lots leave {filled.dust_frac:.2%} over, counted as lost"
    rows: list[tuple[Any, float, str, str]] = [
        ("gross", terms.gross_bps, "quote", "product of three mid prices less one"),
        ("fee_entry", first, source, "taker of the first order"),
        ("fee_exit", later, source, "taker of the second and the third, of what the fees before leave"),
        ("spread", terms.executable_bps - terms.gross_bps, "quote", "bought at the ask, sold at the bid"),
        ("slippage", depth, "book", walked),
        ("funding", 0.0, "none", "nothing has funding"),
        ("borrow", 0.0, "none", "nothing is borrowed"),
        ("transfer", 0.0, "none", "traded with what lies at the venue"),
        ("delivery", 0.0, "none", "nothing is delivered"),
    ]
    usd = filled.spent * terms.usd
    return tuple(
        CostLine(item, bps + 0.0, bps * usd / 1e4 + 0.0, told, time_ns, basis)
        for item, bps, told, basis in rows
    )


def _legs(offer: CycleOffer, filled: Filled) -> tuple[Leg, ...]:
    """Limit orders at the worst level that each needs, in the order in which they follow one another."""
    legs = []
    for place, hop in enumerate(offer.terms.hops):
        buys, price = hop.side > 0, filled.prices[place]
        usd = float(filled.quantities[place]) * price * float(offer.pricing.usd[offer.terms.columns[place]])
        legs.append(
            Leg(
                instrument=hop.spec.instrument,
                side="buy" if buys else "sell",
                quantity=filled.quantities[place],
                price=on_tick(price, hop.spec, "up" if buys else "down"),
                order_kind="limit",
                reduce_only=False,
                notional_usd=usd,
                leverage=None,
                margin_usd=None,
                role="entry" if place == 0 else "hedge",
                quote_age_ms=offer.ages_ms[place],
            )
        )
    return tuple(legs)


def _key(offer: CycleOffer) -> str:
    params = offer.params or offer.strategy.defaults()
    hops = [f"{hop.spec.instrument}:{hop.side:+d}" for hop in offer.terms.hops]
    parts = (offer.strategy.id, *hops, ",".join(f"{name}={params[name]!r}" for name in sorted(params)))
    return hashlib.blake2b("|".join(parts).encode(), digest_size=16).hexdigest()


def _reasons(offer: CycleOffer, filled: Filled, binding: Binding) -> tuple[str, ...]:
    terms = offer.terms
    return (
        f"{offer.name} > {terms.start}: {filled.spent:.8g} {terms.start} become {filled.got:.8g} after three fees.",
        f"Three orders at the touch gain {terms.executable_bps:.1f} bps; fees leave {terms.kept_frac:.4%} of it all.",
        f"Size {filled.spent * terms.usd:.0f} USD is bound by {binding}.",
    )


def _warnings(offer: CycleOffer) -> tuple[str, ...]:
    told = ["All three orders must be filled: after one or two of them another asset is held than before."]
    tier = fee_tier(offer.pricing.account, offer.terms.hops[0].spec.instrument)
    if tier is not None and tier.assumed:
        told.append(f"Fees are the entry tier of {tier.venue}, assumed.")
    if offer.means.illustrative:
        told.append("No account is connected: the size is an example, and not ranked for a person.")
    if offer.pricing.view.simulated:
        told.append("The market is simulated.")
    return tuple(told)
