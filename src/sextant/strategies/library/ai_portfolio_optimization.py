"""Weights that drifted are brought back to their bands, where that is worth more than it costs; often it is not.

It earns what less risk is worth to this account and what shrunk expected returns promise, and loses the costs for sure.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from sextant.model.opportunity import Disposition, GateReading, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.model.times import DAY_NS, SECOND_NS
from sextant.model.view import View
from sextant.strategies.allocation import CHOICES, Allocation, Asked, allocate, expected_gain_usd
from sextant.strategies.checks import es_after
from sextant.strategies.contest import NOTHING, PROVEN_FOLDS
from sextant.strategies.contract import Judged, Need, Param, Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.dispositions import Economic, Named, economic, found, insufficient
from sextant.strategies.ground import Ground, ground_of, unspoken
from sextant.strategies.optimise import Refusal, risk_shares, volatility
from sextant.strategies.orders import Order, order_of
from sextant.strategies.protect import Protection, told
from sextant.strategies.rebalance import Plan, Task, Wishes

NEEDS: Final = (Need("bars", "1d", 120, 1.5 * 86_400.0), Need("quotes", None, 1, 15.0))
UNIT: Final = "plan"

_STUCK: Final = {
    "infeasible": "feasible",
    "no_positive_excess_return": "excess_return",
    "below_min_notional": "min_notional",
    "no_instrument": "instrument",
}
"""Gate by the reason of a refusal."""


def evaluate(view: View, params: Mapping[str, float], _: object) -> Verdict:
    """Nothing about single instruments; the portfolio is judged for each account."""
    return dataclasses.replace(unspoken(view), params=params)


def judge(strategy: Strategy, verdict: Verdict, _: object, pricing: Pricing) -> Judged:
    """The plan as one opportunity, or why there is none."""
    ground = ground_of(pricing)
    if not isinstance(ground, Ground):
        return [], [insufficient(Named(UNIT), ground)]
    answer = _planned(_Asker(strategy, ground, verdict.params))
    if isinstance(answer, Disposition):
        return [], [answer]
    unit = Named(UNIT, tuple(leg.instrument for leg in answer.legs))
    return [answer], [found(unit, answer.opportunity_key, answer.gates)]


@dataclass(frozen=True, eq=False)
class _Asker:
    """A strategy, what it stands on, and what it is asked with."""

    strategy: Strategy
    ground: Ground
    params: Mapping[str, float]


def _asked(params: Mapping[str, float]) -> Asked:
    return Asked(
        method=CHOICES[round(params["method"])],
        cash_target=params["cash_target"],
        cap=params["cap"],
        floor=params["floor"],
        wishes=Wishes(
            band_frac=params["band_frac"],
            min_trade_usd=params["min_trade_usd"],
            max_trades=round(params["max_trades"]),
        ),
    )


def _planned(asker: _Asker) -> Opportunity | Disposition:
    strategy, ground, params = asker.strategy, asker.ground, asker.params
    capital = Economic("min_capital", ground.equity_usd, strategy.min_capital_usd, 1, "USD")
    if not capital.reading.passed:
        return economic(Named(UNIT), capital, ())
    readings: tuple[GateReading, ...] = (capital.reading,)
    answer = allocate(ground, _asked(params))
    if isinstance(answer, Refusal):
        return insufficient(Named(UNIT), ("portfolio.assets", 0.0, 1.0, "assets"), readings)
    if answer.chosen == NOTHING:
        return _nothing_is_best(answer, readings)
    if answer.task is None or answer.plan is None:
        return _refused(answer.mix.refusal, readings)
    drift = _drift(answer.task)
    if not drift.reading.passed:
        return economic(Named(UNIT), drift, readings)
    readings = (*readings, drift.reading)
    orders = _orders(ground.pricing, answer.plan)
    if orders is None:
        return insufficient(Named(UNIT), ("cost.plan", 0.0, 1.0, "values"), readings)
    if not orders:
        return _refused(answer.plan.refusals[0], readings)
    return _worth(asker, answer, orders, readings)


def _worth(
    asker: _Asker, answer: Allocation, orders: tuple[Order, ...], readings: tuple[GateReading, ...]
) -> Opportunity | Disposition:
    """The plan, if it is worth one and a half times what it costs."""
    strategy, ground, params = asker.strategy, asker.ground, asker.params
    cost = math.fsum(order.cost_usd for order in orders)
    after = es_after(ground, orders)
    gain = expected_gain_usd(answer, ground.equity_usd, params["horizon_days"])
    benefit = ground.price_of_risk * (ground.es_usd - after) + gain - cost
    worth = Economic("benefit", benefit, params["benefit_to_cost"] * cost, 1, "USD")
    if not worth.reading.passed:
        return economic(Named(UNIT), worth, readings)
    drift = next(reading for reading in readings if reading.gate == "drift")
    case = Protection(
        strategy=strategy,
        ground=ground,
        name=f"{UNIT}:{answer.chosen}",
        orders=orders,
        es_after_usd=after,
        strength=(drift.value or 0.0) / drift.threshold,
        horizon_s=params["horizon_days"] * DAY_NS / SECOND_NS,
        gates=(*readings, worth.reading),
        reasons=_reasons(answer, gain, benefit),
        direction="neutral",
        card=_card(answer),
        warnings=_warnings(answer),
    )
    row = told(case)
    facts = _facts(answer, gain, benefit)
    return msgspec.structs.replace(row, risk_facts=row.risk_facts | facts)


def _orders(pricing: Pricing, plan: Plan) -> tuple[Order, ...] | None:
    """The lines as orders at today's prices; None where one of their costs is unknown."""
    orders = [
        order_of(pricing, pricing.view.column_of[line.place.spec.instrument], line.side, line.quantity)
        for line in plan.lines
    ]
    known = tuple(order for order in orders if order is not None)
    return known if len(known) == len(orders) else None


