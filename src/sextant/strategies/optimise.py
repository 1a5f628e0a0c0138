"""Weights of a portfolio by seven methods under one set of constraints; refusals are values, never guesses.

Weights are shares of equity. What a method does not place stays cash.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_args

import clarabel  # type: ignore[import-untyped]  # it has no stubs
import msgspec
import numpy as np
from scipy import sparse

from sextant.model.account import Profile
from sextant.model.bar import Floats, Integers
from sextant.strategies.rolling import compiled

Method = Literal[
    "equal_weight", "min_variance", "max_sharpe", "risk_parity", "kelly_criterion", "adaptive", "target"
]
METHODS: Final[tuple[Method, ...]] = get_args(Method)

CAP: Final = 0.25
FLOOR: Final = 0.02
SHARPE_SHARE: Final = 0.2  # of max_sharpe in adaptive
SIGMA_TARGETS: Final[Mapping[Profile, float]] = {
    "conservative": 0.25,
    "balanced": 0.40,
    "aggressive": 0.60,
    "beast_mode": 0.80,
}
"""Volatility of a year that ``adaptive`` aims at."""

_TOLERANCE: Final = 1e-10
_SUM_SLACK: Final = 1e-9
_CRUMB: Final = 1e-5  # what a solver leaves of a weight that should be 0


class Refusal(msgspec.Struct, frozen=True):
    """Why there is no answer, with the numbers behind it and what would help.

    Parameters
    ----------
    reason
        Stable word: infeasible, no_positive_excess_return, unpriced ...
    facts
        Numbers and names by field.
    words
        One sentence for the owner.
    """

    reason: str
    facts: dict[str, float | str]
    words: str


@dataclass(frozen=True, eq=False)
class Problem:
    """What every method is asked.

    Parameters
    ----------
    assets
        N codes; the order of every array.
    sigma
        float64 (N, N): covariance of a year.
    mu
        float64 (N,): expected return of a year.
    now
        float64 (N,): present weights.
    cost_frac
        float64 (N,): cost of trading, fraction of what is traded, >= 0.
    risky
        What the weights sum to: 1 less the cash target and less frozen assets.
    profile
        Decides Kelly fraction and target volatility.
    kelly_frac
        Share of the growth-optimal mix that is taken.
    rf
        Yield of cash, fraction a year.
    cap, floor
        Each weight is at most ``cap`` and either 0 or at least ``floor``.
    wanted
        float64 (N,): the caller's own weights, for ``target`` only.
    """

    assets: tuple[str, ...]
    sigma: Floats
    mu: Floats
    now: Floats
    cost_frac: Floats
    risky: float
    profile: Profile = "balanced"
    kelly_frac: float = 0.25
    rf: float = 0.0
    cap: float = CAP
    floor: float = FLOOR
    wanted: Floats | None = None

    @property
    def size(self) -> int:
        """N."""
        return len(self.assets)


@dataclass(frozen=True, eq=False)
class Mix:
    """The answer of a method.

    Parameters
    ----------
    method
        Which.
    weights
        float64 (N,); None where it was refused.
    refusal
        Why there are none.
    preview
        float64 (N,): weights under the cheapest relaxation, where constraints stand in the way.
    notes
        What the reader should know, such as a method that stood aside.
    """

    method: Method
    weights: Floats | None
    refusal: Refusal | None = None
    preview: Floats | None = None
    notes: tuple[str, ...] = field(default=())


def solve(method: Method, problem: Problem) -> Mix:
    """The weights of a method, or why there are none.

    Notes
    -----
    Constraints are checked before any arithmetic: with ``cap N < risky`` the refusal ``infeasible`` names three
    relaxations and the mix under the first of them is a preview.
    """
    bad = _unsolvable(problem)
    if bad is not None:
        return Mix(method, None, bad)
    if method == "target":
        return _target(problem)
    if method != "kelly_criterion" and problem.cap * problem.size < problem.risky - _SUM_SLACK:
        refusal = _too_few(problem)
        relaxed = replace(problem, cap=problem.risky / problem.size)
        return Mix(method, None, refusal, solve(method, relaxed).weights)
    if method == "adaptive":
        return _adaptive(problem)
    weights = _floored(problem, _SOLVERS[method])
    return Mix(method, weights) if weights is not None else Mix(method, None, _no_excess(problem))


def volatility(weights: Floats, sigma: Floats) -> float:
    """Standard deviation of a year of a mix."""
    return math.sqrt(max(float(weights @ sigma @ weights), 0.0))


def risk_shares(weights: Floats, sigma: Floats) -> Floats:
    """float64 (N,): share of each asset in the variance; they sum to 1, all 0 where there is no risk."""
    total = float(weights @ sigma @ weights)
    if total <= 0:
        return np.zeros(len(weights))
    shares: Floats = weights * (sigma @ weights) / total
    return shares


def _unsolvable(problem: Problem) -> Refusal | None:
    finite = np.isfinite(problem.sigma).all(axis=0) & np.isfinite(problem.mu) & np.isfinite(problem.cost_frac)
    if problem.size == 0:
        return Refusal("infeasible", {"constraint": "assets"}, "There is no asset to place anything in.")
    if not finite.all():
        named = ", ".join(asset for asset, good in zip(problem.assets, finite, strict=True) if not good)
        return Refusal("unpriced", {"assets": named}, f"Risk, return or cost of {named} is unknown.")
    if not -_SUM_SLACK <= problem.risky <= 1.0 + _SUM_SLACK:
        facts: dict[str, float | str] = {"constraint": "cash", "risky_frac": problem.risky}
        return Refusal("infeasible", facts, f"Weights cannot sum to {problem.risky:.3f}.")
    return None


def _too_few(problem: Problem) -> Refusal:
    reach = problem.cap * problem.size
    more = math.ceil(problem.risky / problem.cap - _SUM_SLACK) - problem.size
    return Refusal(
        "infeasible",
        {
            "constraint": "cap",
            "reach_frac": reach,
            "risky_frac": problem.risky,
            "relax_cap_frac": problem.risky / problem.size,
            "relax_cash_frac": 1.0 - reach,
            "relax_more_assets": float(more),
        },
        f"{problem.size} assets of at most {problem.cap:.2f} each reach {reach:.2f} of the {problem.risky:.2f} wanted: raise "
        f"the cap to {problem.risky / problem.size:.3f}, keep {1.0 - reach:.2f} in cash, or add {more} assets.",
    )


def _no_excess(problem: Problem) -> Refusal:
    best = int(np.argmax(problem.mu))
    asset, expected = problem.assets[best], float(problem.mu[best])
    words = (
        f"No mix within the limits is expected to earn more than cash, net of its costs; the best asset, {asset}, is "
        f"expected to earn {expected:.3f} a year."
    )
    return Refusal("no_positive_excess_return", {"asset": asset, "mu_frac": expected}, words)


def _target(problem: Problem) -> Mix:
    wanted = problem.wanted
    if wanted is None or not np.isfinite(wanted).all():
        return Mix(
            "target", None, Refusal("infeasible", {"constraint": "target"}, "No target weights are given.")
        )
    checks: tuple[tuple[str, bool, float, float], ...] = (
        ("long_only", bool((wanted < 0).any()), float(wanted.min()), 0.0),
        ("sum", float(wanted.sum()) > 1.0 + _SUM_SLACK, float(wanted.sum()), 1.0),
        ("cap", bool((wanted > problem.cap + _SUM_SLACK).any()), float(wanted.max()), problem.cap),
        (
            "floor",
            bool(((wanted > 0) & (wanted < problem.floor - _SUM_SLACK)).any()),
            float(np.where(wanted > 0, wanted, np.inf).min()),
            problem.floor,
        ),
    )
    for constraint, broken, value, limit in checks:
        if broken:
            facts: dict[str, float | str] = {
                "constraint": constraint,
                "value_frac": value,
                "limit_frac": limit,
            }
            words = f"The target breaks '{constraint}': {value:.4f} against {limit:.4f}."
            return Mix("target", None, Refusal("infeasible", facts, words))
    return Mix("target", wanted.copy())


def _adaptive(problem: Problem) -> Mix:
    """Mostly equal risk, a little of the best ratio, scaled down to the profile's volatility."""
    parity, sharpe = solve("risk_parity", problem), solve("max_sharpe", problem)
    if parity.weights is None:
        return Mix("adaptive", None, parity.refusal, parity.preview)
    weights = parity.weights
    notes: tuple[str, ...] = ()
    if sharpe.weights is not None:
        weights = (1.0 - SHARPE_SHARE) * parity.weights + SHARPE_SHARE * sharpe.weights
    elif sharpe.refusal is not None:
        notes = (f"max_sharpe stood aside: {sharpe.refusal.words}",)
    aim = SIGMA_TARGETS[problem.profile]
    sigma = volatility(weights, problem.sigma)
    scaled = weights * (min(1.0, aim / sigma) if sigma > 0 else 1.0)
    scaled[scaled < problem.floor] = 0.0  # scaling down must not leave crumbs; they stay cash
    return Mix("adaptive", scaled, notes=notes)


