"""A loss that is too large for the account is sold for less than it is worth: futures take the market out of a portfolio.

It earns nothing; its expected return is its cost, and it is silent while the account is within its budget.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sextant.model.opportunity import Disposition, GateReading, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.model.times import DAY_NS, SECOND_NS
from sextant.model.view import View
from sextant.strategies.contest import Difference
from sextant.strategies.contract import Judged, Need, Param, Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.dispositions import Economic, Named, economic, found, insufficient
from sextant.strategies.ground import Ground, ground_of, unspoken
from sextant.strategies.hedging import Fits, Priced, candidates_of, fits_of, fitted, priced
from sextant.strategies.protect import Protection, told

NEEDS: Final = (
    Need("bars", "4h", 360, 1.5 * 14_400.0),
    Need("bars", "1d", 500, 1.5 * 86_400.0),
    Need("quotes", None, 1, 15.0),
    Need("funding", None, 1, 120.0),
)


def evaluate(view: View, params: Mapping[str, float], _: object) -> Verdict:
    """Nothing about single instruments; the portfolio is judged for each account."""
    return dataclasses.replace(unspoken(view), params=params)


@dataclass(frozen=True, eq=False)
class _Case:
    """A candidate on its way through the gates."""

    unit: Named
    readings: tuple[GateReading, ...]
    price: Priced
    leverage: float


def judge(strategy: Strategy, verdict: Verdict, _: object, pricing: Pricing) -> Judged:
    """One disposition for each candidate, and the one that removes shortfall most cheaply as an opportunity."""
    ground = ground_of(pricing)
    if not isinstance(ground, Ground):
        return [], [insufficient(Named("portfolio"), ground)]
    named = candidates_of(ground)
    if not named:
        return [], [economic(Named("portfolio"), Economic("instrument", 0.0, 1.0, 1), ())]
    asker = _Asker(strategy, ground, verdict.params, tuple(dict.fromkeys(sum(named.values(), ()))))
    answers: list[_Case | Disposition] = []
    for name, columns in named.items():
        members = tuple(pricing.view.instruments[column].instrument for column in columns)
        answers.append(_tried(asker, Named(f"hedge with {name}", members), (name, columns)))
    cases = [answer for answer in answers if isinstance(answer, _Case)]
    best = min(cases, key=lambda case: (case.price.per_usd, case.unit.name), default=None)
    if best is None:
        return [], [answer for answer in answers if isinstance(answer, Disposition)]
    row = _told(strategy, ground, verdict.params, best)
    return [row], [_disposed(answer, best, row) for answer in answers]


def _disposed(answer: _Case | Disposition, best: _Case, row: Opportunity) -> Disposition:
    if isinstance(answer, Disposition):
        return answer
    if answer is best:
        return found(answer.unit, row.opportunity_key, row.gates)
    cheapest = Economic("cheapest", answer.price.per_usd, best.price.per_usd, -1, "USD per USD")
    # The best of equals is the one that comes first by name; the others still are not it.
    return economic(answer.unit, cheapest, answer.readings)


@dataclass(frozen=True, eq=False)
class _Asker:
    """A strategy, what it stands on, what it is asked with, and the perpetuals of all candidates."""

    strategy: Strategy
    ground: Ground
    params: Mapping[str, float]
    columns: tuple[int, ...]

    @cached_property
    def shared(self) -> Fits | None:
        """Covariances of all at once; None where some lack the bars, and each is fitted alone."""
        fits = fits_of(self.ground, self.columns)
        return fits if isinstance(fits, Fits) else None


def _tried(asker: _Asker, unit: Named, candidate: tuple[str, tuple[int, ...]]) -> _Case | Disposition:
    """A candidate that passed its gates, or the first that failed."""
    strategy, ground, params = asker.strategy, asker.ground, asker.params
    capital = Economic("min_capital", ground.equity_usd, strategy.min_capital_usd, 1, "USD")
    breach = Economic("breach", ground.es_usd / ground.budget_usd, params["breach"], 1)
    readings: tuple[GateReading, ...] = ()
    for gate in (capital, breach):
        if not gate.reading.passed:
            return economic(unit, gate, readings)
        readings = (*readings, gate.reading)
    hedge = fitted(ground, *candidate, asker.shared)
    if isinstance(hedge, tuple):
        return insufficient(unit, hedge, readings)
    weeks = hedge.weeks
    if weeks is None or weeks.n < params["weeks"]:
        have = 0.0 if weeks is None else float(weeks.n)
        return insufficient(unit, ("evidence.weeks", have, params["weeks"], "weeks"), readings)
    price = priced(ground, hedge, params["goal_frac"] * ground.budget_usd, _horizon_s(params))
    if isinstance(price, tuple):
        return insufficient(unit, price, readings)
    return _gated(ground, params, _Case(unit, readings, price, _leverage(ground, price)), weeks)


def _gated(
    ground: Ground, params: Mapping[str, float], case: _Case, weeks: Difference
) -> _Case | Disposition:
    """The gates that need the price."""
    price, readings = case.price, case.readings
    venue = ground.pricing.view.instruments[price.orders[0].column].instrument.venue
    margin = math.fsum(order.notional_usd for order in price.orders) / case.leverage
    worth = ground.price_of_risk * max(price.removed_usd, 0.0)
    for gate in (
        Economic("effectiveness", weeks.mean_frac, params["effectiveness"], 1),
        Economic("effectiveness_low", weeks.low_frac, 0.0, 1),
        Economic("worth", price.cost_usd, worth, -1, "USD"),
        Economic("margin_free_usd", ground.pricing.account.free_usd.get(venue, 0.0), margin, 1, "USD"),
    ):
        if not gate.reading.passed:
            return economic(case.unit, gate, readings)
        readings = (*readings, gate.reading)
    return dataclasses.replace(case, readings=readings)


def _leverage(ground: Ground, price: Priced) -> float:
    """What the profile and the venue allow; 1 where the venue states nothing."""
    limits = [ground.pricing.view.instruments[order.column].max_leverage for order in price.orders]
    return min(ground.profile.leverage_cap, *(1.0 if limit is None else float(limit) for limit in limits))


def _horizon_s(params: Mapping[str, float]) -> float:
    return params["horizon_days"] * DAY_NS / SECOND_NS


def _told(strategy: Strategy, ground: Ground, params: Mapping[str, float], case: _Case) -> Opportunity:
    price = case.price
    hedge, weeks = price.hedge, price.hedge.weeks
    full = math.fsum(abs(leg.full_usd) for leg in hedge.legs)
    size = math.fsum(order.notional_usd for order in price.orders)
    after = ground.es_usd - price.removed_usd
    goal = params["goal_frac"] * ground.budget_usd
    partial = (
        (f"Even the full hedge leaves {after:.0f} USD of expected shortfall; {goal:.0f} are the aim.",)
        if hedge.es_usd(1.0) > goal
        else ()
    )
    proof = (
        ""
        if weeks is None
        else f" Out of sample it took {100 * weeks.mean_frac:.0f} % of the variance "
        f"({100 * weeks.low_frac:.0f} to {100 * weeks.high_frac:.0f}) over {weeks.n} weeks."
    )
    return told(
        Protection(
            strategy=strategy,
            ground=ground,
            name=hedge.name,
            orders=price.orders,
            es_after_usd=after,
            strength=ground.es_usd / ground.budget_usd,
            horizon_s=_horizon_s(params),
            gates=case.readings,
            reasons=(
                f"The account bears {ground.es_usd / ground.budget_usd:.2f} of its budget of expected shortfall.",
                f"{size:.0f} USD of {hedge.name} are {price.share:.3f} of the full hedge of {full:.0f} USD.{proof}",
                f"Removing one USD of shortfall costs {price.per_usd:.4f} USD this way, the least of all candidates.",
            ),
            hedge=True,
            income_usd=price.income_usd,
            income_basis=f"forecast of the settlements of {params['horizon_days']:.0f} days",
            leverage=case.leverage,
            direction="short" if price.orders[0].side == "sell" else "long",
            card=_card(ground, weeks),
            warnings=partial,
        )
    )


def _card(ground: Ground, weeks: Difference | None) -> Scorecard | None:
    """Evidence: variance reduction out of sample; the ground's own where its model did not hold."""
    own = ground.card()
    if weeks is None or own.grade == "unproven":
        return own
    common: dict[str, Any] = {
        "kind": "portfolio",
        "status": "scored",
        "source": "weekly refits",
        "bucket": "hedge",
    }
    reason = f"variance reduction {weeks.mean_frac:.2f} ({weeks.low_frac:.2f} to {weeks.high_frac:.2f})"
    return Scorecard(
        **common,
        reason=reason,
        n=weeks.n,
        n_eff=float(weeks.n),
        clusters_count=weeks.n,
        grade="analytic",
    )