def _drift(task: Task) -> Economic:
    """The weight that is furthest beyond its band, cash among them."""
    cash = 1.0 - float(task.target.sum())
    now, bands = 1.0 - float(task.now.sum()), task.bands
    drifts = np.concatenate((np.abs(task.drift), [abs(now - cash)]))
    least = max(0.01, min(task.wishes.band_frac, 0.5 * cash))
    limits = np.concatenate((bands, [least]))
    worst = int(np.argmax(drifts - limits))
    return Economic("drift", float(drifts[worst]), float(limits[worst]), 1, "fraction")


def _nothing_is_best(answer: Allocation, readings: tuple[GateReading, ...]) -> Disposition:
    courses = () if answer.tried is None else answer.tried.courses
    nothing = next(course.certainty_frac for course in courses if course.name == NOTHING)
    best = max(
        (c.certainty_frac for c in courses if c.name != NOTHING and not math.isnan(c.certainty_frac)),
        default=-math.inf,
    )
    value = best if math.isfinite(best) else nothing - 1.0
    return economic(Named(UNIT), Economic("certainty_equivalent", value, nothing, 1, "fraction"), readings)


def _refused(refusal: Refusal | None, readings: tuple[GateReading, ...]) -> Disposition:
    if refusal is None:
        return economic(Named(UNIT), Economic("feasible", 0.0, 1.0, 1), readings)
    facts = refusal.facts
    if refusal.reason == "unpriced":
        return insufficient(Named(UNIT), (f"risk.{facts['assets']}", 0.0, 1.0, "values"), readings)
    have, need = (facts.get(name) for name in ("have_usd", "need_usd"))
    if facts.get("constraint") == "cap":
        have, need = facts["reach_frac"], facts["risky_frac"]
    value = have if isinstance(have, float) else 0.0
    limit = need if isinstance(need, float) else 1.0
    lost = economic(
        Named(UNIT), Economic(_STUCK.get(refusal.reason, refusal.reason), value, limit, 1), readings
    )
    return msgspec.structs.replace(lost, flips_if=refusal.words)


def _card(answer: Allocation) -> Scorecard:
    """Evidence: the method against doing nothing, month by month."""
    common: dict[str, Any] = {"kind": "portfolio", "source": "monthly walk-forward", "bucket": answer.chosen}
    gap = answer.difference
    if gap is None or gap.n < PROVEN_FOLDS:
        months = 0 if gap is None else gap.n
        reason = f"{months} of {PROVEN_FOLDS} months"
        return Scorecard(
            **common,
            status="insufficient_history",
            reason=reason,
            n=months,
            n_eff=float(months),
            clusters_count=months,
        )
    proven = gap.low_frac > 0
    return Scorecard(
        **common,
        status="scored",
        reason=None if proven else "the interval of the gain over doing nothing reaches below 0",
        n=gap.n,
        n_eff=float(gap.n),
        clusters_count=gap.n,
        expectancy_bps=1e4 * gap.mean_frac,
        expectancy_low_bps=1e4 * gap.low_frac,
        expectancy_high_bps=1e4 * gap.high_frac,
        grade="analytic" if proven else "unproven",
    )


