"""Which method would have served an account best: each month refitted on the past, paid for, and held against doing nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.special import stdtrit

from sextant.errors import InputError
from sextant.model.account import Profile
from sextant.model.bar import Floats
from sextant.strategies.covariance import DAYS, shrunk_covariance, shrunk_mean
from sextant.strategies.optimise import Method, Problem, Refusal, solve

NOTHING: Final = "nothing"
"""Name of keeping what is held."""

ENTRANTS: Final[tuple[Method, ...]] = (
    "equal_weight",
    "min_variance",
    "max_sharpe",
    "risk_parity",
    "kelly_criterion",
    "adaptive",
)
AVERSION: Final[Mapping[Profile, float]] = {
    "conservative": 6.0,
    "balanced": 3.0,
    "aggressive": 1.5,
    "beast_mode": 1.0,
}
"""Price of variance in the certainty equivalent."""

LEAST_ROWS: Final = 120  # days of history before the first fit
FITTED_ROWS: Final = 365
MONTH_ROWS: Final = 30
PROVEN_FOLDS: Final = 12
_SIDE: Final = 0.95  # a two-sided interval of 90 %


@dataclass(frozen=True, eq=False)
class Course:
    """What following one method would have given.

    Parameters
    ----------
    name
        A method, or ``nothing``.
    certainty_frac
        Mean less half of aversion times variance, of a year, after costs.
    turnover_frac, cost_frac
        Of a year, shares of equity.
    folds
        float64 (K,): certainty equivalent of each month, of a year; NaN where the method was refused.
    refusal
        Why it could not be followed in some month; None where it always could.
    """

    name: str
    certainty_frac: float
    turnover_frac: float
    cost_frac: float
    folds: Floats
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Difference:
    """Mean difference of monthly certainty equivalents with its 90 % interval, fractions of a year, over ``n`` months."""

    mean_frac: float
    low_frac: float
    high_frac: float
    n: int


@dataclass(frozen=True, eq=False)
class Contest:
    """All courses, the best first; ``nothing`` is one of them."""

    courses: tuple[Course, ...]

    def course(self, name: str) -> Course:
        """The course of a method.

        Raises
        ------
        InputError
            If it did not take part.
        """
        for course in self.courses:
            if course.name == name:
                return course
        raise InputError(f"'{name}' took no part in the contest.", reason="not_a_choice")

    def against_nothing(self, name: str) -> Difference | None:
        """How much better than doing nothing; None with fewer than two months that both have."""
        gaps = self.course(name).folds - self.course(NOTHING).folds
        gaps = gaps[np.isfinite(gaps)]
        return interval_of(gaps) if len(gaps) > 1 else None


def interval_of(values: Floats) -> Difference:
    """The mean of independent values with its 90 % interval by t."""
    n = len(values)
    mean = float(values.mean())
    reach = float(stdtrit(n - 1, _SIDE)) * float(values.std(ddof=1)) / math.sqrt(n)
    return Difference(mean, mean - reach, mean + reach, n)


def contest(returns: Floats, problem: Problem, entrants: Sequence[Method] = ENTRANTS) -> Contest:
    """Monthly walk-forward of methods and of doing nothing.

    Parameters
    ----------
    returns
        float64 (T, N): daily log returns aligned by date, finite.
    problem
        Constraints, costs, profile and present weights; its covariance and expected returns are replaced by those of
        each month's past.

    Notes
    -----
    From row 120 on every 30 rows each method is fitted on at most 365 rows before, its trades are paid for, and its mix is
    left to drift for the month. Doing nothing starts with today's weights and never trades. The best has the highest
    certainty equivalent; of equal ones, the lower turnover.

    Raises
    ------
    InputError
        If fewer than 120 rows and one month are given.
    """
    starts = range(LEAST_ROWS, len(returns) - MONTH_ROWS + 1, MONTH_ROWS)
    if not starts:
        raise InputError(
            f"{len(returns)} days are too few for a contest; {LEAST_ROWS + MONTH_ROWS} are needed."
        )
    fitted = [_fitted(returns[max(0, start - FITTED_ROWS) : start], problem) for start in starts]
    growth = [np.exp(np.cumsum(returns[start : start + MONTH_ROWS], axis=0)) for start in starts]
    aversion = AVERSION[problem.profile]
    courses = [_followed(method, fitted, growth, aversion) for method in entrants]
    courses.append(_kept(problem, growth, aversion))
    order = sorted(courses, key=lambda course: (-_ranked(course), course.turnover_frac, course.name))
    return Contest(tuple(order))


def _ranked(course: Course) -> float:
    return -math.inf if math.isnan(course.certainty_frac) else round(course.certainty_frac, 12)


def _fitted(past: Floats, problem: Problem) -> Problem | Refusal:
    still = past.std(axis=0) == 0
    if still.any():
        named = ", ".join(asset for asset, flat in zip(problem.assets, still, strict=True) if flat)
        return Refusal("unpriced", {"assets": named}, f"The price of {named} did not move.")
    shrunk = shrunk_covariance(past)
    return replace(problem, sigma=DAYS * shrunk.matrix, mu=shrunk_mean(past, shrunk.matrix, problem.rf))


def _followed(
    method: Method, fitted: Sequence[Problem | Refusal], growth: Sequence[Floats], aversion: float
) -> Course:
    held: Floats | None = None
    paths: list[Floats] = []
    traded, paid = 0.0, 0.0
    for fit, month in zip(fitted, growth, strict=True):
        refusal: Refusal | None = fit if isinstance(fit, Refusal) else None
        if not isinstance(fit, Refusal):
            mix = solve(method, fit if held is None else replace(fit, now=held))
            refusal = mix.refusal
            # A mix that would be all cash where nothing promises more is an answer, too: it earns nothing.
            weights = mix.weights if mix.weights is not None else np.zeros(fit.size)
            moved = np.abs(weights - (fit.now if held is None else held))
            cost = float(moved @ fit.cost_frac)
            path, held = _drift(weights, month, cost)
            traded, paid = traded + float(moved.sum()), paid + cost
            paths.append(path)
        if refusal is not None and refusal.reason != "no_positive_excess_return":
            return Course(method, math.nan, math.nan, math.nan, np.full(len(fitted), math.nan), refusal)
    years = sum(map(len, paths)) / DAYS
    return _course(method, paths, traded / years, paid / years, aversion)


def _kept(problem: Problem, growth: Sequence[Floats], aversion: float) -> Course:
    held = problem.now
    paths: list[Floats] = []
    for month in growth:
        path, held = _drift(held, month, 0.0)
        paths.append(path)
    return _course(NOTHING, paths, 0.0, 0.0, aversion)


def _course(name: str, paths: Sequence[Floats], turnover: float, cost: float, aversion: float) -> Course:
    folds = np.array([_certainty(path, aversion) for path in paths])
    return Course(name, _certainty(np.concatenate(paths), aversion), turnover, cost, folds)


def _drift(weights: Floats, month: Floats, cost: float) -> tuple[Floats, Floats]:
    """Daily returns of a mix left alone, its cost paid on the first day, and its weights at the end."""
    values = (1.0 - float(weights.sum())) + month @ weights
    daily = np.diff(np.concatenate(([1.0], values))) / np.concatenate(([1.0], values[:-1]))
    daily[0] -= cost
    return daily, weights * month[-1] / values[-1]


def _certainty(daily: Floats, aversion: float) -> float:
    return DAYS * (float(daily.mean()) - 0.5 * aversion * float(daily.var()))
