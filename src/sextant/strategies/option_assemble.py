"""The opportunity an option structure is: legs, evidence, greeks, break-evens, risk, rank and words."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np
from scipy.special import betaincinv

from sextant.model.opportunity import (
    CapacityPoint,
    CostLine,
    GateReading,
    InputAge,
    Leg,
    Opportunity,
    RiskLevel,
    Size,
)
from sextant.model.scorecard import Scorecard
from sextant.model.times import INTERVAL_NS, MILLISECOND_NS, SECOND_NS
from sextant.strategies.contract import Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.option_costs import DAY_S, PricedStructure
from sextant.strategies.option_ideas import DAILY, Idea, Underlying
from sextant.strategies.proof import CAUTION, PROVEN_EVENTS
from sextant.strategies.ranking import rank_score
from sextant.strategies.risk import level_of
from sextant.strategies.sizing import ES95_OF_SIGMA, THIN_USD, Binding, Means, on_tick
from sextant.strategies.structures import OptionLeg

PRIOR_EVENTS: Final = 30.0
"""Outcomes that the prior of an even chance is worth: strategies.md 2.5."""

CHAIN_LIVES: Final = 20  # times the greatest age of a chain, after which an idea has expired
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, eq=False)
class OptionOffer:
    """A priced candidate with everything that decides its size."""

    strategy: Strategy
    verdict: Verdict
    underlying: Underlying
    idea: Idea
    priced: PricedStructure
    pricing: Pricing
    means: Means

    @property
    def proven(self) -> bool:
        """Whether enough independent outcomes stand behind it."""
        return self.priced.n_eff >= PROVEN_EVENTS

    @property
    def cautious_usd(self) -> float:
        """Lower bound of the edge per base unit."""
        return self.priced.edge - CAUTION * self.priced.error

    @property
    def tied_usd(self) -> float:
        """Capital that one base unit ties up: the largest loss, and a hedge's notional, which is not levered."""
        hedge = self.priced.structure.hedge
        return self.priced.worst + (0.0 if hedge is None else abs(hedge.units) * hedge.mid)

    @property
    def volume_24h_usd(self) -> float:
        """Turnover of the instrument whose bars are the past."""
        column = self.underlying.column
        return math.nan if column is None else float(self.pricing.volume_24h_usd[column])


@dataclass(frozen=True)
class OptionSize:
    """How many base units, what bound it, and all gates."""

    units: Decimal
    binding: Binding
    readings: tuple[GateReading, ...]


def card_of(priced: PricedStructure) -> Scorecard:
    """What the scenarios say, as evidence."""
    index, net = priced.structure.index, priced.net
    enough = priced.n_eff >= PROVEN_EVENTS
    wins, losses = (priced.n_eff * share + PRIOR_EVENTS / 2 for share in _shares(priced))
    quantile = {side: float(betaincinv(wins, losses, side)) for side in (0.05, 0.95)}
    gains, lost = float(net[net > 0].sum()), -float(net[net < 0].sum())
    return Scorecard(
        kind="analytic",
        status="analytic" if enough else "insufficient_history",
        reason=None if enough else f"{priced.n_eff:.0f} of {PROVEN_EVENTS:.0f} independent outcomes",
        source=f"{len(net)} out-of-sample scenarios of the settlement price",
        bucket="all",
        n=len(net),
        n_eff=priced.n_eff,
        clusters_count=math.floor(priced.n_eff),
        hit_frac=priced.profitable,
        gross_mean_bps=priced.bps(priced.gross),
        gross_se_bps=priced.bps(priced.error),
        shrink_frac=1.0,
        expectancy_bps=priced.bps(priced.edge),
        expectancy_low_bps=priced.bps(priced.edge - 1.645 * priced.error),
        expectancy_high_bps=priced.bps(priced.edge + 1.645 * priced.error),
        median_bps=priced.bps(float(np.median(net))),
        variance_frac=float(np.var(net / index, ddof=1)),
        profit_factor=gains / lost if lost > 0 else None,
        es95_bps=priced.bps(priced.es95),
        median_s=priced.structure.expiry.days * DAY_S,
        confidence=wins / (wins + losses),
        confidence_low=quantile[0.05],
        confidence_high=quantile[0.95],
        grade="analytic" if enough else "unproven",
    )