_Solver = Callable[[Problem, Floats], Floats | None]
"""Weights from a problem and the least of each; None where none is expected to earn more than cash."""


def _floored(problem: Problem, solver: _Solver) -> Floats | None:
    """The weights of a solver, with assets under the floor dropped one by one, the smallest first.

    Notes
    -----
    Where dropping one would leave too little room under the caps, it is held at the floor instead.
    """
    kept = np.arange(problem.size)
    held = np.zeros(problem.size, dtype=np.bool_)
    while True:
        weights = np.zeros(problem.size)
        if not len(kept):
            return weights
        part = _subset(problem, kept)
        solved = solver(part, np.where(held[kept], problem.floor, 0.0))
        if solved is None:
            return None
        weights[kept] = solved
        weights[weights < _TOLERANCE] = 0.0
        small = (weights > 0) & (weights < problem.floor - 1e-7)
        if not small.any():
            return weights
        crumbs = small & (weights < _CRUMB)
        if not crumbs.any():
            crumbs = np.arange(problem.size) == int(np.argmin(np.where(small, weights, np.inf)))
        if problem.cap * (len(kept) - int(crumbs.sum())) < problem.risky - _SUM_SLACK:
            held |= crumbs
        else:
            kept = kept[~crumbs[kept]]


def _subset(problem: Problem, kept: Integers) -> Problem:
    if len(kept) == problem.size:
        return problem
    return replace(
        problem,
        assets=tuple(problem.assets[i] for i in kept),
        sigma=problem.sigma[np.ix_(kept, kept)],
        mu=problem.mu[kept],
        now=problem.now[kept],
        cost_frac=problem.cost_frac[kept],
    )


