"""The opportunity itself: legs, prices, waterfall, risk, rank and words of a candidate whose size is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from sextant.model.account import Grade
from sextant.model.opportunity import (
    CapacityPoint,
    CostLine,
    Direction,
    GateReading,
    InputAge,
    Leg,
    Opportunity,
    RiskLevel,
    Size,
    Target,
)
from sextant.model.scorecard import Scorecard
from sextant.model.times import MILLISECOND_NS
from sextant.strategies.burden import burden_of, burden_words
from sextant.strategies.candidate import Candidate, expires_ns, first_seen_ns, opportunity_key
from sextant.strategies.costs import Capacity, Pricing, Terms, capacity_curve
from sextant.strategies.leverage import Leverage
from sextant.strategies.proof import CAUTION, Evidence, Proof, grade_of
from sextant.strategies.ranking import AccountRisk, rank_score
from sextant.strategies.risk import Exposure, risk_of
from sextant.strategies.sizing import ES95_OF_SIGMA, ES99_OF_SIGMA, Binding, Means, gap_of, on_tick
from sextant.strategies.wording import reasons, warnings


@dataclass(frozen=True, eq=False)
class Offer:
    """A candidate with its evidence, terms and the means of who asks; ``borrowed`` where its strategy is levered."""

    candidate: Candidate
    evidence: Evidence
    pricing: Pricing
    terms: Terms
    proof: Proof
    means: Means
    borrowed: Leverage | None = None

    @property
    def card(self) -> Scorecard:
        """All of its evidence; what costs make of the past is computed when it is read."""
        return self.evidence.whole()

    @property
    def mid(self) -> float:
        """Mid price of the traded instrument, quote units."""
        return float(self.pricing.touch.mid[self.candidate.executed])

    @property
    def usd(self) -> float:
        """USD per quote unit of the traded instrument."""
        return float(self.pricing.usd[self.candidate.executed])

    @property
    def volume_24h_usd(self) -> float:
        """Turnover of the traded instrument."""
        return float(self.pricing.volume_24h_usd[self.candidate.executed])

    @property
    def filled_frac(self) -> float:
        """Share of past post-only orders that were filled; 1 for market orders."""
        tried = self.card.n + self.card.unfilled_count
        return self.card.n / tried if self.candidate.resting and tried else 1.0

    @property
    def leverage(self) -> float | None:
        """Notional over margin: 1 for derivatives of strategies that are not levered; None for spot and for what closes."""
        if self.candidate.owned is not None:
            return None
        if self.borrowed is not None:
            return self.borrowed.times
        kind = self.pricing.view.instruments[self.candidate.executed].instrument.kind
        return None if kind == "spot" else 1.0


@dataclass(frozen=True, eq=False)
class Sized:
    """The size of an offer and what follows from it."""

    quantity: Decimal
    notional_usd: float
    binding: Binding
    room: Capacity
    payoff: float
    lines: tuple[CostLine, ...]
    readings: tuple[GateReading, ...]


def cost_of(lines: tuple[CostLine, ...]) -> float:
    """All costs of a waterfall, basis points, positive when they cost."""
    return -math.fsum(line.bps or 0.0 for line in lines[1:])


@dataclass(frozen=True)
class Figures:
    """What an offer is worth at its size; None where unproven."""

    edge_bps: float | None
    edge_lcb_bps: float | None
    grade: Grade
    rank_score: float | None
    capacity_usd: float | None
    curve: tuple[CapacityPoint, ...]
    size_min_usd: float | None


def assemble(offer: Offer, sized: Sized) -> Opportunity:
    """The opportunity of an offer at its size."""
    candidate, card, pricing = offer.candidate, offer.card, offer.pricing
    figures, size = _figures(offer, sized), _size(offer, sized)
    level, risk_facts = _risk(offer, sized, size)
    graded = figures.grade != "unproven"
    leg = _leg(offer, sized)
    stop, target = _levels(offer)
    return Opportunity(
        opportunity_key=opportunity_key(candidate, pricing),
        first_seen_ns=first_seen_ns(candidate, pricing),
        strategy_id=candidate.strategy.id,
        strategy_name=candidate.strategy.name,
        opportunity_type=candidate.strategy.opportunity_type,
        lane=candidate.strategy.lane,
        legs=(leg,),
        direction=_direction(candidate),
        entry=leg.price,
        stop=stop,
        stop_reason=None,
        targets=(Target(target, 1.0),),
        horizon_s=candidate.horizon_s,
        expected_s=card.median_s,
        gross_bps=offer.proof.gross_bps,
        costs=sized.lines,
        edge_bps=figures.edge_bps,
        edge_usd=None if figures.edge_bps is None else figures.edge_bps * sized.notional_usd / 1e4,
        edge_lcb_bps=figures.edge_lcb_bps,
        es95_usd=_es95_usd(offer, sized.notional_usd),
        break_even_s=None,
        break_even_hit_frac=sized.payoff,
        capacity_usd=figures.capacity_usd,
        capacity_curve=figures.curve,
        size_min_usd=figures.size_min_usd,
        expires_ns=expires_ns(candidate, pricing),
        half_life_s=card.half_life_s,
        strength=candidate.strength,
        confidence=card.confidence if graded else None,
        confidence_low=card.confidence_low if graded else None,
        confidence_high=card.confidence_high if graded else None,
        grade=figures.grade,
        evidence=card,
        risk_level=level,
        risk_facts=risk_facts,
        size=size,
        inputs=_inputs(offer),
        gates=sized.readings,
        reasons=(
            *reasons(candidate, pricing, card, sized.lines, size),
            *_burden_words(offer, sized.notional_usd),
        ),
        warnings=warnings(candidate, pricing, card, offer.terms, size),
        rank_group=0 if graded else 1,
        rank_score=figures.rank_score,
        as_of_ns=pricing.view.as_of_ns,
    )


def _direction(candidate: Candidate) -> Direction:
    if candidate.owned is not None:
        return "reduce"
    return "long" if candidate.direction > 0 else "short"


def _burden(offer: Offer) -> AccountRisk:
    """What the account bears already, as it bears on this idea."""
    candidate = offer.candidate
    return burden_of(offer.pricing, candidate.executed, candidate.direction, candidate.horizon_s)


def _burden_words(offer: Offer, notional_usd: float) -> tuple[str, ...]:
    """What is sold is owned, and how the idea stands to what is held."""
    told: list[str] = []
    candidate = offer.candidate
    if candidate.owned is not None:
        own = offer.pricing.view.instruments[candidate.executed].instrument
        if own.kind == "spot":
            told.append(f"It sells of your own {candidate.owned:f} {own.base} that lie free at {own.venue}.")
        else:
            held = "short" if candidate.direction > 0 else "long"
            told.append(
                f"It closes of your {held} position of {candidate.owned:f} {own.base} at {own.venue}."
            )
    if not offer.means.illustrative:
        told += burden_words(_burden(offer), candidate.sigma_horizon, notional_usd)
    return tuple(told)


def _figures(offer: Offer, sized: Sized) -> Figures:
    """Edge, lower bound, grade and rank of a proven offer; nothing but the grade of an unproven one."""
    gross, error = offer.proof.gross_bps, offer.proof.error_bps
    if gross is None or error is None:
        return Figures(None, None, "unproven", None, None, (), None)
    edge = gross - cost_of(sized.lines)
    lcb = edge - CAUTION * error
    score = None
    if not offer.means.illustrative:
        expected = lcb * offer.filled_frac
        sigma = offer.candidate.sigma_horizon
        score = rank_score(expected, sized.notional_usd, sigma, offer.means.profile, _burden(offer))
    return Figures(
        edge_bps=edge,
        edge_lcb_bps=lcb,
        grade="analytic"
        if offer.card.kind == "analytic"
        else grade_of(offer.card.n_eff, edge, lcb, offer.card.deflated_p),
        rank_score=score,
        capacity_usd=sized.room.largest_usd,
        curve=capacity_curve(offer.terms, gross, sized.notional_usd),
        size_min_usd=sized.room.smallest_usd,
    )


def _risk(offer: Offer, sized: Sized, size: Size) -> tuple[RiskLevel, dict[str, float]]:
    exposure = Exposure(
        notional_usd=sized.notional_usd,
        required_usd=size.required_capital_usd,
        stop_frac=offer.candidate.stop_frac,
        cost_frac=cost_of(sized.lines) / 1e4,
        es99_frac=ES99_OF_SIGMA * offer.candidate.sigma_horizon,
        leverage=offer.leverage or 1.0,
        volume_24h_usd=offer.volume_24h_usd,
    )
    level, facts = risk_of(exposure)
    if offer.borrowed is not None:
        price = offer.borrowed.liquidation_price(offer.mid, offer.candidate.direction)
        facts |= {"liquidation_price": price, "liquidation_frac": offer.borrowed.liquidation_frac}
    return level, facts


def _levels(offer: Offer) -> tuple[Decimal, Decimal]:
    """Stop and target on ticks of the traded instrument, the distances taken from its mid."""
    candidate, mid = offer.candidate, offer.mid
    spec = offer.pricing.view.instruments[candidate.executed]
    d = candidate.direction
    stop = on_tick(mid * (1.0 - d * candidate.stop_frac), spec)
    return stop, on_tick(mid * (1.0 + d * candidate.target_frac), spec)


def _leg(offer: Offer, sized: Sized) -> Leg:
    """A market order at the touch, its price rounded to the worse tick, or a post-only one at the own side of it."""
    candidate, touch = offer.candidate, offer.pricing.touch
    spec = offer.pricing.view.instruments[candidate.executed]
    buys = candidate.direction > 0
    resting = candidate.resting
    best = float((touch.ask if buys != resting else touch.bid)[candidate.executed])
    leverage = offer.leverage
    return Leg(
        instrument=spec.instrument,
        side="buy" if buys else "sell",
        quantity=sized.quantity,
        price=on_tick(best, spec, "up" if buys != resting else "down"),
        order_kind="limit_post_only" if resting else "market",
        reduce_only=candidate.owned is not None and spec.instrument.kind != "spot",
        notional_usd=sized.notional_usd,
        leverage=leverage,
        margin_usd=None if leverage is None else sized.notional_usd / leverage,
        role="entry",
        quote_age_ms=None if touch.assumed else float(touch.age_ms[candidate.executed]),
    )


def _size(offer: Offer, sized: Sized) -> Size:
    """Size, what bound it, and what it risks and ties up."""
    candidate, notional = offer.candidate, sized.notional_usd
    fee_bps = 0.0 if offer.terms.fee is None else offer.terms.fee.taker_bps
    exit_frac = (fee_bps + 0.5 * offer.terms.spread_bps) / 1e4
    risk_usd = notional * (candidate.stop_frac * gap_of(offer.volume_24h_usd) + exit_frac)
    tied = notional / (offer.leverage or 1.0) + max(cost_of(sized.lines), 0.0) * notional / 1e4
    lot = offer.pricing.view.instruments[candidate.executed].lot
    return Size(
        quantity=sized.quantity,
        notional_usd=notional,
        risk_usd=risk_usd,
        binding="lot" if sized.quantity == lot else sized.binding,
        required_capital_usd=tied,
        illustrative=offer.means.illustrative,
    )


def _es95_usd(offer: Offer, notional: float) -> float:
    """Expected shortfall 95 % of past events where they are enough, else of a normal return with today's volatility."""
    past = offer.card.es95_bps
    if offer.proof.gross_bps is not None and past is not None:
        return max(past, 0.0) * notional / 1e4
    return ES95_OF_SIGMA * offer.candidate.sigma_horizon * notional


def _inputs(offer: Offer) -> tuple[InputAge, ...]:
    """The bars and the quote the idea rests on, with their ages."""
    candidate, view, touch = offer.candidate, offer.pricing.view, offer.pricing.touch
    ages: list[InputAge] = []
    for need in candidate.strategy.needs:
        if need.interval is not None and need.interval in view.bars:
            time_ns = view.bars[need.interval].last_close_ns or 0
            name = f"{need.column}.{need.interval}"
        elif need.column == "quotes" and not touch.assumed:
            time_ns, name = int(touch.event_ns[candidate.executed]), "quote"
        else:
            continue
        age_ms = (view.as_of_ns - time_ns) / MILLISECOND_NS
        ages.append(InputAge(name, time_ns, age_ms, need.greatest_age_s * 1e3))
    return tuple(ages)