def _shares(priced: PricedStructure) -> tuple[float, float]:
    return priced.profitable, 1.0 - priced.profitable


def assemble(offer: OptionOffer, sized: OptionSize) -> Opportunity:
    """The opportunity of a structure at its size."""
    priced, pricing, strategy = offer.priced, offer.pricing, offer.strategy
    structure, card = priced.structure, card_of(offer.priced)
    units = float(sized.units)
    notional = units * structure.index
    edge_bps, lcb_bps = priced.bps(priced.edge), priced.bps(offer.cautious_usd)
    size = _size(offer, sized)
    level, facts = _risk(offer, units, size)
    proven = offer.proven
    score = None
    if proven and not offer.means.illustrative:
        sigma = max(priced.es95, 0.0) / structure.index / ES95_OF_SIGMA
        score = rank_score(lcb_bps, notional, sigma, offer.means.profile) if sigma > 0 else None
    expiry_ns, as_of_ns = structure.expiry.expiry_ns, pricing.view.as_of_ns
    return Opportunity(
        opportunity_key=_key(offer),
        first_seen_ns=_last_close_ns(offer),
        strategy_id=strategy.id,
        strategy_name=strategy.name,
        opportunity_type=strategy.opportunity_type,
        lane=strategy.lane,
        legs=_legs(offer, sized.units),
        direction="neutral",
        entry=abs(Decimal(structure.debit_usd)).quantize(_CENT),
        stop=None,
        stop_reason=_stop_reason(offer),
        targets=(),
        horizon_s=structure.expiry.days * DAY_S,
        expected_s=structure.expiry.days * DAY_S,
        gross_bps=priced.bps(priced.gross) if proven else None,
        costs=_lines(offer, units),
        edge_bps=edge_bps if proven else None,
        edge_usd=priced.edge * units if proven else None,
        edge_lcb_bps=lcb_bps if proven else None,
        es95_usd=max(priced.es95, 0.0) * units,
        break_even_s=None,
        break_even_hit_frac=None,
        capacity_usd=structure.touch_units * structure.index if proven else None,
        capacity_curve=_curve(offer, units) if proven else (),
        size_min_usd=None,
        expires_ns=max(min(_stale_ns(offer), expiry_ns), as_of_ns),
        half_life_s=None,
        strength=offer.idea.strength,
        confidence=card.confidence if proven else None,
        confidence_low=card.confidence_low if proven else None,
        confidence_high=card.confidence_high if proven else None,
        grade=card.grade,
        evidence=card,
        risk_level=level,
        risk_facts=facts,
        size=size,
        inputs=_inputs(offer),
        gates=sized.readings,
        reasons=_reasons(offer, sized, notional),
        warnings=_warnings(offer, size),
        rank_group=0 if proven else 1,
        rank_score=score,
        as_of_ns=as_of_ns,
    )


def _lines(offer: OptionOffer, units: float) -> tuple[CostLine, ...]:
    """The waterfall; the gross of an unproven idea is withheld."""
    gross, *rest = offer.priced.lines(units, offer.pricing.view.as_of_ns)
    if not offer.proven:
        words = f"unproven: under {PROVEN_EVENTS:.0f} independent outcomes"
        gross = msgspec.structs.replace(gross, bps=None, usd=None, basis=words)
    return (gross, *rest)


def _legs(offer: OptionOffer, units: Decimal) -> tuple[Leg, ...]:
    """Market orders at the touch, prices on the worse tick; the hedge last."""
    structure, pricing = offer.priced.structure, offer.pricing
    legs = [option_leg(leg, units) for leg in structure.legs]
    hedge = structure.hedge
    if hedge is not None:
        spec = pricing.view.instruments[hedge.column]
        buys = hedge.units > 0
        usd = abs(hedge.units) * hedge.mid * float(units)
        # Contracts of an inverse perpetual are worth quote units, those of a linear one base units.
        amount = usd if spec.style == "inverse" else usd / hedge.mid
        quantity = max((Decimal(amount) / spec.lot).to_integral_value() * spec.lot, spec.lot)
        best = float((pricing.touch.ask if buys else pricing.touch.bid)[hedge.column])
        legs.append(
            Leg(
                instrument=spec.instrument,
                side="buy" if buys else "sell",
                quantity=quantity,
                price=on_tick(best, spec, "up" if buys else "down"),
                order_kind="market",
                reduce_only=False,
                notional_usd=usd,
                leverage=1.0,
                margin_usd=usd,
                role="hedge",
                quote_age_ms=float(pricing.touch.age_ms[hedge.column]),
            )
        )
    return tuple(legs)


