"""How a protection is told: an opportunity that promises no return, with what it removes and what it costs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sextant.model.opportunity import (
    CostLine,
    Direction,
    GateReading,
    InputAge,
    Leg,
    Opportunity,
    Size,
    Transfer,
)
from sextant.model.scorecard import Scorecard
from sextant.model.times import DAY_NS, MILLISECOND_NS, SECOND_NS
from sextant.strategies.contract import Strategy
from sextant.strategies.ground import BARS_AGE_S, Ground
from sextant.strategies.holdings import PRICE_AGE_S
from sextant.strategies.orders import QUOTE_AGE_S, Order, leg_of
from sextant.strategies.risk import Exposure, risk_of

QUOTE_LIVES: Final = 20.0


@dataclass(frozen=True, eq=False)
class Protection:
    """A protection that passed its gates.

    Parameters
    ----------
    strategy, ground, name
        Whose, on what it stands, and the stable word of what it is.
    orders, transfer
        What would be done: orders, or one transfer.
    es_after_usd
        ES97.5 of one day once it is done.
    strength
        Value over limit; 1 = at threshold.
    horizon_s
        How long it is meant to stay.
    gates, reasons
        All gates that were read, and why it is shown.
    hedge
        The orders open something instead of reducing what is held.
    income_usd
        Funding over the horizon, below 0 where it costs; 0 where nothing is paid.
    income_basis
        What that rests on.
    leverage
        Of a hedge.
    direction
        As shown.
    card
        Evidence; None for the ground's own.
    warnings
        Besides those of the ground.
    """

    strategy: Strategy
    ground: Ground
    name: str
    orders: tuple[Order, ...]
    es_after_usd: float
    strength: float
    horizon_s: float
    gates: tuple[GateReading, ...]
    reasons: tuple[str, ...]
    transfer: Transfer | None = None
    hedge: bool = False
    income_usd: float = 0.0
    income_basis: str = "nothing held pays or earns funding by it"
    leverage: float | None = None
    direction: Direction = "reduce"
    card: Scorecard | None = None
    warnings: tuple[str, ...] = ()

    @property
    def notional_usd(self) -> float:
        """What is traded, or moved."""
        if self.transfer is not None:
            return self.transfer.value_usd
        return math.fsum(order.notional_usd for order in self.orders)

    @property
    def trading_usd(self) -> float:
        """Cost of the orders; a hedge is closed again at the same price."""
        return math.fsum(order.cost_usd for order in self.orders) * (2.0 if self.hedge else 1.0)

    @property
    def cost_usd(self) -> float:
        """All known costs less income; 0 or less where it pays."""
        fee = self.transfer.fee_usd if self.transfer is not None else None
        return self.trading_usd - self.income_usd + (fee or 0.0)

    @property
    def removed_usd(self) -> float:
        """ES97.5 that it removes."""
        return self.ground.es_usd - self.es_after_usd


def opportunity_key(strategy: Strategy, name: str, legs: Sequence[Leg]) -> str:
    """The identity of a protection: the same across scans while what it is, its legs and the parameters are."""
    params = strategy.defaults()
    parts = (
        strategy.id,
        name,
        ",".join(f"{leg.instrument}:{leg.side}" for leg in legs),
        ",".join(f"{key}={params[key]!r}" for key in sorted(params)),
    )
    return hashlib.blake2b("|".join(parts).encode(), digest_size=16).hexdigest()


def told(case: Protection) -> Opportunity:
    """The opportunity of a protection.

    Notes
    -----
    It promises no return: gross and edge are unknown, the lines below say what it costs. Its rank is the price of risk less
    what removing one USD of shortfall costs; without a shortfall to remove there is no rank.
    """
    ground, pricing = case.ground, case.ground.pricing
    legs = tuple(
        leg_of(pricing, order, hedge=case.hedge, leverage=case.leverage if case.hedge else None)
        for order in case.orders
    )
    card = ground.card() if case.card is None else case.card
    graded = card.grade != "unproven"
    removed = case.removed_usd
    unknown_fee = case.transfer is not None and case.transfer.fee_usd is None
    score = None
    if removed > 0 and not unknown_fee:
        score = ground.price_of_risk - case.cost_usd / removed
    level, facts = risk_of(_exposure(case))
    return Opportunity(
        opportunity_key=opportunity_key(case.strategy, case.name, legs),
        first_seen_ns=pricing.view.as_of_ns,
        strategy_id=case.strategy.id,
        strategy_name=case.strategy.name,
        opportunity_type=case.strategy.opportunity_type,
        lane=case.strategy.lane,
        legs=legs,
        direction=case.direction,
        entry=legs[0].price if len(legs) == 1 else None,
        stop=None,
        stop_reason="A protection ends with what it protects; it has no stop of its own.",
        targets=(),
        horizon_s=case.horizon_s,
        expected_s=None,
        gross_bps=None,
        costs=_lines(case),
        edge_bps=None,
        edge_usd=None,
        edge_lcb_bps=None,
        es95_usd=ground.es_of(ground.exposure, 0.95),
        break_even_s=None,
        break_even_hit_frac=None,
        capacity_usd=None,
        capacity_curve=(),
        size_min_usd=None,
        expires_ns=_expires_ns(case),
        half_life_s=None,
        strength=case.strength,
        confidence=None,
        confidence_low=None,
        confidence_high=None,
        grade="analytic" if graded else "unproven",
        evidence=card,
        risk_level=level,
        risk_facts=facts | _facts(case),
        size=_size(case),
        inputs=_inputs(case),
        gates=case.gates,
        reasons=(*case.reasons, *_worth(case)),
        warnings=(*case.warnings, *ground.warnings()),
        rank_group=0 if graded else 1,
        rank_score=score,
        as_of_ns=pricing.view.as_of_ns,
        transfer=case.transfer,
    )


def _facts(case: Protection) -> dict[str, float]:
    ground = case.ground
    return {
        "dES_usd": case.removed_usd,
        "es_before_usd": ground.es_usd,
        "es_after_usd": case.es_after_usd,
        "es_budget_usd": ground.budget_usd,
        "cost_usd": case.cost_usd,
        "price_of_risk": ground.price_of_risk,
        "equity_usd": ground.equity_usd,
    }


def _worth(case: Protection) -> tuple[str, ...]:
    ground = case.ground
    return (
        (
            f"Expected shortfall (97.5 %, one day) goes from {ground.es_usd:.0f} to {case.es_after_usd:.0f} USD; "
            f"{ground.budget_usd:.0f} are allowed."
        ),
        f"It costs {case.cost_usd:.2f} USD; one USD of shortfall removed is worth {ground.price_of_risk:.3f}.",
    )


def _exposure(case: Protection) -> Exposure:
    """What can be lost by protecting: its cost, and for a hedge one that is missed by half a percent."""
    notional = case.notional_usd
    volumes = [float(case.ground.pricing.volume_24h_usd[order.column]) for order in case.orders]
    missed = 0.005 if case.hedge else 0.0
    cost_frac = max(case.cost_usd, 0.0) / notional
    return Exposure(
        notional_usd=notional,
        required_usd=_required_usd(case),
        stop_frac=None,
        cost_frac=cost_frac,
        es99_frac=missed + cost_frac,
        leverage=case.leverage or 1.0,
        volume_24h_usd=min((v for v in volumes if math.isfinite(v)), default=math.inf)
        if case.transfer is None
        else 1e9,
    )


def _required_usd(case: Protection) -> float:
    """Margin of a hedge, or what is traded, and the costs."""
    tied = case.notional_usd / (case.leverage or 1.0)
    return tied + max(case.cost_usd, 0.0)


def _size(case: Protection) -> Size:
    quantity = case.transfer.quantity if case.transfer is not None else case.orders[0].quantity
    return Size(
        quantity=quantity,
        notional_usd=case.notional_usd,
        risk_usd=max(case.cost_usd, 0.0),
        binding="risk",
        required_capital_usd=_required_usd(case),
        illustrative=False,
    )


def _expires_ns(case: Protection) -> int:
    view, touch = case.ground.pricing.view, case.ground.pricing.touch
    lives = round(QUOTE_LIVES * QUOTE_AGE_S * SECOND_NS)
    ends = [int(touch.event_ns[o.column]) + lives for o in case.orders if not touch.assumed]
    ends += [
        int(view.derivatives.next_funding_ns[o.column])
        for o in case.orders
        if int(view.derivatives.next_funding_ns[o.column]) > view.as_of_ns
    ]
    return max(min(ends, default=view.as_of_ns + DAY_NS), view.as_of_ns)


def _inputs(case: Protection) -> tuple[InputAge, ...]:
    view, touch = case.ground.pricing.view, case.ground.pricing.touch
    held_ns = view.as_of_ns - round(case.ground.holdings.age_s * SECOND_NS)
    rows = [("portfolio", held_ns, PRICE_AGE_S), ("bars.1d", view.bars["1d"].last_close_ns or 0, BARS_AGE_S)]
    if case.orders and not touch.assumed:
        rows.append(("quote", min(int(touch.event_ns[o.column]) for o in case.orders), QUOTE_AGE_S))
    return tuple(
        InputAge(name, time_ns, (view.as_of_ns - time_ns) / MILLISECOND_NS, limit_s * 1e3)
        for name, time_ns, limit_s in rows
    )


def _lines(case: Protection) -> tuple[CostLine, ...]:
    """The waterfall of the orders together, in basis points of what is traded."""
    notional, as_of_ns = case.notional_usd, case.ground.pricing.view.as_of_ns
    exits = 1.0 if case.hedge else 0.0
    again = "closed again at the end, as at entry" if case.hedge else "nothing is opened that must be closed"
    fees = math.fsum(order.fee_usd for order in case.orders)
    spread = math.fsum(order.spread_usd for order in case.orders) * (1.0 + exits)
    slip = math.fsum(order.slippage_usd for order in case.orders) * (1.0 + exits)
    source = case.orders[0].terms.fee.source if case.orders and case.orders[0].terms.fee else "none"
    moved: tuple[float | None, str, str] = (0.0, "none", "nothing is moved between venues")
    if case.transfer is not None:
        fee = case.transfer.fee_usd
        words = (
            "the withdrawal fee of the venue"
            if fee is not None
            else "unknown: the venue shows it before the withdrawal"
        )
        moved = (None if fee is None else -fee, "venue" if fee is not None else "unknown", words)
    rows: tuple[tuple[Any, float | None, str, str], ...] = (
        ("gross", None, "none", "a protection promises no return"),
        ("fee_entry", -fees, source, "taker"),
        ("fee_exit", -fees * exits, source, again),
        ("spread", -spread, "quote", "half the quoted spread per crossing"),
        ("slippage", -slip, "depth", f"walk of the book, or the square-root law; {again}"),
        ("funding", case.income_usd, "derivatives", case.income_basis),
        ("borrow", 0.0, "none", "nothing is borrowed"),
        ("transfer", *moved),
        ("delivery", 0.0, "none", "left before any delivery"),
    )
    return tuple(
        CostLine(item, None if usd is None else 1e4 * usd / notional, usd, source_, as_of_ns, basis)
        for item, usd, source_, basis in rows
    )
