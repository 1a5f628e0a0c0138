"""Expected orders are worked by hand, or found by trying every combination of lots."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sextant.errors import InputError
from sextant.strategies.rebalance import (
    ORDER_FRAC,
    Place,
    Plan,
    Task,
    Wishes,
    inputs_hash,
    make_plan,
)
from support.views import spec

EQUITY = 100_000.0


def place(asset: str, price: float = 100.0, held: str = "0", **changes: Any) -> Place:
    """A place where one lot is 0.001 of an asset at a spread of nothing."""
    venue = changes.pop("venue", "binance")
    lot = Decimal(changes.pop("lot", "0.001"))
    rules = msgspec.structs.replace(spec(asset, venue=venue), lot=lot, tick=Decimal("0.01"))
    facts: dict[str, Any] = {
        "asset": asset,
        "spec": rules,
        "bid": price,
        "ask": price,
        "usd": 1.0,
        "free": Decimal(held),
        "cost_frac": 0.001,
    }
    return Place(**facts | changes)


def task(now: list[float], target: list[float], places: list[Place], **changes: Any) -> Task:
    facts: dict[str, Any] = {
        "assets": tuple(dict.fromkeys(p.asset for p in places)),
        "now": np.array(now),
        "target": np.array(target),
        "places": tuple(places),
        "cash_usd": {"binance": EQUITY * (1 - sum(now))},
        "equity_usd": EQUITY,
    }
    return Task(**facts | changes)


def told(plan: Plan) -> list[tuple[str, str, float]]:
    return [(line.place.asset, line.side, round(line.notional_usd, 2)) for line in plan.lines]


def test_weights_go_to_the_nearest_edge_of_their_bands() -> None:
    """strategies.md 3.14: 0.70/0.20/0.10 with targets 0.45/0.45/0.10 sells 20 % and buys 20 %, up to costs."""
    plan = make_plan(task([0.7, 0.2], [0.45, 0.45], [place("BTC", held="700"), place("ETH", held="200")]))
    (_, first, sold), (_, second, bought) = told(plan)
    assert (first, second) == ("sell", "buy")
    assert sold == pytest.approx(20_000, abs=1)
    assert bought == pytest.approx(20_000, abs=1)
    np.testing.assert_allclose(plan.after, [0.5, 0.4], atol=1e-5)
    assert plan.refusals == ()
    assert plan.cost_usd == pytest.approx(40.0, abs=0.1)
    assert [line.priority for line in plan.lines] == ["high", "high"]
    assert "0.700 of equity, its band 0.400..0.500" in plan.lines[0].reason


def test_inside_all_bands_there_are_no_orders_and_a_reason() -> None:
    plan = make_plan(task([0.46, 0.44], [0.45, 0.45], [place("BTC", held="460"), place("ETH", held="440")]))
    assert plan.lines == ()
    assert plan.refusals[0].reason == "no_orders_needed"
    assert plan.refusals[0].facts == {"drift_frac": pytest.approx(0.01), "band_frac": pytest.approx(0.05)}


def test_a_small_target_has_a_narrow_band() -> None:
    bands = task([0.1, 0.0], [0.04, 0.01], [place("BTC"), place("ETH")]).bands
    np.testing.assert_allclose(bands, [0.02, 0.01])


def test_cash_outside_its_band_moves_assets_that_are_inside_theirs() -> None:
    """Weights 0.41 of 0.45 are inside; cash 0.18 of 0.10 is 0.03 beyond its band of 0.05: the cheaper asset takes it."""
    places = [place("BTC", cost_frac=0.002), place("ETH", cost_frac=0.001)]
    plan = make_plan(task([0.41, 0.41], [0.45, 0.45], places))
    ((asset, side, usd),) = told(plan)
    assert (asset, side) == ("ETH", "buy")
    assert usd == pytest.approx(3_000, rel=0.002)
    assert "to bring cash into its band" in plan.lines[0].reason


def test_an_order_goes_where_it_is_cheapest_and_sells_where_the_balance_lies() -> None:
    places = [
        place("BTC", held="10", cost_frac=0.004, venue="kraken"),
        place("BTC", held="690", cost_frac=0.001),
    ]
    plan = make_plan(task([0.7], [0.5], places))
    assert [(line.place.spec.instrument.venue, line.side) for line in plan.lines] == [("binance", "sell")]
    only = [place("BTC", held="690", cost_frac=0.004, venue="kraken"), place("BTC", held="0")]
    plan = make_plan(task([0.7], [0.5], only))
    assert [line.place.spec.instrument.venue for line in plan.lines] == ["kraken"]


def test_buys_are_paid_at_their_own_venue() -> None:
    """Cash lies at Kraken only, where ETH is not traded: nothing can be bought with it, and that is said."""
    plan = make_plan(task([0.0], [0.5], [place("ETH")], cash_usd={"kraken": EQUITY}))
    assert plan.lines == ()
    assert plan.refusals[0].reason == "infeasible"
    assert plan.refusals[0].facts["asset"] == "ETH"


def test_an_asset_that_trades_nowhere_is_named() -> None:
    plan = make_plan(
        task([0.4, 0.4], [0.4, 0.1], [place("BTC", held="400")], assets=("BTC", "XYZ"), cash_usd={})
    )
    assert [refusal.reason for refusal in plan.refusals] == ["no_instrument"]
    assert plan.refusals[0].facts == {"asset": "XYZ"}


def test_dust_cannot_be_sold_and_the_refusal_says_how_much_there_is() -> None:
    """An account of 100 USD holds 4 USD of X, wanted 0: an order needs 10."""
    plan = make_plan(
        task([0.04, 0.5], [0.0, 0.5], [place("X", held="0.04"), place("BTC", held="0.5")], equity_usd=100.0)
    )
    assert plan.lines == ()
    refusal = plan.refusals[0]
    assert (refusal.reason, refusal.facts["asset"]) == ("below_min_notional", "X")
    assert refusal.facts["have_usd"] == pytest.approx(4.0)
    assert refusal.facts["need_usd"] == 10.0


def test_nothing_is_sold_where_only_buys_are_wanted() -> None:
    places = [place("BTC", held="700"), place("ETH", held="200")]
    plan = make_plan(task([0.7, 0.2], [0.45, 0.45], places, wishes=Wishes(buy_only=True)))
    assert {line.side for line in plan.lines} == {"buy"}
    assert any(refusal.facts.get("asset") == "BTC" for refusal in plan.refusals)


def test_there_are_never_more_orders_than_wanted() -> None:
    places = [place(name, held="200") for name in ("A", "B", "C", "D", "E")]
    plan = make_plan(task([0.2] * 5, [0.3, 0.3, 0.3, 0.05, 0.05], places, wishes=Wishes(max_trades=2)))
    assert len(plan.lines) <= 2
    assert plan.refusals


def test_a_share_that_must_not_move_does_not() -> None:
    places = [place("BTC", held="700"), place("ETH", held="200")]
    plan = make_plan(task([0.7, 0.2], [0.7, 0.2], places))
    assert plan.lines == ()


def test_equal_inputs_have_equal_hashes_and_equal_plans() -> None:
    one, other = (
        task([0.7, 0.2], [0.45, 0.45], [place("BTC", held="700"), place("ETH", held="200")]) for _ in range(2)
    )
    assert inputs_hash(one) == inputs_hash(other)
    assert make_plan(one).lines == make_plan(other).lines
    dearer = dataclasses.replace(one, equity_usd=EQUITY + 1)
    assert inputs_hash(dearer) != inputs_hash(one)


def test_out_of_time_a_simple_rule_plans_and_says_so() -> None:
    places = [place("BTC", held="700"), place("ETH", held="200")]
    plan = make_plan(task([0.7, 0.2], [0.45, 0.45], places), limit_s=0.0)
    assert plan.greedy
    np.testing.assert_allclose(plan.after, [0.5, 0.4], atol=1e-4)


@pytest.mark.parametrize("broken", [{"now": np.array([np.nan])}, {"equity_usd": 0.0}])
def test_unknown_weights_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="known weights"):
        make_plan(dataclasses.replace(task([0.5], [0.2], [place("BTC")], cash_usd={}), **broken))


@pytest.mark.parametrize("broken", [{"price": math.nan}, {"price": 0.0}, {"cost_frac": -1.0}, {"held": "-1"}])
def test_a_place_without_a_price_cannot_exist(broken: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        place("BTC", **broken)


# ---- against every combination -------------------------------------------------------------------


def _by_trying(asked: Task) -> float:
    """Least cost, as a share of equity, over all whole lots of 2,000 USD at each place."""
    cash_target = 1.0 - asked.target.sum()
    cash_band = max(0.01, min(asked.wishes.band_frac, 0.5 * cash_target))
    axes = [np.arange(-int(p.free), 48) for p in asked.places]
    lots = np.stack([grid.ravel() for grid in np.meshgrid(*axes)], axis=1)
    change = lots * 2_000.0 / asked.equity_usd
    paid = np.abs(change) @ np.array([p.cost_frac for p in asked.places])
    drift = np.abs(asked.now + change - asked.target)
    cash = 1.0 - asked.now.sum() - change.sum(axis=1) - paid
    good = (drift <= asked.bands + 1e-9).all(axis=1) & (cash >= -1e-9)
    good &= np.abs(cash - cash_target) <= cash_band + 1e-9
    total = paid + ORDER_FRAC * (lots != 0).sum(axis=1)
    return float(total[good].min(initial=math.inf))


@pytest.mark.parametrize("seed", range(8))
def test_it_finds_what_trying_every_combination_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lots = rng.integers(1, 16, 3)
    now = lots * 0.02
    target = rng.dirichlet(np.ones(3)) * 0.9
    places = [
        place(name, price=2_000.0, held=str(held), lot="1", cost_frac=float(cost))
        for name, held, cost in zip("ABC", lots, rng.uniform(0.0005, 0.003, 3), strict=True)
    ]
    asked = task(now.tolist(), target.tolist(), places)
    plan = make_plan(asked)
    expected = _by_trying(asked)
    if math.isinf(expected):
        assert plan.refusals
    else:
        mine = plan.cost_usd / EQUITY + ORDER_FRAC * len(plan.lines)
        assert mine == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 100_000),
    size=st.integers(1, 5),
    equity=st.sampled_from([50.0, 1_000.0, 250_000.0]),
)
def test_no_line_is_nothing_and_every_weight_is_in_its_band_or_named(
    seed: int, size: int, equity: float
) -> None:
    rng = np.random.default_rng(seed)
    names = [f"A{i}" for i in range(size)]
    now, target = rng.dirichlet(np.ones(size + 1))[:size], rng.dirichlet(np.ones(size + 1))[:size]
    prices = rng.choice([0.0001, 1.0, 60_000.0], size)
    places = [
        place(
            name,
            price=float(price),
            held=str(Decimal(float(weight * equity / price)).quantize(Decimal("1e-9"))),
            lot="0.000001",
        )
        for name, price, weight in zip(names, prices, now, strict=True)
    ]
    asked = task(
        now.tolist(),
        target.tolist(),
        places,
        equity_usd=equity,
        cash_usd={"binance": equity * (1 - now.sum())},
    )
    plan = make_plan(asked)
    assert plan.lines or plan.refusals
    for line in plan.lines:
        assert line.quantity > 0
        assert line.quantity % line.place.spec.lot == 0
        assert line.notional_usd >= 10.0 - 1e-9
        assert line.side == "buy" or line.quantity <= line.place.free
    named = {refusal.facts.get("asset") for refusal in plan.refusals}
    for i, name in enumerate(names):
        assert abs(plan.after[i] - target[i]) <= asked.bands[i] + 1e-6 or name in named
    spent = sum(x.notional_usd * (1 if x.side == "buy" else -1) + x.cost_usd for x in plan.lines)
    assert spent <= equity * (1 - now.sum()) + 1e-6