def option_leg(leg: OptionLeg, units: Decimal) -> Leg:
    """The order of a leg for so many units of its structure, at the touch."""
    spec, buys = leg.expiry.specs[leg.at], leg.quantity > 0
    quantity = units * abs(leg.quantity)
    return Leg(
        instrument=spec.instrument,
        side="buy" if buys else "sell",
        quantity=quantity,
        price=on_tick(leg.price, spec, "up" if buys else "down"),
        order_kind="limit",
        reduce_only=False,
        notional_usd=float(quantity) * leg.expiry.index,
        leverage=None,
        margin_usd=None,
        role="entry",
        quote_age_ms=float(leg.expiry.age_ms[leg.at]),
    )


def _size(offer: OptionOffer, sized: OptionSize) -> Size:
    units = float(sized.units)
    return Size(
        quantity=sized.units,
        notional_usd=units * offer.priced.structure.index,
        risk_usd=units * offer.priced.worst,
        binding=sized.binding,
        required_capital_usd=units * offer.tied_usd,
        illustrative=offer.means.illustrative,
    )


def _risk(offer: OptionOffer, units: float, size: Size) -> tuple[RiskLevel, dict[str, float]]:
    """Scenario shortfall over capital; one level up, two at most, for a short option, a thin market and a last day."""
    priced, structure = offer.priced, offer.priced.structure
    rho = max(priced.es95, 0.0) * units / size.required_capital_usd if size.required_capital_usd > 0 else 0.0
    steps = sum(
        (
            any(leg.quantity < 0 for leg in structure.legs),
            offer.volume_24h_usd < THIN_USD,
            structure.expiry.days < 1.0,
        )
    )
    found = structure.greeks
    level, raised = level_of(rho, steps)
    facts = {
        "loss_frac_of_capital": rho,
        "levels_up": float(raised),
        "largest_loss_usd": priced.worst * units,
        "largest_gain_usd": priced.best * units,
        "profit_frac": priced.profitable,
        "near_largest_loss_frac": float(np.mean(priced.net <= -0.9 * priced.worst)),
        "delta": float(found.delta[0]) * units,
        "gamma": float(found.gamma[0]) * units,
        "vega_usd": float(found.vega[0]) * units,
        "theta_usd": float(found.theta[0]) * units,
        "volume_24h_usd": offer.volume_24h_usd,
    }
    facts |= {f"break_even_{place}": value for place, value in enumerate(priced.break_evens, 1)}
    return level, facts


def _curve(offer: OptionOffer, units: float) -> tuple[CapacityPoint, ...]:
    """Within the touch the edge in basis points does not depend on the size; beyond it nothing is offered."""
    structure = offer.priced.structure
    return tuple(
        CapacityPoint(units * factor * structure.index, offer.priced.bps(offer.priced.edge))
        for factor in (0.25, 0.5, 1.0, 2.0, 4.0)
        if units * factor <= structure.touch_units
    )


def _last_close_ns(offer: OptionOffer) -> int:
    return int(offer.pricing.view.bars[DAILY].open_ns[-1]) + INTERVAL_NS[DAILY]


def _key(offer: OptionOffer) -> str:
    """The identity of the idea: the same across scans while its legs, the day and the parameters are."""
    params = offer.verdict.params or offer.strategy.defaults()
    legs = [f"{leg.expiry.specs[leg.at].instrument}:{leg.quantity:+d}" for leg in offer.priced.structure.legs]
    if offer.priced.structure.hedge is not None:
        legs.append("hedged")
    parts = (
        offer.strategy.id,
        *legs,
        str(_last_close_ns(offer)),
        ",".join(f"{name}={params[name]!r}" for name in sorted(params)),
    )
    return hashlib.blake2b("|".join(parts).encode(), digest_size=16).hexdigest()


def _chain_age_s(offer: OptionOffer) -> float:
    return next(need.greatest_age_s for need in offer.strategy.needs if need.column == "chain")