def _reasons(answer: Allocation, gain: float, benefit: float) -> tuple[str, ...]:
    lines = () if answer.plan is None else answer.plan.lines
    gap = answer.difference
    past = (
        "There are too few months to hold the method against doing nothing."
        if gap is None
        else f"Against doing nothing {answer.chosen} would have changed the certainty equivalent by {100 * gap.mean_frac:.1f} % "
        f"a year ({100 * gap.low_frac:.1f} to {100 * gap.high_frac:.1f}) over {gap.n} months."
    )
    return (
        f"Method {answer.chosen}: {len(lines)} orders.",
        *(line.reason for line in lines),
        f"Expected returns change by {gain:.2f} USD over the horizon; the plan is worth {benefit:.2f} USD net of its cost.",
        past,
    )


def _warnings(answer: Allocation) -> tuple[str, ...]:
    frozen = tuple(f"{asset} keeps its weight: {why}." for asset, why in answer.frozen.items())
    stuck = () if answer.plan is None else tuple(refusal.words for refusal in answer.plan.refusals)
    greedy = (
        ("The exact plan took too long; a simple rule made this one.",)
        if answer.plan and answer.plan.greedy
        else ()
    )
    return (*answer.mix.notes, *frozen, *stuck, *greedy)


def _facts(answer: Allocation, gain: float, benefit: float) -> dict[str, float]:
    task, plan, problem = answer.task, answer.plan, answer.problem
    facts = {"expected_gain_usd": gain, "benefit_usd": benefit}
    if task is None or plan is None or answer.mix.weights is None:
        return facts
    for i, asset in enumerate(task.assets):
        facts[f"weight_{asset}_before_frac"] = float(task.now[i])
        facts[f"weight_{asset}_after_frac"] = float(plan.after[i])
        facts[f"weight_{asset}_target_frac"] = float(task.target[i])
    shares = risk_shares(answer.mix.weights, problem.sigma)
    facts |= {f"risk_share_{a}_frac": s for a, s in zip(problem.assets, shares.tolist(), strict=True)}
    facts["volatility_before_frac"] = volatility(problem.now, problem.sigma)
    facts["volatility_target_frac"] = volatility(answer.mix.weights, problem.sigma)
    facts["turnover_frac"] = plan.turnover_usd / task.equity_usd
    return facts


STRATEGY = Strategy(
    id="ai_portfolio_optimization",
    name="AI Portfolio Optimizer",
    category="portfolio",
    catalogue_risk="low",
    tier="free",
    min_capital_usd=500.0,
    opportunity_type="portfolio_rebalance",
    unit="portfolio",
    lane="protect",
    evidence_kind="portfolio",
    needs=NEEDS,
    params=(
        Param(
            "method",
            float(len(CHOICES) - 1),
            0.0,
            float(len(CHOICES) - 1),
            "index of the methods, the last is auto",
        ),
        Param("cash_target", 0.10, 0.0, 0.9, "fraction"),
        Param("cap", 0.25, 0.02, 1.0, "fraction"),
        Param("floor", 0.02, 0.0, 0.02, "fraction"),
        Param("band_frac", 0.05, 0.01, 0.2, "fraction"),
        Param("min_trade_usd", 10.0, 1.0, 10_000.0, "USD"),
        Param("max_trades", 10.0, 1.0, 50.0, "orders"),
        Param("horizon_days", 90.0, 7.0, 365.0, "days"),
        Param("benefit_to_cost", 1.5, 0.0, 10.0, "ratio"),
    ),
    cost_class="medium",
    evaluate=evaluate,
    judge=judge,
    references=(
        "Ledoit, Wolf 2004, Honey, I Shrunk the Sample Covariance Matrix, Journal of Portfolio Management 30",
        "Jorion 1986, Bayes-Stein Estimation for Portfolio Analysis, Journal of Financial and Quantitative Analysis 21",
        "Maillard, Roncalli, Teiletche 2010, The Properties of Equally Weighted Risk Contribution Portfolios, JPM 36",
        "Griveau-Billion, Richard, Roncalli 2013, A Fast Algorithm for Computing High-dimensional Risk Parity Portfolios",
    ),
    known_gaps=(
        "Doing nothing is held against the methods from today's weights on, whatever they were in the past.",
        "Nothing is moved between venues: buys are paid with the cash and the sells of their own venue.",
        "A scan asks with the default parameters; an owner's own method and weights belong to rebalancing plans.",
    ),
)
