"""From a portfolio to an allocation: the problem the optimisers are asked, the method that answers, and the plan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, get_args

import numpy as np

from sextant.model.bar import Floats
from sextant.strategies.contest import LEAST_ROWS, MONTH_ROWS, NOTHING, Contest, Difference, contest
from sextant.strategies.covariance import DAYS, shrunk_covariance, shrunk_mean
from sextant.strategies.ground import Ground
from sextant.strategies.holdings import spot_columns
from sextant.strategies.optimise import METHODS, Method, Mix, Problem, Refusal, solve
from sextant.strategies.orders import QUOTE_AGE_S, order_of, unit_usd
from sextant.strategies.prices import is_dollar
from sextant.strategies.rebalance import Place, Plan, Task, Wishes, make_plan

FITTED_ROWS: Final = 365
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
