"""The checks one by one; through a scan they are tested with the strategy that uses them."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from sextant.model.view import View
from sextant.strategies.checks import Check, Fix, checks_of, es_after
from sextant.strategies.ground import Ground, ground_of
from support.portfolios import DAYS, account, balance, market, normal, position, pricing

LIMITS = {
    "one_asset": 0.40,
    "one_venue": 0.70,
    "one_stablecoin": 0.80,
    "stablecoin_price": 50.0,
    "gross_exposure": 3.0,
    "liquidation_distance": 4.0,
    "days_to_exit": 2.0,
    "correlated": 0.80,
}


@pytest.fixture(scope="module")
def view() -> View:
    return market({name: normal(DAYS, 0.02, seed) for seed, name in enumerate(("BTC", "ETH"))})


def checks(view: View, *balances: object, **changes: object) -> tuple[Ground, dict[str, Check]]:
    ground = ground_of(pricing(view, account(*balances, **changes)))  # type: ignore[arg-type]  # balances
    assert isinstance(ground, Ground)
    return ground, {check.title: check for check in checks_of(ground, LIMITS)}


def test_a_value_that_falls_is_a_breach_below_its_limit() -> None:
    check = Check("x", "y", 2.0, 4.0, "sigma", "z", lambda _: Fix(), falls=True)
    assert check.breach == 2.0
    assert Check("x", "y", 0.0, 4.0, "sigma", "z", lambda _: Fix(), falls=True).breach == math.inf
    assert Check("x", "y", math.inf, 4.0, "sigma", "z", lambda _: Fix(), falls=True).breach == 0.0


def test_without_positions_no_liquidation_is_near(view: View) -> None:
    _, told = checks(view, balance(view, "binance", "BTC", 10))
    assert told["liquidation_distance"].breach == 0.0
    assert told["stablecoin_price"].breach == 0.0


def test_the_distance_to_a_liquidation_is_in_daily_volatilities(view: View) -> None:
    held = position(view, "BTC", -10, liquidation_price=Decimal(110))
    ground, told = checks(view, balance(view, "binance", "USDT", 10_000), positions=(held,))
    assert told["liquidation_distance"].value == pytest.approx(0.10 / ground.sigma_day("BTC"))


def test_without_cash_elsewhere_a_position_in_danger_is_made_smaller(view: View) -> None:
    held = position(view, "BTC", 100, liquidation_price=Decimal(96))
    ground, told = checks(view, balance(view, "binance", "USDT", 10_000), positions=(held,))
    check = told["liquidation_distance"]
    fix = check.fix(1.0)
    (order,) = fix.orders
    assert (order.side, order.reduce_only) == ("sell", True)
    assert order.notional_usd == pytest.approx(10_000 * (1 - check.value / 4.0), abs=0.11)
    assert es_after(ground, fix.orders) < ground.es_usd


def test_where_no_asset_alone_is_enough_the_riskiest_goes_first(view: View) -> None:
    """Two levered positions: neither alone can bring the loss under the budget of 500 USD."""
    ground, told = checks(
        view,
        balance(view, "binance", "USDT", 10_000),
        positions=(position(view, "BTC", 300), position(view, "ETH", 300)),
    )
    fix = told["shortfall"].fix(0.95)
    assert len(fix.orders) == 2
    assert es_after(ground, fix.orders) <= 0.95 * ground.budget_usd


def test_nothing_free_is_said(view: View) -> None:
    locked = balance(view, "binance", "BTC", 100, free=Decimal(0))
    _, told = checks(view, locked)
    assert told["one_asset"].fix(0.95).lacking == "no free BTC can be sold in an order of that size"
    assert told["one_venue"].fix(0.95).lacking == "no account at a second venue"
    _, told = checks(view, locked, free_usd={"binance": 0.0, "kraken": 0.0})
    assert told["one_venue"].fix(0.95).lacking == "nothing at binance is free to be moved"


def test_a_coin_is_moved_where_there_is_no_cash(view: View) -> None:
    _, told = checks(view, balance(view, "binance", "BTC", 100), free_usd={"kraken": 0.0})
    move = told["one_venue"].fix(0.95).transfer
    assert move is not None
    assert (move.asset, move.to_venue) == ("BTC", "kraken")
    assert move.value_usd == pytest.approx(10_000 * (1 - 0.95 * 0.70))
    assert float(move.quantity) == pytest.approx(33.5)


def test_another_stablecoin_is_needed_to_split_one(view: View) -> None:
    _, told = checks(view, balance(view, "binance", "USDT", 10_000))
    assert told["one_stablecoin"].breach == pytest.approx(1.25)
    assert told["one_stablecoin"].fix(0.95).lacking.startswith("no instrument trades USDT")


def test_every_breach_is_its_own_check_and_the_worst_comes_first(view: View) -> None:
    """42 and 55 % in two assets against 40 %: two breaches; within the limit only the worst is shown."""
    _, told = checks(
        view,
        balance(view, "binance", "BTC", 42),
        balance(view, "binance", "ETH", 55),
        balance(view, "binance", "USDT", 300),
    )
    assert told["one_asset"].subject == "ETH"
    further = told["one_asset of BTC"]
    assert further.breach == pytest.approx(1.05)
    (order,) = further.fix(0.95).orders
    assert order.notional_usd == pytest.approx(400.0)  # from 42 to 38 % of 10,000 USD
    _, calm = checks(view, balance(view, "binance", "BTC", 20), balance(view, "binance", "USDT", 8_000))
    assert [title for title in calm if title.startswith("one_asset")] == ["one_asset"]


def test_each_position_near_its_liquidation_and_each_without_one_is_told(view: View) -> None:
    _, told = checks(
        view,
        balance(view, "binance", "USDT", 10_000),
        positions=(
            position(view, "BTC", 10, liquidation_price=Decimal(97)),
            position(view, "ETH", 10, liquidation_price=Decimal(95)),
            position(view, "BTC", -5),
        ),
    )
    near = [check for title, check in told.items() if title.startswith("liquidation_distance")]
    assert [math.isnan(check.value) for check in near] == [False, False, True]
    assert near[0].value < near[1].value < 4.0
