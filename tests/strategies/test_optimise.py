"""Expected weights come from strategies.md 5.2, from closed forms, and from scipy's general optimiser."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from sextant.model.bar import Floats
from sextant.strategies.optimise import (
    METHODS,
    Method,
    Problem,
    risk_shares,
    solve,
    volatility,
)

OPEN: tuple[Method, ...] = ("equal_weight", "min_variance", "max_sharpe", "risk_parity")
SUMMING = OPEN


def _problem(vols: list[float], correlation: Floats | float, **changes: Any) -> Problem:
    size = len(vols)
    joint = np.full((size, size), correlation) if isinstance(correlation, float) else correlation.copy()
    np.fill_diagonal(joint, 1.0)
    facts: dict[str, Any] = {
        "assets": tuple(f"A{i}" for i in range(size)),
        "sigma": np.outer(vols, vols) * joint,
        "mu": np.full(size, 0.2),
        "now": np.full(size, 1.0 / size),
        "cost_frac": np.zeros(size),
        "risky": 1.0,
        "cap": 1.0,
        "floor": 0.0,
    }
    return Problem(**facts | changes)


def _weights(method: Method, problem: Problem) -> Floats:
    mix = solve(method, problem)
    assert mix.weights is not None, mix.refusal
    return mix.weights


def _random(seed: int, size: int, **changes: Any) -> Problem:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.04, (200, size)) + rng.normal(0, 0.03, (200, 1))
    sigma = 365 * np.cov((x * rng.uniform(0.5, 2, size)).T)
    now = rng.dirichlet(np.ones(size))
    facts: dict[str, Any] = {"sigma": np.atleast_2d(sigma), "mu": rng.normal(0.2, 0.3, size), "now": now}
    return _problem([1.0] * size, 0.0, **facts | changes)


def _general(problem: Problem, loss: Any, *, whole: bool) -> Floats:
    """The same by sequential quadratic programming; |x| is smooth enough away from 0."""
    kind = "eq" if whole else "ineq"
    rules = {"type": kind, "fun": lambda w: problem.risky - w.sum()}
    best = min(
        (
            minimize(
                loss,
                start * problem.risky,
                bounds=[(0, problem.cap)] * problem.size,
                constraints=rules,
                method="SLSQP",
                options={"ftol": 1e-14, "maxiter": 1000},
            )
            for start in np.random.default_rng(1).dirichlet(np.ones(problem.size), 5)
        ),
        key=lambda found: float(found.fun),
    )
    return np.asarray(best.x)


@pytest.mark.parametrize(
    ("correlation", "expected"),
    [
        (np.full((3, 3), 0.5), [0.5455, 0.2727, 0.1818]),
        (np.array([[1, 0.8, 0.1], [0.8, 1, 0.1], [0.1, 0.1, 1]]), [0.5179, 0.2590, 0.2231]),
    ],
)
def test_equal_risk_has_the_weights_of_the_page(correlation: Floats, expected: list[float]) -> None:
    weights = _weights("risk_parity", _problem([0.2, 0.4, 0.6], correlation))
    np.testing.assert_allclose(weights, expected, atol=6e-5)


def test_least_variance_of_uncorrelated_assets_is_one_over_variance() -> None:
    """1/0.04, 1/0.16, 1/0.36 = 25, 6.25, 2.7778 of 34.0278."""
    weights = _weights("min_variance", _problem([0.2, 0.4, 0.6], 0.0))
    np.testing.assert_allclose(weights, np.array([25, 6.25, 1 / 0.36]) / 34.02778, atol=1e-6)


def test_the_best_ratio_of_uncorrelated_assets_is_excess_over_variance() -> None:
    """0.1/0.04, 0.2/0.16, 0.3/0.36 = 2.5, 1.25, 0.8333 of 4.5833, with cash at 0.02 less."""
    problem = _problem([0.2, 0.4, 0.6], 0.0, mu=np.array([0.12, 0.22, 0.32]), rf=0.02)
    np.testing.assert_allclose(
        _weights("max_sharpe", problem), np.array([2.5, 1.25, 1.0 / 1.2]) / (55.0 / 12.0), atol=1e-7
    )


def test_growth_of_uncorrelated_assets_is_kappa_excess_over_variance_and_the_rest_stays_cash() -> None:
    """0.25 x (0.1/0.36, 0.2/0.64) = 0.0694, 0.0781."""
    problem = _problem([0.6, 0.8], 0.0, mu=np.array([0.1, 0.2]), kelly_frac=0.25)
    np.testing.assert_allclose(_weights("kelly_criterion", problem), [0.069444, 0.078125], atol=1e-6)


def test_growth_wants_nothing_of_what_loses() -> None:
    problem = _problem([0.6, 0.8], 0.0, mu=np.array([-0.1, -0.2]))
    assert _weights("kelly_criterion", problem).sum() == 0


@pytest.mark.parametrize("seed", range(4))
def test_quadratic_methods_equal_a_general_optimiser(seed: int) -> None:
    problem = _random(seed, 5, cap=0.4, risky=0.9)
    least = _weights("min_variance", problem)
    other = _general(problem, lambda w: w @ problem.sigma @ w, whole=True)
    assert least @ problem.sigma @ least == pytest.approx(other @ problem.sigma @ other, rel=1e-6)
    np.testing.assert_allclose(least, other, atol=2e-3)

    def growth(w: Floats) -> float:
        return float(2.0 * w @ problem.sigma @ w - problem.mu @ w)

    kelly = _weights("kelly_criterion", problem)
    assert growth(kelly) == pytest.approx(growth(_general(problem, growth, whole=False)), abs=1e-7)

    def ratio(w: Floats) -> float:
        return -float(problem.mu @ w) / volatility(w, problem.sigma)

    best = _general(problem, ratio, whole=True)
    assert ratio(_weights("max_sharpe", problem)) == pytest.approx(ratio(best), rel=1e-7)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(3, 9), cost=st.sampled_from((0.0, 0.01, 0.2)))
def test_no_mix_on_the_path_of_prices_of_variance_has_a_better_ratio(
    seed: int, size: int, cost: float
) -> None:
    """With the excess e and the cost c of turnover: w(price) maximises e'w - c'|w - now| - price w'Sw/2."""
    problem = _random(seed, size, cap=0.5, risky=0.9, cost_frac=np.full(size, cost))

    def ratio(w: Floats) -> float:
        earned = float(problem.mu @ w - problem.cost_frac @ np.abs(w - problem.now))
        return earned / volatility(w, problem.sigma)

    # Growth with a share of the growth-optimal mix is that path: its price of variance is one over the share.
    shares = np.geomspace(1e-3, 30.0, 25)
    path = [
        _weights("kelly_criterion", dataclasses.replace(problem, kelly_frac=float(share))) for share in shares
    ]
    whole = [w for w in path if w.sum() == pytest.approx(0.9, abs=1e-6)]
    best = solve("max_sharpe", problem).weights
    if best is None:
        assert all(ratio(w) <= 1e-7 for w in whole)
    else:
        assert all(ratio(w) <= ratio(best) + 1e-6 for w in whole)


