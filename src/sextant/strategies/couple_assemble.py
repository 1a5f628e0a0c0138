"""The opportunity a couple is: both legs, levels of the spread, joint waterfall, risk, rank and words."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sextant.model.opportunity import (
    CapacityPoint,
    CostLine,
    GateReading,
    InputAge,
    Leg,
    Opportunity,
    Size,
    Target,
)
from sextant.model.times import INTERVAL_NS, MILLISECOND_NS, SECOND_NS, iso_ms
from sextant.strategies.candidate import QUOTE_LIVES, quote_age_s
from sextant.strategies.costs import Capacity, capacity_curve
from sextant.strategies.couple_offer import CoupleOffer
from sextant.strategies.couple_sizes import Filled, loss_frac, risk_frac
from sextant.strategies.gates import without
from sextant.strategies.proof import CAUTION, PROVEN_EVENTS, grade_of
from sextant.strategies.ranking import rank_score
from sextant.strategies.risk import Exposure, risk_of
from sextant.strategies.sizing import ES95_OF_SIGMA, Binding, on_tick
from sextant.strategies.wording import spread_assumed, unproven

_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, eq=False)
class CoupleSized:
    """The size of a couple and what follows from it."""

    filled: Filled
    binding: Binding
    room: Capacity
    lines: tuple[CostLine, ...]
    readings: tuple[GateReading, ...]


def cost_of(lines: tuple[CostLine, ...]) -> float:
    """All costs of a waterfall, basis points, positive when they cost."""
    return -math.fsum(line.bps or 0.0 for line in lines[1:])


def assemble(offer: CoupleOffer, sized: CoupleSized) -> Opportunity:
    """The opportunity of a couple at its size."""
    card, pricing, strategy = offer.card, offer.pricing, offer.strategy
    gross, error, notional = offer.proof.gross_bps, offer.proof.error_bps, sized.filled.notional_usd
    cost = cost_of(sized.lines)
    edge = None if gross is None else gross - cost
    lcb = None if edge is None or error is None else edge - CAUTION * error
    size = _size(offer, sized, cost)
    level, risk_facts = risk_of(_exposure(offer, sized, size, cost))
    grade = "unproven" if edge is None or lcb is None else grade_of(card.n_eff, edge, lcb, card.deflated_p)
    if edge is not None and card.kind == "analytic":
        grade = "analytic"
    graded = grade != "unproven"
    curve: tuple[CapacityPoint, ...] = ()
    if gross is not None:
        curve = capacity_curve(offer.terms, gross, notional)
    score = None
    if lcb is not None and not offer.means.illustrative:
        score = rank_score(lcb, notional, _risk_sigma(offer), offer.means.profile)
    entry, stop, target = (
        _level(values[offer.index]) for values in (offer.said.entry, offer.said.stop, offer.said.target)
    )
    return Opportunity(
        opportunity_key=_key(offer),
        first_seen_ns=_first_seen_ns(offer),
        strategy_id=strategy.id,
        strategy_name=strategy.name,
        opportunity_type=strategy.opportunity_type,
        lane=strategy.lane,
        legs=_legs(offer, sized.filled),
        direction="neutral",
        entry=entry,
        stop=stop,
        stop_reason=None if stop is not None else offer.said.stop_reason,
        targets=() if target is None else (Target(target, 1.0),),
        horizon_s=offer.horizon_s,
        expected_s=card.median_s,
        gross_bps=gross,
        costs=sized.lines,
        edge_bps=edge,
        edge_usd=None if edge is None else edge * notional / 1e4,
        edge_lcb_bps=lcb,
        es95_usd=_es95_usd(offer, notional),
        break_even_s=offer.break_even_s(cost) if offer.said.model is not None else None,
        break_even_hit_frac=_break_even_frac(offer, cost),
        capacity_usd=sized.room.largest_usd if graded else None,
        capacity_curve=curve,
        size_min_usd=sized.room.smallest_usd if graded else None,
        expires_ns=_expires_ns(offer),
        half_life_s=card.half_life_s,
        strength=float(offer.verdict.signals.strength[-1, offer.index]),
        confidence=card.confidence if graded else None,
        confidence_low=card.confidence_low if graded else None,
        confidence_high=card.confidence_high if graded else None,
        grade=grade,
        evidence=card,
        risk_level=level,
        risk_facts=risk_facts | {"residual_frac": sized.filled.residual_frac},
        size=size,
        inputs=_inputs(offer),
        gates=sized.readings,
        reasons=_reasons(offer, sized, cost),
        warnings=_warnings(offer, size),
        rank_group=0 if graded else 1,
        rank_score=score,
        as_of_ns=pricing.view.as_of_ns,
        level_unit=offer.said.level_unit,
    )


def _risk_sigma(offer: CoupleOffer) -> float:
    """Standard deviation by which the couple is ranked: of the hedged return, and never less than a missed hedge."""
    return max(offer.sigma_frac, loss_frac(offer) / ES95_OF_SIGMA)


def _exposure(offer: CoupleOffer, sized: CoupleSized, size: Size, cost: float) -> Exposure:
    return Exposure(
        notional_usd=sized.filled.notional_usd,
        required_usd=size.required_capital_usd,
        stop_frac=None,
        cost_frac=cost / 1e4,
        es99_frac=loss_frac(offer),
        leverage=max(times or 1.0 for times in offer.capital.leverage),
        volume_24h_usd=offer.volume_24h_usd,
    )


def _level(value: float) -> Decimal | None:
    return Decimal(value).quantize(_CENT) if math.isfinite(value) else None


def _legs(offer: CoupleOffer, filled: Filled) -> tuple[Leg, Leg]:
    """Market orders at the touch, prices rounded to the worse tick."""
    touch = offer.pricing.touch
    legs = []
    for place, spec in enumerate(offer.specs):
        column = int(offer.said.legs[offer.index, place])
        buys = offer.sides[place] > 0
        leverage = offer.capital.leverage[place]
        usd = filled.leg_usd[place]
        legs.append(
            Leg(
                instrument=spec.instrument,
                side="buy" if buys else "sell",
                quantity=filled.quantity[place],
                price=on_tick(
                    float((touch.ask if buys else touch.bid)[column]), spec, "up" if buys else "down"
                ),
                order_kind="market",
                reduce_only=False,
                notional_usd=usd,
                leverage=leverage,
                margin_usd=None if leverage is None else usd / leverage,
                role="entry" if place == 0 else "hedge",
                quote_age_ms=None if touch.assumed else float(touch.age_ms[column]),
            )
        )
    return legs[0], legs[1]


def _size(offer: CoupleOffer, sized: CoupleSized, cost: float) -> Size:
    notional = sized.filled.notional_usd
    return Size(
        quantity=sized.filled.quantity[0],
        notional_usd=notional,
        risk_usd=risk_frac(offer) * notional,
        binding="lot" if sized.filled.quantity[0] == offer.specs[0].lot else sized.binding,
        required_capital_usd=notional * (math.fsum(offer.capital.tied) + max(cost, 0.0) / 1e4),
        illustrative=offer.means.illustrative,
    )


def _es95_usd(offer: CoupleOffer, notional: float) -> float:
    past = offer.card.es95_bps
    if offer.proof.gross_bps is not None and past is not None:
        return max(past, 0.0) * notional / 1e4
    return ES95_OF_SIGMA * _risk_sigma(offer) * notional


def _break_even_frac(offer: CoupleOffer, cost: float) -> float | None:
    """Share of targets among stops and targets that pays the costs; None where the couple has no such levels."""
    index, ratio = offer.index, max(1.0, float(offer.said.ratio[offer.index]))
    gain = abs(float(offer.said.target[index] - offer.said.entry[index])) / ratio
    if offer.stop_frac is None or not math.isfinite(gain):
        return None
    stop = offer.stop_frac * 1e4
    return (stop + cost) / (stop + gain)


def _first_seen_ns(offer: CoupleOffer) -> int:
    frame = offer.pricing.view.bars[offer.verdict.interval]
    row = -1 - int(offer.said.age_rows[offer.index])
    return int(frame.open_ns[row]) + INTERVAL_NS[offer.verdict.interval]


def _key(offer: CoupleOffer) -> str:
    """The identity of the idea: the same across scans while its triggering row, legs and parameters are."""
    params = offer.verdict.params or offer.strategy.defaults()
    legs = [
        f"{spec.instrument}:{'buy' if side > 0 else 'sell'}"
        for spec, side in zip(offer.specs, offer.sides, strict=True)
    ]
    parts = (
        offer.strategy.id,
        *legs,
        str(_first_seen_ns(offer)),
        ",".join(f"{name}={params[name]!r}" for name in sorted(params)),
    )
    return hashlib.blake2b("|".join(parts).encode(), digest_size=16).hexdigest()


def _expires_ns(offer: CoupleOffer) -> int:
    """The next funding of either leg, or 20 times the greatest age of a quote, whichever comes first."""
    view, touch = offer.pricing.view, offer.pricing.touch
    ends: list[int] = []
    limit_s = quote_age_s(offer.strategy)
    for column in offer.said.legs[offer.index].tolist():
        if limit_s is not None and not touch.assumed:
            ends.append(int(touch.event_ns[column]) + round(QUOTE_LIVES * limit_s * SECOND_NS))
        next_ns = int(view.derivatives.next_funding_ns[column])
        if next_ns > view.as_of_ns:
            ends.append(next_ns)
    return max(min(ends, default=view.as_of_ns), view.as_of_ns)


def _inputs(offer: CoupleOffer) -> tuple[InputAge, ...]:
    view, touch, facts = offer.pricing.view, offer.pricing.touch, offer.pricing.view.derivatives
    ages: list[InputAge] = []
    for need in offer.strategy.needs:
        if need.interval is not None:
            ages.append(
                _age(
                    offer,
                    f"bars.{need.interval}",
                    view.bars[need.interval].last_close_ns or 0,
                    need.greatest_age_s,
                )
            )
            continue
        for place, name in enumerate(("first", "second")):
            column = int(offer.said.legs[offer.index, place])
            if need.column == "quotes" and not touch.assumed:
                ages.append(_age(offer, f"quote.{name}", int(touch.event_ns[column]), need.greatest_age_s))
            elif need.column == "funding" and math.isfinite(facts.funding_rate[column]):
                ages.append(_age(offer, f"funding.{name}", int(facts.event_ns[column]), need.greatest_age_s))
    return tuple(ages)


def _age(offer: CoupleOffer, name: str, time_ns: int, greatest_s: float) -> InputAge:
    age_ms = (offer.pricing.view.as_of_ns - time_ns) / MILLISECOND_NS
    return InputAge(name, time_ns, age_ms, greatest_s * 1e3)


def _reasons(offer: CoupleOffer, sized: CoupleSized, cost: float) -> tuple[str, ...]:
    senses = {gate.name: (gate.sense, gate.unit) for gate in offer.verdict.gates}
    told: list[str] = []
    for reading in sized.readings:
        if reading.value is not None and reading.gate in senses and not reading.gate.startswith("status"):
            sense, unit = senses[reading.gate]
            asked = "at least" if sense > 0 else "at most"
            unit = f" {unit}" if unit else ""
            told.append(
                f"{reading.gate} is {reading.value:.4g}{unit}, {asked} {reading.threshold:.4g} is asked."
            )
    told.append(f"All gates with a history have passed together since {iso_ms(_first_seen_ns(offer))}.")
    expected = offer.expected_bps
    if expected is not None and offer.said.model is not None:
        told.append(
            f"Expected gross {expected:.1f} bps: {offer.said.model.words[offer.index]}; costs are {cost:.1f} bps at "
            f"{sized.filled.notional_usd:.0f} USD."
        )
    elif expected is not None:
        told.append(
            f"{offer.card.n} past events ({offer.card.n_eff:.0f} independent) stand for {expected:.1f} bps gross after "
            f"shrinkage; costs are {cost:.1f} bps at {sized.filled.notional_usd:.0f} USD."
        )
    told.append(f"Size {sized.filled.notional_usd:.0f} USD is bound by {sized.binding}.")
    return tuple(told)


def _warnings(offer: CoupleOffer, size: Size) -> tuple[str, ...]:
    card, pricing = offer.card, offer.pricing
    told: list[str] = []
    if card.kind != "analytic" and (card.n_eff < PROVEN_EVENTS or offer.proof.gross_bps is None):
        told.append(unproven(card))
    if pricing.touch.assumed:
        told.append(spread_assumed(pricing))
    if any(leg.entry.kind == "law" for leg in offer.terms.legs):
        told.append("Slippage beyond the touch is modelled by the square-root law where no book is known.")
    told += [
        f"Fees are the {leg.fee.venue} entry tier ({leg.fee.taker_bps:g} bps taker), assumed."
        for leg in offer.terms.legs
        if leg.fee is not None and leg.fee.assumed
    ]
    skipped = without(offer.verdict)
    if skipped and card.kind != "analytic":
        told.append(f"Evidence is computed without {', '.join(skipped)}: they have no history.")
    if len({spec.instrument.venue for spec in offer.specs}) > 1:
        told.append("The legs are at two venues: both must be funded, and neither knows of the other.")
    if size.illustrative:
        told.append(
            "No account is connected: sizes are illustrative, for 1,000 USD, and not ranked for a person."
        )
    if pricing.view.simulated:
        told.append("The market is simulated.")
    return tuple(told)