def _equal_weight(problem: Problem, least: Floats) -> Floats:
    weights: Floats = np.maximum(problem.risky / problem.size, least)
    return weights


def _min_variance(problem: Problem, least: Floats) -> Floats:
    return _quadratic(problem, least, (2.0 * problem.sigma, np.zeros(problem.size)), whole=True)


def _kelly(problem: Problem, least: Floats) -> Floats:
    loss = (problem.sigma / problem.kelly_frac, problem.rf - problem.mu)
    return _quadratic(problem, least, loss, whole=False)


def _max_sharpe(problem: Problem, least: Floats) -> Floats | None:
    """The best ratio of expected return, net of turnover and of the yield of cash, to volatility.

    Notes
    -----
    With ``y = k w`` and k such that ``y`` earns 1 the ratio is best where ``y'Sigma y`` is least, so one quadratic program
    answers; where none of its points can earn anything it has none.

    References
    ----------
    Cornuejols, Tutuncu 2006, Optimization Methods in Finance, section 8.2.
    """
    size, (rows, limits) = problem.size, _constraints(problem, least)
    earned = np.concatenate((problem.mu - problem.rf, -problem.cost_frac, [0.0]))
    scale = max(float(np.abs(earned).max()), _TOLERANCE)
    solved = _clarabel(
        _of_w(problem.sigma, 2 * size + 1),
        np.zeros(2 * size + 1),
        np.vstack((earned / scale, np.hstack((rows, -limits[:, None])))),
        np.concatenate(([1.0], np.zeros(len(limits)))),
        (clarabel.ZeroConeT(2), clarabel.NonnegativeConeT(4 * size)),
    )
    if solved is None or solved[-1] <= 0:
        return None
    return _summed(np.clip(solved[:size] / solved[-1], least, problem.cap), problem, least)


def _risk_parity(problem: Problem, least: Floats) -> Floats:
    out = np.empty(problem.size)
    _parity(np.ascontiguousarray(problem.sigma), problem.risky, problem.cap, least, out)
    return out


