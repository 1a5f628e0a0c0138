"""From a portfolio to an allocation: the problem the optimisers are asked, the method that answers, and the plan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, get_args

import numpy as np

from sextant.model.bar import Floats
from sextant.model.instrument import is_dollar
from sextant.strategies.contest import ENTRANTS, LEAST_ROWS, MONTH_ROWS, NOTHING, Contest, Difference, contest
from sextant.strategies.covariance import DAYS, shrunk_covariance, shrunk_mean
from sextant.strategies.ground import Ground
from sextant.strategies.holdings import spot_columns
from sextant.strategies.optimise import METHODS, Method, Mix, Problem, Refusal, risk_shares, solve, volatility
from sextant.strategies.orders import QUOTE_AGE_S, order_of, unit_usd
from sextant.strategies.rebalance import Place, Plan, Task, Wishes, make_plan

FITTED_ROWS: Final = 365
NORMAL_90: Final = 1.645
TYPICAL_FRAC: Final = 0.05  # of equity: the order whose cost stands for all sizes in the optimisers

Choice = Method | Literal["auto"]
CHOICES: Final[tuple[Choice, ...]] = (*METHODS, "auto")
WITHOUT_TRIAL: Final[Method] = "risk_parity"
"""What ``auto`` takes where there are too few days for a trial: it needs no expected return, of which they say least."""


@dataclass(frozen=True)
class Asked:
    """What the owner asks of an allocation.

    Parameters
    ----------
    method
        A method, or ``auto`` for the one that would have served best.
    cash_target
        Share of equity that stays cash, [0, 0.9].
    cap, floor
        Bounds of each weight.
    rf
        Yield of cash, fraction a year.
    wishes
        Of the plan.
    wanted
        Weights by asset, for ``target`` only.
    """

    method: Choice = "auto"
    cash_target: float = 0.10
    cap: float = 0.25
    floor: float = 0.02
    rf: float = 0.0
    wishes: Wishes = field(default_factory=Wishes)
    wanted: Mapping[str, float] | None = None


@dataclass(frozen=True, eq=False)
class Allocation:
    """What an optimiser makes of a portfolio.

    Parameters
    ----------
    problem
        What was asked; assets that can move and have a history.
    mix
        The answer.
    chosen
        The method, also where ``auto`` chose it; ``nothing`` where keeping what is held is best.
    tried
        The walk-forward; None with too few days for one.
    frozen
        Assets that keep their weight, each with the reason.
    task, plan
        From weights to orders; None where the method was refused.
    """

    problem: Problem
    mix: Mix
    chosen: str
    tried: Contest | None
    frozen: Mapping[str, str]
    task: Task | None
    plan: Plan | None

    @property
    def difference(self) -> Difference | None:
        """How much better than doing nothing the method would have been, a month at a time."""
        if self.tried is None or all(course.name != self.chosen for course in self.tried.courses):
            return None
        return self.tried.against_nothing(self.chosen)


def allocate(ground: Ground, asked: Asked) -> Allocation | Refusal:
    """The allocation of a portfolio, or why there is none.

    Notes
    -----
    Assets with fewer than 120 days, shorts, positions in derivatives, and assets without a fresh spot instrument where
    something of the account lies keep their weight and are named.
    """
    places = _places(ground)
    frozen = _frozen(ground, {place.asset for place in places})
    assets = tuple(asset for asset in ground.modelled if asset not in frozen)
    if not assets:
        words = "No asset is held that has history and can be traded."
        return Refusal("too_little_history", {"assets": ", ".join(frozen)}, words)
    returns = ground.returns[:, [ground.modelled.index(asset) for asset in assets]]
    problem = _problem(ground, asked, assets, places, returns)
    tried = contest(returns, problem) if len(returns) >= LEAST_ROWS + MONTH_ROWS else None
    chosen = _chosen(asked, tried)
    kept = chosen is None
    mix = Mix("target", problem.now.copy()) if chosen is None else solve(chosen, problem)
    name = NOTHING if kept else str(chosen)
    if mix.weights is None:
        return Allocation(problem, mix, name, tried, frozen, None, None)
    task = _task(ground, asked, problem, mix.weights, places)
    return Allocation(problem, mix, name, tried, frozen, task, make_plan(task))


@dataclass(frozen=True, eq=False)
class MethodReport:
    """What one method would hold; all None but the refusal where it was refused.

    Parameters
    ----------
    method
        Which.
    weights, risk_shares
        By asset: share of equity, and share of the variance.
    volatility_frac, return_frac
        Of a year; the return is the shrunk one, over cash.
    return_low_frac, return_high_frac
        Its 90 % interval.
    es_usd
        ES97.5 of one day.
    turnover_frac, cost_usd
        From what is held to the weights at once, without bands.
    certainty_frac
        Certainty equivalent of a year in the walk-forward; None without one.
    difference
        Against doing nothing, month by month.
    refusal
        Why it has no weights.
    """

    method: Method
    weights: Mapping[str, float] | None
    risk_shares: Mapping[str, float] | None
    volatility_frac: float | None
    return_frac: float | None
    return_low_frac: float | None
    return_high_frac: float | None
    es_usd: float | None
    turnover_frac: float | None
    cost_usd: float | None
    certainty_frac: float | None
    difference: Difference | None
    refusal: Refusal | None


def reports_of(ground: Ground, allocation: Allocation) -> tuple[MethodReport, ...]:
    """Every method of the contest on the same problem, the best certainty equivalent first, refused ones last."""
    found = [_report(ground, allocation, method) for method in ENTRANTS]
    return tuple(
        sorted(
            found,
            key=lambda row: (
                row.weights is None,
                -(row.certainty_frac if row.certainty_frac is not None else -math.inf),
                row.method,
            ),
        )
    )


def _report(ground: Ground, allocation: Allocation, method: Method) -> MethodReport:
    problem, tried = allocation.problem, allocation.tried
    mix = solve(method, problem)
    course = None if tried is None else tried.course(method)
    certainty = None if course is None or math.isnan(course.certainty_frac) else course.certainty_frac
    difference = None if tried is None else tried.against_nothing(method)
    if mix.weights is None:
        nothing = (None,) * 9
        return MethodReport(method, *nothing, certainty, difference, mix.refusal)
    weights = mix.weights
    sigma = volatility(weights, problem.sigma)
    excess = float((problem.mu - problem.rf) @ weights)
    years = min(len(ground.returns), FITTED_ROWS) / DAYS
    reach = NORMAL_90 * sigma / math.sqrt(years)
    moved = np.abs(weights - problem.now)
    exposure = ground.exposure.copy()
    for asset, weight in zip(problem.assets, weights.tolist(), strict=True):
        exposure[ground.modelled.index(asset)] = weight * ground.equity_usd
    return MethodReport(
        method=method,
        weights=dict(zip(problem.assets, weights.tolist(), strict=True)),
        risk_shares=dict(zip(problem.assets, risk_shares(weights, problem.sigma).tolist(), strict=True)),
        volatility_frac=sigma,
        return_frac=excess,
        return_low_frac=excess - reach,
        return_high_frac=excess + reach,
        es_usd=ground.es_of(exposure),
        turnover_frac=float(moved.sum()),
        cost_usd=float(moved @ problem.cost_frac) * ground.equity_usd,
        certainty_frac=certainty,
        difference=difference,
        refusal=None,
    )


def expected_gain_usd(allocation: Allocation, equity_usd: float, days: float) -> float:
    """What a plan changes in the shrunk expected return over some days, USD."""
    task, plan, problem = allocation.task, allocation.plan, allocation.problem
    if task is None or plan is None:
        return 0.0
    moved = plan.after - task.now
    mu = dict(zip(problem.assets, (problem.mu - problem.rf).tolist(), strict=True))
    yearly = math.fsum(
        float(change) * mu.get(asset, 0.0) for asset, change in zip(task.assets, moved, strict=True)
    )
    return yearly * equity_usd * days / DAYS


def _chosen(asked: Asked, tried: Contest | None) -> Method | None:
    """The method; None where doing nothing served best."""
    if asked.method != "auto":
        return asked.method
    if tried is None:
        return WITHOUT_TRIAL
    best = tried.courses[0].name
    return next((method for method in get_args(Method) if method == best), None)


def _frozen(ground: Ground, tradable: set[str]) -> dict[str, str]:
    derived = {held.position.instrument.base for held in ground.holdings.positions}
    told: dict[str, str] = {asset: f"{days} days of history" for asset, days in ground.left_out}
    for asset in ground.modelled:
        if asset in derived:
            told[asset] = "held as a position"
        elif ground.holdings.exposure[asset] <= 0:
            told[asset] = "owed"
        elif asset not in tradable:
            told[asset] = "no instrument to trade it with now"
    return told


def _places(ground: Ground) -> tuple[Place, ...]:
    """Spot instruments at venues where something lies; a balance is free at the first of its instruments only."""
    pricing, holdings = ground.pricing, ground.holdings
    found: list[Place] = []
    seen: set[tuple[str, str]] = set()
    for asset, columns in spot_columns(pricing, ground.modelled, QUOTE_AGE_S).items():
        for column in columns:
            spec = pricing.view.instruments[column]
            sample = Decimal(max(TYPICAL_FRAC * ground.equity_usd, 10.0) / unit_usd(pricing, column))
            order = order_of(pricing, column, "sell", sample)
            if order is None or spec.instrument.venue not in holdings.venues:
                continue
            at = (asset, spec.instrument.venue)
            free = Decimal(0) if at in seen else holdings.free(spec.instrument.venue, asset)
            seen.add(at)
            found.append(
                Place(
                    asset=asset,
                    spec=spec,
                    bid=float(pricing.touch.bid[column]),
                    ask=float(pricing.touch.ask[column]),
                    usd=float(pricing.usd[column]),
                    free=free,
                    cost_frac=order.cost_usd / order.notional_usd,
                )
            )
    return tuple(found)


def _problem(
    ground: Ground, asked: Asked, assets: tuple[str, ...], places: tuple[Place, ...], returns: Floats
) -> Problem:
    fitted = returns[-FITTED_ROWS:]
    shrunk = shrunk_covariance(fitted)
    exposure, equity = ground.holdings.exposure, ground.equity_usd
    unmoved = math.fsum(usd for asset, usd in exposure.items() if asset not in assets)
    wanted = None if asked.wanted is None else np.array([asked.wanted.get(asset, 0.0) for asset in assets])
    return Problem(
        assets=assets,
        sigma=DAYS * shrunk.matrix,
        mu=shrunk_mean(fitted, shrunk.matrix, asked.rf),
        now=np.array([exposure[asset] / equity for asset in assets]),
        cost_frac=np.array([min(p.cost_frac for p in places if p.asset == asset) for asset in assets]),
        risky=min(max(1.0 - asked.cash_target - max(unmoved, 0.0) / equity, 0.0), 1.0),
        profile=ground.pricing.account.profile,
        kelly_frac=ground.profile.kelly_frac,
        rf=asked.rf,
        cap=asked.cap,
        floor=asked.floor,
        wanted=wanted,
    )


def _task(ground: Ground, asked: Asked, problem: Problem, weights: Floats, places: tuple[Place, ...]) -> Task:
    """The weights as a task; frozen assets take part with the weight they have."""
    others = tuple(asset for asset in ground.holdings.assets if asset not in problem.assets)
    still = np.array([ground.holdings.exposure[asset] / ground.equity_usd for asset in others])
    cash: dict[str, float] = {}
    for venue in {place.spec.instrument.venue for place in places}:
        quotes = {place.spec.instrument.quote for place in places if place.spec.instrument.venue == venue}
        free = (ground.holdings.free(venue, quote) for quote in quotes if is_dollar(quote))
        cash[venue] = float(sum(free, Decimal(0)))
    return Task(
        assets=(*problem.assets, *others),
        now=np.concatenate((problem.now, still)),
        target=np.concatenate((weights, still)),
        places=tuple(place for place in places if place.asset in problem.assets),
        cash_usd=cash,
        equity_usd=ground.equity_usd,
        wishes=asked.wishes,
    )
