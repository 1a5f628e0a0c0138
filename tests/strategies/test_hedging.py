from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sextant.model.bar import Floats
from sextant.model.view import View
from sextant.strategies.ground import Ground, ground_of
from sextant.strategies.hedging import Hedge, Priced, candidates_of, fitted, priced
from support.portfolios import (
    DAYS,
    account,
    balance,
    funded,
    market,
    normal,
    position,
    pricing,
    with_frame,
)


def series(rows: int, sigma: float, seed: int) -> dict[str, Floats]:
    bitcoin = normal(rows, sigma, seed)
    return {"BTC": bitcoin, "ETH": normal(rows, sigma, seed + 1), "X": 0.9 * bitcoin}


@pytest.fixture(scope="module")
def view() -> View:
    base = market(series(DAYS, 0.03, 1), venues=("binance", "bybit"), spot_only=("X",))
    return funded(with_frame(base, "4h", series(1_000, 0.012, 7)), 1e-4)


def ground(view: View, *balances: object, **changes: Any) -> Ground:
    told = ground_of(pricing(view, account(*balances, **changes)))  # type: ignore[arg-type]  # balances
    assert isinstance(told, Ground)
    return told


def hedge(told: Ground, name: str) -> Hedge:
    answer = fitted(told, name, candidates_of(told)[name])
    assert isinstance(answer, Hedge)
    return answer


def test_each_base_has_one_perpetual_at_a_venue_of_the_account(view: View) -> None:
    told = ground(view, balance(view, "bybit", "X", 100))
    named = candidates_of(told)
    assert list(named) == ["BTC", "ETH", "BTC+ETH"]
    used = {str(view.instruments[column].instrument) for columns in named.values() for column in columns}
    assert used == {"bybit:BTC-USDT:perpetual", "bybit:ETH-USDT:perpetual"}
    assert candidates_of(ground(view, balance(view, "kraken", "X", 100))) == {}


def test_the_ratio_is_the_beta_of_the_portfolio(view: View) -> None:
    """X is 0.9 BTC and nothing else, so 10,000 USD of it are hedged by 9,000, before the shrinkage of its correlation."""
    (leg,) = hedge(ground(view, balance(view, "binance", "X", 100)), "BTC").legs
    assert leg.full_usd == pytest.approx(9_000, rel=0.02)


def test_a_short_portfolio_is_hedged_by_buying(view: View) -> None:
    told = ground(view, balance(view, "binance", "USDT", 10_000), positions=(position(view, "BTC", -50),))
    (leg,) = hedge(told, "BTC").legs
    assert leg.full_usd == pytest.approx(-5_000, rel=0.02)
    price = priced(told, hedge(told, "BTC"), 0.0, 7 * 86_400.0)
    assert isinstance(price, Priced)
    assert price.orders[0].side == "buy"
    assert price.income_usd < 0  # who is long pays the positive rate


def test_more_of_a_hedge_leaves_less_until_the_goal(view: View) -> None:
    one = hedge(ground(view, balance(view, "binance", "X", 100)), "BTC")
    assert one.es_usd(0.0) == pytest.approx(one.now_usd)
    assert one.es_usd(0.0) > one.es_usd(0.5) > one.es_usd(1.0)
    goal = 0.7 * one.now_usd
    share = one.share_for(goal)
    assert one.es_usd(share) == pytest.approx(goal, rel=1e-9)
    assert one.share_for(-1.0) == 1.0
    assert one.share_for(2.0 * one.now_usd) == pytest.approx(0.0, abs=1e-9)


def test_a_perfect_hedge_takes_all_the_variance_out_of_sample(view: View) -> None:
    weeks = hedge(ground(view, balance(view, "binance", "X", 100)), "BTC").weeks
    assert weeks is not None
    assert weeks.mean_frac > 0.97
    useless = hedge(ground(view, balance(view, "binance", "X", 100)), "ETH").weeks
    assert useless is not None
    assert useless.mean_frac < 0.1


def test_removing_nothing_has_no_price(view: View) -> None:
    told = ground(view, balance(view, "binance", "X", 100))
    price = priced(told, hedge(told, "BTC"), 0.0, 7 * 86_400.0)
    assert isinstance(price, Priced)
    assert price.share == 1.0
    assert price.per_usd == pytest.approx(price.cost_usd / price.removed_usd)
    worse = Priced(price.hedge, 1.0, price.orders, 0.0, -1.0)
    assert np.isinf(worse.per_usd)


def test_a_hedge_under_the_least_order_is_none(view: View) -> None:
    told = ground(view, balance(view, "binance", "X", "0.1"), balance(view, "binance", "USDT", 10_000))
    lack = priced(told, hedge(told, "BTC"), 0.0, 86_400.0)
    assert lack == ("min_notional.BTC", 0.0, 1.0, "orders")