@compiled
def _parity(sigma: Floats, risky: float, cap: float, least: Floats, out: Floats) -> None:
    # Cyclical coordinate descent towards equal w_i (Sigma w)_i; the outer bisection finds the common
    # contribution k/N at which the weights sum to what is wanted. The sum rises with k.
    size = sigma.shape[0]
    low, high = 0.0, 0.0
    for i in range(size):
        high = max(high, sigma[i, i])
    high = high * size * 4.0
    for i in range(size):
        out[i] = risky / size
    for _ in range(200):
        k = 0.5 * (low + high)
        for _sweep in range(5000):
            moved = 0.0
            for i in range(size):
                b = 0.0
                for j in range(size):
                    if j != i:
                        b += sigma[i, j] * out[j]
                x = (-b + np.sqrt(b * b + 4.0 * k * sigma[i, i] / size)) / (2.0 * sigma[i, i])
                x = min(max(x, least[i]), cap)
                moved = max(moved, abs(x - out[i]))
                out[i] = x
            if moved < 1e-13:
                break
        total = out.sum()
        if abs(total - risky) < 1e-12:
            break
        if total > risky:
            high = k
        else:
            low = k


def _quadratic(problem: Problem, least: Floats, loss: tuple[Floats, Floats], *, whole: bool) -> Floats:
    """float64 (N,): the w that minimises ``w'Pw/2 + q'w + cost'|w - now|``, with ``loss`` = (P, q).

    Parameters
    ----------
    whole
        Whether the weights sum to ``risky`` or to at most that.
    """
    (p, q), size = loss, problem.size
    rows, limits = _constraints(problem, least)
    first = clarabel.ZeroConeT(1) if whole else clarabel.NonnegativeConeT(1)
    solved = _clarabel(
        _of_w(p, 2 * size),
        np.concatenate((q, problem.cost_frac)),
        rows,
        limits,
        (first, clarabel.NonnegativeConeT(4 * size)),
    )
    assert solved is not None  # noqa: S101  # the weights held at their least are within the limits
    weights = np.clip(solved[:size], least, problem.cap)
    return _summed(weights, problem, least) if whole else weights


def _constraints(problem: Problem, least: Floats) -> tuple[Floats, Floats]:
    """A, float64 (1 + 4N, 2N), and b: the sum first, then w <= cap, w >= least, u >= w - now, u >= now - w.

    Notes
    -----
    Variables are w and u; u makes the cost of turnover linear.
    """
    one, nothing = np.eye(problem.size), np.zeros((problem.size, problem.size))
    total = np.concatenate((np.ones(problem.size), np.zeros(problem.size)))
    rows = np.vstack((total, np.block([[one, nothing], [-one, nothing], [one, -one], [-one, -one]])))
    cap = np.full(problem.size, problem.cap)
    return rows, np.concatenate(([problem.risky], cap, -least, problem.now, -problem.now))


def _of_w(p: Floats, size: int) -> Floats:
    """P of w alone among ``size`` variables, of which w are the first; its upper triangle."""
    out = np.zeros((size, size))
    out[: len(p), : len(p)] = np.triu(p)
    return out


def _clarabel(p: Floats, q: Floats, a: Floats, b: Floats, cones: Sequence[Any]) -> Floats | None:
    """The x that minimises ``x'Px/2 + q'x`` with ``b - Ax`` in the cones; None where no x is there.

    References
    ----------
    Goulart, Chen 2024, Clarabel: an interior-point solver for conic programs with quadratic objectives.
    """
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = _TOLERANCE
    quadratic, rows = sparse.csc_matrix(p), sparse.csc_matrix(a)
    found = clarabel.DefaultSolver(quadratic, q, rows, b, list(cones), settings).solve()
    return None if found.status == clarabel.SolverStatus.PrimalInfeasible else np.array(found.x)


def _summed(weights: Floats, problem: Problem, least: Floats) -> Floats:
    """The weights with the solver's last digit moved to where there is room, so that they sum exactly."""
    gap = problem.risky - float(weights.sum())
    room = problem.cap - weights if gap > 0 else weights - least
    total = float(room.sum())
    return weights + gap * room / total if total > 0 else weights


_SOLVERS: Final[Mapping[Method, _Solver]] = {
    "equal_weight": _equal_weight,
    "min_variance": _min_variance,
    "max_sharpe": _max_sharpe,
    "risk_parity": _risk_parity,
    "kelly_criterion": _kelly,
}
