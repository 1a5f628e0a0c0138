"""From violations of what contracts promise to opportunities and dispositions, for one account."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final

from sextant.model.opportunity import (
    CapacityPoint,
    CostLine,
    Disposition,
    GateReading,
    InputAge,
    Leg,
    Opportunity,
    Size,
)
from sextant.model.scorecard import Scorecard
from sextant.model.times import MILLISECOND_NS, SECOND_NS
from sextant.strategies.contract import Judged, Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.dispositions import Economic, Lack
from sextant.strategies.fees import delivery_bps, fee_tier
from sextant.strategies.option_assemble import CHAIN_LIVES, leg_words, option_leg
from sextant.strategies.option_costs import DAY_S, option_delivery_bps
from sextant.strategies.option_fold import Answer, eaten, fold, lack_of, nearest, refused_by, too_small
from sextant.strategies.parity import DELIVERED, Violation
from sextant.strategies.proof import contractual
from sextant.strategies.ranking import rank_score
from sextant.strategies.risk import level_of
from sextant.strategies.sizing import (
    ES95_OF_SIGMA,
    MISSED_HEDGE_FRAC,
    Binding,
    Idea,
    Means,
    means_of,
    on_tick,
    size_usd,
)
from sextant.strategies.structures import FEE_CAP_FRAC

_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, eq=False)
class ParityVerdict(Verdict):
    """What is said about every underlying: candidates, or why there is none."""

    found: Mapping[str, tuple[tuple[Violation, ...], Lack | None]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Offer:
    """A violation with its costs, as fractions of the index, positive when they cost."""

    strategy: Strategy
    verdict: Verdict
    violation: Violation
    pricing: Pricing
    fee: float
    delivery: float
    assumed: bool
    source: str
    means: Means

    @property
    def edge(self) -> float:
        """What remains after all costs."""
        return self.violation.value - self.fee - self.delivery

    @property
    def index(self) -> float:
        """Reference notional of one base unit, USD."""
        return self.violation.expiry.index

    @property
    def name(self) -> str:
        """The combination in words."""
        expiry = self.violation.expiry
        legs = ", ".join(leg_words(leg) for leg in self.violation.legs)
        return f"{expiry.chain} in {expiry.days:.1f} d {self.violation.shape}: {legs}"

    def lines(self, units: float) -> tuple[CostLine, ...]:
        """The waterfall at a size."""
        crossed = self.violation.mid_value - self.violation.value
        rows: list[tuple[Any, float, str, str]] = [
            ("gross", self.violation.mid_value, "contract", "value at expiry less mid prices"),
            (
                "fee_entry",
                -self.fee,
                self.source,
                f"taker of every leg, at most {FEE_CAP_FRAC:.1%} of an option's price",
            ),
            ("fee_exit", 0.0, "none", "held to the expiry"),
            ("spread", -crossed, "quote", "bought at the ask, sold at the bid"),
            ("slippage", 0.0, "quote", "within the size at the touch"),
            ("funding", 0.0, "none", "nothing has funding"),
            ("borrow", 0.0, "none", "nothing is borrowed"),
            ("transfer", 0.0, "none", "traded with what lies at the venue"),
            ("delivery", -self.delivery, self.source, "settlement of the future and of options in the money"),
        ]
        time_ns, usd = self.pricing.view.as_of_ns, self.index * units
        return tuple(
            CostLine(item, value * 1e4 + 0.0, value * usd + 0.0, source, time_ns, basis)
            for item, value, source, basis in rows
        )


def judge_parity(
    strategy: Strategy, verdict: Verdict, cards: Callable[[int, int, float], Scorecard], pricing: Pricing
) -> Judged:
    """At most one opportunity an underlying, the one of greatest edge, and one disposition for each instrument."""
    del cards
    said = verdict.found if isinstance(verdict, ParityVerdict) else {}
    answers: dict[str, Answer] = {}
    for base, (candidates, lack) in said.items():
        if lack is not None:
            answers[base] = lack_of(base, lack)
            continue
        told = [_answer(strategy, verdict, violation, pricing) for violation in candidates]
        offers = [one for one in told if isinstance(one, _Offer)]
        refused = [one for one in told if isinstance(one, Disposition)]
        answers[base] = (
            _sized(max(offers, key=lambda one: (one.edge, one.name)), strategy)
            if offers
            else nearest(refused)
        )
    return fold(answers, pricing.view)


def _answer(
    strategy: Strategy, verdict: Verdict, violation: Violation, pricing: Pricing
) -> _Offer | Disposition:
    youngest, oldest = violation.ages_ms
    chain_s = next(need.greatest_age_s for need in strategy.needs if need.column == "chain")
    apart_s = verdict.params.get("apart_s", math.inf)
    limit_ms = min(chain_s * 1e3, youngest + apart_s * 1e3)
    if oldest > limit_ms:
        return lack_of(violation.shape, ("chain.age_ms", oldest, limit_ms, "ms"))
    charged = _charges(violation, pricing)
    if isinstance(charged, str):
        return lack_of(violation.shape, (f"cost.{charged}", 0.0, 1.0, "values"))
    fee, delivery, assumed, source = charged
    means = means_of(pricing.account, violation.expiry.chain.partition(":")[0])
    offer = _Offer(strategy, verdict, violation, pricing, fee, delivery, assumed, source, means)
    if not offer.edge > 0:
        return eaten(offer.name, violation.mid_value * 1e4, offer.edge * 1e4)
    return offer


def _charges(violation: Violation, pricing: Pricing) -> tuple[float, float, bool, str] | str:
    """Fees of trading and of delivery as fractions of the index, whether assumed, and their source; or what is unknown."""
    expiry = violation.expiry
    instrument = expiry.specs[violation.legs[0].at].instrument
    tier, settled = fee_tier(pricing.account, instrument), option_delivery_bps(instrument)
    if tier is None:
        return "fees"
    if settled is None:
        return "delivery"
    fee = math.fsum(
        abs(leg.quantity) * min(tier.taker_bps / 1e4, FEE_CAP_FRAC * leg.usd / expiry.index)
        for leg in violation.legs
    )
    delivery, assumed = DELIVERED[violation.shape] * settled / 1e4, tier.assumed
    if violation.future is not None:
        future = pricing.view.instruments[violation.future[0].column].instrument
        own, own_delivery = fee_tier(pricing.account, future), delivery_bps(future)
        if own is None:
            return "fees"
        if own_delivery is None:
            return "delivery"
        fee += own.taker_bps / 1e4
        delivery += own_delivery / 1e4
        assumed = assumed or own.assumed
    return fee, delivery, assumed, tier.source


def _sized(offer: _Offer, strategy: Strategy) -> Opportunity | Disposition:
    violation, index = offer.violation, offer.index
    lot = max(leg.expiry.specs[leg.at].lot for leg in violation.legs)
    sizing = Idea(
        stop_frac=None,
        es99_frac=MISSED_HEDGE_FRAC,
        exit_cost_frac=0.0,
        volume_24h_usd=math.inf,
        capacity_usd=violation.touch_units * index,
        edge_lcb_frac=offer.edge,
        variance_frac=MISSED_HEDGE_FRAC**2,
    )
    wanted, binding = size_usd(sizing, offer.means)
    if offer.means.illustrative:
        wanted, binding = float(lot) * index, "lot"
    edge = Economic("min_edge_bps", offer.edge * 1e4, 0.0, 1, "bps").reading
    readings: tuple[GateReading, ...] = (edge,)
    if not offer.means.illustrative:
        capital = Economic("min_capital", offer.means.equity_usd, strategy.min_capital_usd, 1, "USD").reading
        readings = (*readings, capital)
        if not capital.passed:
            return refused_by(offer.name, capital, readings, "USD")
    units = (Decimal(wanted / index * (1 + 1e-12)) / lot).to_integral_value(ROUND_FLOOR) * lot
    if units <= 0 or float(units) > violation.touch_units:
        need = float(lot) * index
        return too_small(offer.name, wanted, need, binding, readings)
    return _assemble(offer, units, "lot" if units == lot else binding, readings)


def _assemble(
    offer: _Offer, units: Decimal, binding: Binding, readings: tuple[GateReading, ...]
) -> Opportunity:
    violation, strategy, view = offer.violation, offer.strategy, offer.pricing.view
    expiry, count = violation.expiry, float(units)
    notional, edge_bps = count * offer.index, offer.edge * 1e4
    level, raised = level_of(
        MISSED_HEDGE_FRAC, int(any(leg.quantity < 0 for leg in violation.legs)) + int(expiry.days < 1.0)
    )
    oldest_ns = view.as_of_ns - round(violation.ages_ms[1] * MILLISECOND_NS)
    limit_s = next(need.greatest_age_s for need in strategy.needs if need.column == "chain")
    sigma = MISSED_HEDGE_FRAC / ES95_OF_SIGMA
    score = None if offer.means.illustrative else rank_score(edge_bps, notional, sigma, offer.means.profile)
    debit = math.fsum(leg.quantity * leg.usd for leg in violation.legs)
    return Opportunity(
        opportunity_key=_key(offer),
        first_seen_ns=oldest_ns,
        strategy_id=strategy.id,
        strategy_name=strategy.name,
        opportunity_type=strategy.opportunity_type,
        lane=strategy.lane,
        legs=_legs(offer, units),
        direction="neutral",
        entry=abs(Decimal(debit)).quantize(_CENT),
        stop=None,
        stop_reason="The value at expiry is contractual; the loss is that of a leg that is not filled.",
        targets=(),
        horizon_s=expiry.days * DAY_S,
        expected_s=expiry.days * DAY_S,
        gross_bps=violation.mid_value * 1e4,
        costs=offer.lines(count),
        edge_bps=edge_bps,
        edge_usd=offer.edge * notional,
        edge_lcb_bps=edge_bps,
        es95_usd=MISSED_HEDGE_FRAC * notional,
        break_even_s=expiry.days * DAY_S,
        break_even_hit_frac=None,
        capacity_usd=violation.touch_units * offer.index,
        capacity_curve=tuple(
            CapacityPoint(notional * factor, edge_bps)
            for factor in (0.25, 0.5, 1.0, 2.0, 4.0)
            if count * factor <= violation.touch_units
        ),
        size_min_usd=None,
        expires_ns=min(oldest_ns + round(CHAIN_LIVES * limit_s * SECOND_NS), expiry.expiry_ns),
        half_life_s=None,
        strength=max(violation.value, 0.0) / (offer.fee + offer.delivery),
        confidence=None,
        confidence_low=None,
        confidence_high=None,
        grade="analytic",
        evidence=contractual(violation.mid_value * 1e4, edge_bps, expiry.days * DAY_S),
        risk_level=level,
        risk_facts={"loss_frac_of_capital": MISSED_HEDGE_FRAC, "levels_up": float(raised)},
        size=Size(units, notional, MISSED_HEDGE_FRAC * notional, binding, notional, offer.means.illustrative),
        inputs=(InputAge("chain", oldest_ns, violation.ages_ms[1], limit_s * 1e3),),
        gates=readings,
        reasons=(
            f"{offer.name}.",
            _gain_words(offer),
            f"Size {notional:.0f} USD is bound by {binding}.",
        ),
        warnings=_warnings(offer),
        rank_group=0,
        rank_score=score,
        as_of_ns=view.as_of_ns,
    )


def _gain_words(offer: _Offer) -> str:
    charged = (offer.fee + offer.delivery) * 1e4
    return f"It gains {offer.violation.value * 1e4:.1f} bps at executable prices; fees and delivery are {charged:.1f} bps."


def _legs(offer: _Offer, units: Decimal) -> tuple[Leg, ...]:
    """Options at the touch, and the future for the dollars of the strike, which is what a synthetic owes."""
    violation = offer.violation
    legs = [option_leg(leg, units) for leg in violation.legs]
    if violation.future is None:
        return tuple(legs)
    future, side = violation.future
    spec = offer.pricing.view.instruments[future.column]
    leg = violation.legs[0]
    usd = float(leg.expiry.strike[leg.at]) * float(units)
    amount = Decimal(usd) if spec.style == "inverse" else units
    quantity = max((amount / spec.lot).to_integral_value() * spec.lot, spec.lot)
    legs.append(
        Leg(
            instrument=spec.instrument,
            side="buy" if side > 0 else "sell",
            quantity=quantity,
            price=on_tick(future.ask if side > 0 else future.bid, spec, "up" if side > 0 else "down"),
            order_kind="limit",
            reduce_only=False,
            notional_usd=usd,
            leverage=1.0,
            margin_usd=usd,
            role="hedge",
            quote_age_ms=future.age_ms,
        )
    )
    return tuple(legs)


def _key(offer: _Offer) -> str:
    params = offer.verdict.params or offer.strategy.defaults()
    legs = [f"{leg.expiry.specs[leg.at].instrument}:{leg.quantity:+d}" for leg in offer.violation.legs]
    parts = (offer.strategy.id, *legs, ",".join(f"{name}={params[name]!r}" for name in sorted(params)))
    return hashlib.blake2b("|".join(parts).encode(), digest_size=16).hexdigest()


def _warnings(offer: _Offer) -> tuple[str, ...]:
    told = ["All legs must be filled: a leg alone is a position of its own."]
    if offer.violation.expiry.unit_usd != 1.0 and offer.violation.shape == "box":
        told.append("A box pays dollars, in the base asset at its settlement price.")
    if offer.assumed:
        told.append(f"Fees are the entry tier of {offer.violation.expiry.chain.partition(':')[0]}, assumed.")
    if offer.means.illustrative:
        told.append("No account is connected: the size is the smallest order, and not ranked for a person.")
    if offer.pricing.view.simulated:
        told.append("The market is simulated.")
    return tuple(told)