def test_a_turnover_that_costs_more_than_all_assets_promise_is_refused() -> None:
    problem = _problem([0.4, 0.4], 0.0, now=np.zeros(2), mu=np.full(2, 0.01), cost_frac=np.full(2, 0.02))
    refusal = solve("max_sharpe", problem).refusal
    assert refusal is not None
    assert refusal.reason == "no_positive_excess_return"
    assert "net of its costs" in refusal.words


def test_turnover_is_paid_for() -> None:
    """Variance x'Sx = 0.16 (w1^2 + w2^2) with w1 + w2 = 1 pulls from 0.7/0.3 with slope 0.16 x 2 x (w1 - w2) against two
    costs: it stops where 0.32 (w1 - w2) = 2 c, so for c = 0.04 at w1 - w2 = 0.25."""
    problem = _problem([0.4, 0.4], 0.0, now=np.array([0.7, 0.3]), cost_frac=np.full(2, 0.04))
    np.testing.assert_allclose(_weights("min_variance", problem), [0.625, 0.375], atol=1e-6)
    dear = dataclasses.replace(problem, cost_frac=np.full(2, 0.2))
    np.testing.assert_allclose(_weights("min_variance", dear), [0.7, 0.3], atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(4, 9))
def test_every_method_keeps_its_bounds(seed: int, size: int) -> None:
    problem = _random(seed, size, cap=0.3, floor=0.02, risky=0.9)
    for method in METHODS[:-1]:
        mix = solve(method, problem)
        if mix.weights is None:
            assert mix.refusal is not None
            assert mix.refusal.reason == "no_positive_excess_return"
            continue
        w = mix.weights
        assert w.min() >= 0
        assert w.max() <= 0.3 + 1e-9
        assert w[w > 0].min(initial=1.0) >= 0.02 - 1e-6
        assert w.sum() <= 0.9 + 1e-6
        if method in SUMMING:
            assert w.sum() == pytest.approx(0.9, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_feasible_mix_varies_less_and_equal_risk_is_equal(seed: int) -> None:
    problem = _random(seed, 5)
    least = volatility(_weights("min_variance", problem), problem.sigma)
    for w in np.random.default_rng(seed).dirichlet(np.ones(5), 50):
        assert least <= volatility(w, problem.sigma) + 1e-9
    shares = risk_shares(_weights("risk_parity", problem), problem.sigma)
    np.testing.assert_allclose(shares, 0.2, atol=1e-6)


@pytest.mark.parametrize("method", METHODS[:-1])
def test_the_order_of_assets_does_not_matter(method: Method) -> None:
    problem = _random(11, 5, cap=0.4, floor=0.02)
    order = np.array([3, 0, 4, 1, 2])
    moved = dataclasses.replace(
        problem,
        assets=tuple(problem.assets[i] for i in order),
        sigma=problem.sigma[np.ix_(order, order)],
        mu=problem.mu[order],
        now=problem.now[order],
    )
    np.testing.assert_allclose(_weights(method, moved), _weights(method, problem)[order], atol=2e-4)


def test_a_cap_that_cannot_be_met_is_refused_with_three_ways_out_and_a_preview() -> None:
    problem = _problem([0.4, 0.6], 0.3, cap=0.25, risky=0.9)
    mix = solve("risk_parity", problem)
    assert mix.weights is None
    assert mix.refusal is not None
    assert mix.refusal.reason == "infeasible"
    facts = mix.refusal.facts
    assert facts["relax_cap_frac"] == pytest.approx(0.45)
    assert facts["relax_cash_frac"] == pytest.approx(0.5)
    assert facts["relax_more_assets"] == 2
    assert mix.preview is not None
    np.testing.assert_allclose(mix.preview, [0.45, 0.45], atol=1e-6)


def test_nothing_that_earns_more_than_cash_is_a_refusal_and_adaptive_goes_on_without() -> None:
    problem = _problem([0.2, 0.4, 0.6], 0.5, mu=np.array([-0.1, -0.2, 0.0]))
    mix = solve("max_sharpe", problem)
    assert mix.refusal is not None
    assert mix.refusal.reason == "no_positive_excess_return"
    adaptive = solve("adaptive", problem)
    assert adaptive.weights is not None
    assert "max_sharpe stood aside" in adaptive.notes[0]
    np.testing.assert_allclose(adaptive.weights, [0.5455, 0.2727, 0.1818], atol=6e-5)


def test_adaptive_is_scaled_to_the_profile() -> None:
    problem = _problem([1.0, 1.0], 0.5, mu=np.array([-0.1, -0.2]), profile="conservative")
    weights = _weights("adaptive", problem)
    assert volatility(weights, problem.sigma) == pytest.approx(0.25)
    assert weights.sum() == pytest.approx(0.25 / np.sqrt(0.75))


@pytest.mark.parametrize("field", ["sigma", "mu", "cost_frac"])
def test_a_number_that_is_missing_is_refused_by_name(field: str) -> None:
    problem = _random(1, 4)
    broken = getattr(problem, field).copy()
    broken[..., 2] = np.nan
    for method in METHODS:
        mix = solve(method, dataclasses.replace(problem, **{field: broken}))
        assert mix.weights is None
        assert mix.refusal is not None
        assert mix.refusal.reason == "unpriced"
        assert "A2" in str(mix.refusal.facts["assets"])


@pytest.mark.parametrize("method", OPEN)
def test_one_asset_is_the_whole_of_the_risky_share(method: Method) -> None:
    np.testing.assert_allclose(_weights(method, _problem([0.5], 1.0, risky=0.8)), [0.8], atol=1e-9)


def test_no_asset_at_all_is_refused() -> None:
    nothing = np.empty(0)
    problem = Problem((), np.empty((0, 0)), nothing, nothing, nothing, 0.9)
    mix = solve("equal_weight", problem)
    assert mix.refusal is not None
    assert mix.refusal.facts["constraint"] == "assets"


@pytest.mark.parametrize(
    ("wanted", "constraint"),
    [
        ([0.5, 0.3, 0.1], None),
        ([0.0, 0.02, 0.5], None),
        ([0.6, 0.2, 0.1], "cap"),
        ([0.5, 0.01, 0.1], "floor"),
        ([0.5, 0.5, 0.4], "sum"),
        ([-0.1, 0.5, 0.4], "long_only"),
    ],
)
def test_a_callers_own_weights_are_checked(wanted: list[float], constraint: str | None) -> None:
    problem = _problem([0.4] * 3, 0.2, cap=0.5, floor=0.02, wanted=np.array(wanted))
    mix = solve("target", problem)
    if constraint is None:
        assert mix.weights is not None
        assert mix.weights.tolist() == wanted
    else:
        assert mix.refusal is not None
        assert mix.refusal.facts["constraint"] == constraint


def test_crumbs_are_dropped_and_the_rest_is_solved_again() -> None:
    problem = _problem([0.2, 0.2, 2.0], 0.0, floor=0.02)
    weights = _weights("min_variance", problem)
    assert weights[2] == 0
    np.testing.assert_allclose(weights[:2], [0.5, 0.5], atol=1e-6)


def test_where_dropping_would_break_the_cap_an_asset_is_held_at_the_floor() -> None:
    problem = _problem([0.2, 0.2, 0.2, 5.0], 0.0, cap=0.33, floor=0.02)
    np.testing.assert_allclose(
        _weights("min_variance", problem), [0.98 / 3, 0.98 / 3, 0.98 / 3, 0.02], atol=1e-6
    )
