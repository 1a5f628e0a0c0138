"""The opportunity a basket is: all legs, joint waterfall, risk, rank and words."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from sextant.model.account import Grade
from sextant.model.bar import Floats
from sextant.model.opportunity import CostLine, GateReading, InputAge, Leg, Opportunity, Size
from sextant.model.scorecard import Scorecard
from sextant.model.times import MILLISECOND_NS, iso_ms
from sextant.strategies.basket_costs import BasketTerms
from sextant.strategies.candidate import Candidate, expires_ns, first_seen_ns, opportunity_key
from sextant.strategies.contract import Strategy, Verdict
from sextant.strategies.costs import Capacity, Pricing, Terms, capacity_curve
from sextant.strategies.gates import without
from sextant.strategies.proof import CAUTION, Evidence, Proof, grade_of
from sextant.strategies.ranking import rank_score
from sextant.strategies.risk import Exposure, risk_of
from sextant.strategies.sizing import (
    ES95_OF_SIGMA,
    ES99_OF_SIGMA,
    MISSED_HEDGE_FRAC,
    Binding,
    Means,
    on_tick,
)
from sextant.strategies.wording import spread_assumed, unproven

NO_STOP: Final = (
    "Each leg is left when its own residual has returned, has strayed five deviations, or after the horizon."
)


LEGS_ONLY: Final = (
    "Evidence is that of single legs: how often a whole basket pays is not known, so no confidence is stated."
)


@dataclass(frozen=True, eq=False)
class Member:
    """One instrument of a basket: what is said of it, its evidence, and the terms of the leg that realises it."""

    candidate: Candidate
    evidence: Evidence
    terms: Terms


@dataclass(frozen=True, eq=False)
class BasketOffer:
    """A basket with everything that decides its price and its size; members in the order of their names.

    ``sigma_frac`` is the standard deviation of the basket's return, a fraction of its reference notional, the larger side.
    """

    verdict: Verdict
    members: tuple[Member, ...]
    pricing: Pricing
    terms: BasketTerms
    proof: Proof
    means: Means
    sigma_frac: float

    @property
    def strategy(self) -> Strategy:
        """Whose basket it is."""
        return self.members[0].candidate.strategy

    @property
    def lead(self) -> Member:
        """The member whose residual has strayed furthest."""
        return max(self.members, key=lambda member: member.candidate.strength)

    @property
    def weakest(self) -> Scorecard:
        """The evidence of the member that has least of it."""
        return min(self.members, key=lambda member: member.evidence.glance.n_eff).evidence.whole()

    @property
    def mids(self) -> tuple[float, ...]:
        """USD of one base unit of each leg."""
        usd = self.pricing.touch.mid * self.pricing.usd
        return tuple(float(usd[member.candidate.executed]) for member in self.members)

    @property
    def loss_frac(self) -> float:
        """Expected shortfall 99 % of the residual return and one missed hedge."""
        return ES99_OF_SIGMA * self.sigma_frac + MISSED_HEDGE_FRAC

    @property
    def volume_24h_usd(self) -> float:
        """Turnover of the leg that is traded least."""
        return min(float(self.pricing.volume_24h_usd[member.candidate.executed]) for member in self.members)


@dataclass(frozen=True, eq=False)
class BasketSized:
    """The size of a basket: quantities and USD of each leg, the larger side, and what follows."""

    quantities: tuple[Decimal, ...]
    usd: Floats
    notional_usd: float
    binding: Binding
    room: Capacity
    lines: tuple[CostLine, ...]
    readings: tuple[GateReading, ...]

    @property
    def cost_bps(self) -> float:
        """All costs, positive when they cost."""
        return -math.fsum(line.bps or 0.0 for line in self.lines[1:])


def assemble(offer: BasketOffer, sized: BasketSized) -> Opportunity:
    """The opportunity of a basket at its size."""
    card, pricing, strategy = offer.weakest, offer.pricing, offer.strategy
    gross, error, notional = offer.proof.gross_bps, offer.proof.error_bps, sized.notional_usd
    edge = None if gross is None else gross - sized.cost_bps
    lcb = None if edge is None or error is None else edge - CAUTION * error
    grade: Grade = "unproven"
    if edge is not None and lcb is not None:
        grade = grade_of(card.n_eff, edge, lcb, card.deflated_p)
    graded = grade != "unproven"
    score = None
    if lcb is not None and not offer.means.illustrative:
        score = rank_score(lcb, notional, offer.sigma_frac, offer.means.profile)
    size = _size(offer, sized)
    level, facts = risk_of(_exposure(offer, sized, size))
    lead = offer.lead.candidate
    return Opportunity(
        opportunity_key=_key(offer),
        first_seen_ns=_first_seen_ns(offer),
        strategy_id=strategy.id,
        strategy_name=strategy.name,
        opportunity_type=strategy.opportunity_type,
        lane=strategy.lane,
        legs=_legs(offer, sized),
        direction="neutral",
        entry=None,
        stop=None,
        stop_reason=NO_STOP,
        targets=(),
        horizon_s=lead.horizon_s,
        expected_s=card.median_s,
        gross_bps=gross,
        costs=sized.lines,
        edge_bps=edge,
        edge_usd=None if edge is None else edge * notional / 1e4,
        edge_lcb_bps=lcb,
        es95_usd=ES95_OF_SIGMA * offer.sigma_frac * notional,
        break_even_s=None,
        break_even_hit_frac=None,
        capacity_usd=sized.room.largest_usd if graded else None,
        capacity_curve=() if gross is None else capacity_curve(offer.terms, gross, notional),
        size_min_usd=sized.room.smallest_usd if graded else None,
        expires_ns=min(expires_ns(member.candidate, pricing) for member in offer.members),
        half_life_s=card.half_life_s,
        strength=lead.strength,
        confidence=None,
        confidence_low=None,
        confidence_high=None,
        grade=grade,
        evidence=_of_legs(card),
        risk_level=level,
        risk_facts=facts | {"sigma_frac": offer.sigma_frac, "legs": float(len(offer.members))},
        size=size,
        inputs=_inputs(offer),
        gates=sized.readings,
        reasons=_reasons(offer, sized),
        warnings=_warnings(offer, size),
        rank_group=0 if graded else 1,
        rank_score=score,
        as_of_ns=pricing.view.as_of_ns,
    )


def _of_legs(card: Scorecard) -> Scorecard:
    """The evidence of the weakest leg without what it would say about that leg alone."""
    return msgspec.structs.replace(
        card,
        reason=card.reason or LEGS_ONLY,
        confidence=None,
        confidence_low=None,
        confidence_high=None,
    )


def _exposure(offer: BasketOffer, sized: BasketSized, size: Size) -> Exposure:
    return Exposure(
        notional_usd=sized.notional_usd,
        required_usd=size.required_capital_usd,
        stop_frac=None,
        cost_frac=sized.cost_bps / 1e4,
        es99_frac=offer.loss_frac,
        leverage=1.0,
        volume_24h_usd=offer.volume_24h_usd,
    )


def _size(offer: BasketOffer, sized: BasketSized) -> Size:
    """Size, what bound it, and what it risks and ties up: every leg in full, since nothing is levered."""
    notional = sized.notional_usd
    return Size(
        quantity=sized.quantities[0],
        notional_usd=notional,
        risk_usd=offer.loss_frac * notional,
        binding=sized.binding,
        required_capital_usd=math.fsum(sized.usd) + max(sized.cost_bps, 0.0) / 1e4 * notional,
        illustrative=offer.means.illustrative,
    )


def _legs(offer: BasketOffer, sized: BasketSized) -> tuple[Leg, ...]:
    """Market orders at the touch, prices rounded to the worse tick."""
    touch = offer.pricing.touch
    legs = []
    for place, (quantity, usd) in enumerate(zip(sized.quantities, sized.usd.tolist(), strict=True)):
        candidate = offer.members[place].candidate
        column, buys = candidate.executed, candidate.direction > 0
        spec = offer.pricing.view.instruments[column]
        leverage = None if spec.instrument.kind == "spot" else 1.0
        best = float((touch.ask if buys else touch.bid)[column])
        legs.append(
            Leg(
                instrument=spec.instrument,
                side="buy" if buys else "sell",
                quantity=quantity,
                price=on_tick(best, spec, "up" if buys else "down"),
                order_kind="market",
                reduce_only=False,
                notional_usd=usd,
                leverage=leverage,
                margin_usd=None if leverage is None else usd,
                role="entry" if buys else "hedge",
                quote_age_ms=None if touch.assumed else float(touch.age_ms[column]),
            )
        )
    return tuple(legs)


def _first_seen_ns(offer: BasketOffer) -> int:
    """When the last of its members joined it."""
    return max(first_seen_ns(member.candidate, offer.pricing) for member in offer.members)


def _key(offer: BasketOffer) -> str:
    """The identity of the idea: that of all its members."""
    keys = sorted(opportunity_key(member.candidate, offer.pricing) for member in offer.members)
    return hashlib.blake2b("|".join(keys).encode(), digest_size=16).hexdigest()


def _inputs(offer: BasketOffer) -> tuple[InputAge, ...]:
    """The bars and the oldest quote the basket rests on."""
    view, touch = offer.pricing.view, offer.pricing.touch
    ages: list[InputAge] = []
    for need in offer.strategy.needs:
        if need.interval is not None:
            time_ns, name = view.bars[need.interval].last_close_ns or 0, f"{need.column}.{need.interval}"
        elif need.column == "quotes" and not touch.assumed:
            time_ns = min(int(touch.event_ns[member.candidate.executed]) for member in offer.members)
            name = "quote.oldest"
        else:
            continue
        age_ms = (view.as_of_ns - time_ns) / MILLISECOND_NS
        ages.append(InputAge(name, time_ns, age_ms, need.greatest_age_s * 1e3))
    return tuple(ages)


def _reasons(offer: BasketOffer, sized: BasketSized) -> tuple[str, ...]:
    score = offer.verdict.facts["score"][-1]
    specs = offer.pricing.view.instruments
    told = [
        f"{specs[member.candidate.column].instrument} stands {score[member.candidate.column]:+.2f} deviations from "
        f"where its residual returns to and is {'bought' if member.candidate.direction > 0 else 'sold'} with weight "
        f"{weight:.2f}."
        for member, weight in zip(offer.members, offer.terms.weights, strict=True)
    ]
    told.append(f"All gates of all members have passed together since {iso_ms(_first_seen_ns(offer))}.")
    gross, card = offer.proof.gross_bps, offer.weakest
    if gross is not None:
        told.append(
            f"At least {card.n} past events ({card.n_eff:.0f} independent) stand for each leg; the basket's gross is "
            f"{gross:.1f} bps after shrinkage, costs are {sized.cost_bps:.1f} bps at {sized.notional_usd:.0f} USD."
        )
    told.append(f"Size {sized.notional_usd:.0f} USD of the larger side is bound by {sized.binding}.")
    return tuple(told)


def _warnings(offer: BasketOffer, size: Size) -> tuple[str, ...]:
    card, pricing = offer.weakest, offer.pricing
    told = [LEGS_ONLY]
    if offer.proof.gross_bps is None:
        told.append(unproven(card, "the edge is"))
    if pricing.touch.assumed:
        told.append(spread_assumed(pricing))
    if any(leg.entry.kind == "law" for leg in offer.terms.legs):
        told.append("Slippage beyond the touch is modelled by the square-root law where no book is known.")
    if any(leg.fee is not None and leg.fee.assumed for leg in offer.terms.legs):
        told.append("Fees are the venues' entry tiers, assumed.")
    skipped = without(offer.verdict)
    if skipped:
        told.append(f"Evidence is computed without {', '.join(skipped)}: they have no history.")
    if any(member.candidate.executed != member.candidate.column for member in offer.members):
        told.append(
            "Shorts of spot instruments are realised by perpetuals; evidence is that of the spot instruments."
        )
    if size.illustrative:
        told.append(
            "No account is connected: sizes are illustrative, for 1,000 USD, and not ranked for a person."
        )
    if pricing.view.simulated:
        told.append("The market is simulated.")
    return tuple(told)