STRATEGY = Strategy(
    id="ai_hedge_position",
    name="AI Portfolio Hedging",
    category="derivatives",
    catalogue_risk="high",
    tier="pro",
    min_capital_usd=5000.0,
    opportunity_type="hedge",
    unit="portfolio",
    lane="protect",
    evidence_kind="portfolio",
    needs=NEEDS,
    params=(
        Param("breach", 1.0, 0.5, 2.0, "ratio"),
        Param("goal_frac", 0.9, 0.5, 1.0, "fraction"),
        Param("effectiveness", 0.30, 0.1, 0.9, "fraction"),
        Param("weeks", 12.0, 4.0, 52.0, "weeks"),
        Param("horizon_days", 7.0, 1.0, 30.0, "days"),
    ),
    cost_class="light",
    evaluate=evaluate,
    judge=judge,
    references=(
        "Ederington 1979, The Hedging Performance of the New Futures Markets, Journal of Finance 34",
        "Ledoit, Wolf 2004, Honey, I Shrunk the Sample Covariance Matrix, Journal of Portfolio Management 30",
    ),
    known_gaps=(
        "Puts are not among the candidates yet: their price in each scenario needs a model of implied volatility.",
        "Losses are taken as linear in the log return, which is a little too much for longs and too little for shorts.",
        "It acts on a breach only; asking for a hedge within the budget has no request field yet.",
    ),
)