def _oldest_ns(offer: OptionOffer) -> int:
    age_ms = max(float(leg.expiry.age_ms[leg.at]) for leg in offer.priced.structure.legs)
    return offer.pricing.view.as_of_ns - round(age_ms * MILLISECOND_NS)


def _stale_ns(offer: OptionOffer) -> int:
    return _oldest_ns(offer) + round(CHAIN_LIVES * _chain_age_s(offer) * SECOND_NS)


def _inputs(offer: OptionOffer) -> tuple[InputAge, ...]:
    view = offer.pricing.view
    oldest, close = _oldest_ns(offer), view.bars[DAILY].last_close_ns or 0
    limit_s = next(need.greatest_age_s for need in offer.strategy.needs if need.column == "bars")
    return (
        InputAge("chain", oldest, (view.as_of_ns - oldest) / MILLISECOND_NS, _chain_age_s(offer) * 1e3),
        InputAge(f"bars.{DAILY}", close, (view.as_of_ns - close) / MILLISECOND_NS, limit_s * 1e3),
    )


def _stop_reason(offer: OptionOffer) -> str:
    if offer.priced.structure.hedge is None:
        return "The loss is bounded by the legs; it is held to its expiry."
    return "Held to its expiry; beyond the scenarios the hedge may lose more than the largest loss shown."


def _reasons(offer: OptionOffer, sized: OptionSize, notional: float) -> tuple[str, ...]:
    priced, structure, idea = offer.priced, offer.priced.structure, offer.idea
    told = [f"{idea.name}: " + ", ".join(leg_words(leg) for leg in structure.legs) + "."]
    for reading in idea.readings:
        if reading.value is not None:
            unit = f" {idea.units[reading.gate]}" if idea.units.get(reading.gate) else ""
            told.append(f"{reading.gate} is {reading.value:.4g}{unit}, the limit is {reading.threshold:.4g}.")
    way = "cost" if structure.debit_usd > 0 else "bring"
    told.append(
        f"The options {way} {abs(structure.debit_usd):.0f} USD per {offer.underlying.base} at executable prices; "
        f"largest loss {priced.worst:.0f}, largest gain {priced.best:.0f} USD over the scenarios."
    )
    if priced.break_evens:
        told.append("It breaks even at " + ", ".join(f"{value:.0f}" for value in priced.break_evens) + ".")
    told.append(
        f"{priced.profitable:.0%} of {len(priced.net)} scenarios ({priced.n_eff:.0f} independent) end with a profit; "
        f"costs are {priced.bps(priced.gross - priced.edge):.1f} bps at {notional:.0f} USD."
    )
    told.append(f"Size {notional:.0f} USD is bound by {sized.binding}.")
    return tuple(told)


def leg_words(leg: OptionLeg) -> str:
    """A leg in words, as ``buy 1 x 60000 call``."""
    name = leg.expiry.specs[leg.at].instrument
    side = "buy" if leg.quantity > 0 else "sell"
    strike = (name.strike or Decimal(0)).normalize()
    return f"{side} {abs(leg.quantity)} x {strike:f} {name.right}"


def _warnings(offer: OptionOffer, size: Size) -> tuple[str, ...]:
    structure = offer.priced.structure
    told: list[str] = []
    if not offer.proven:
        told.append(
            f"Unproven: {offer.priced.n_eff:.0f} of {PROVEN_EVENTS:.0f} independent outcomes; edge and confidence are "
            "withheld and the size is a quarter of the risk budget."
        )
    if "assumed" in offer.priced.charges.fee_words:
        told.append(f"Fees are the entry tier of {structure.expiry.chain.partition(':')[0]}, assumed.")
    if any(leg.quantity < 0 for leg in structure.legs):
        told.append(
            "It holds short options: the venue may ask for more margin than the largest loss before expiry."
        )
    if structure.expiry.unit_usd != 1.0:
        told.append(
            f"Options are paid and settled in {offer.underlying.base}; what is paid in advance moves with its price."
        )
    if size.illustrative:
        told.append("No account is connected: the size is the smallest order, and not ranked for a person.")
    if offer.pricing.view.simulated:
        told.append("The market is simulated.")
    return tuple(told)
