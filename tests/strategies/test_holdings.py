from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from sextant.model.instrument import Instrument
from sextant.model.view import View
from sextant.strategies.holdings import Holdings, column_of, fresh, holdings_of, spot_columns
from support.markets import quoted_earlier
from support.portfolios import DAYS, account, balance, market, normal, position, pricing, requoted


@pytest.fixture(scope="module")
def view() -> View:
    return market({"BTC": normal(DAYS, 0.02, 1), "ETH": normal(DAYS, 0.02, 2)}, venues=("binance", "bybit"))


def held(view: View, *balances: object, **changes: object) -> Holdings:
    return holdings_of(pricing(view, account(*balances, **changes)))  # type: ignore[arg-type]  # balances


def test_balances_of_one_asset_are_added_over_venues_and_cash_is_apart(view: View) -> None:
    told = held(
        view,
        balance(view, "binance", "BTC", 2),
        balance(view, "bybit", "BTC", "0.5"),
        balance(view, "bybit", "USDT", 50),
    )
    assert told.exposure == {"BTC": pytest.approx(250.0)}
    assert told.cash == {"USDT": 50.0}
    assert told.venues == {"binance": pytest.approx(200.0), "bybit": pytest.approx(100.0)}
    assert told.equity_usd == pytest.approx(300.0)


def test_a_balance_is_priced_at_its_own_venue(view: View) -> None:
    dear = requoted(view, {Instrument("bybit", "BTC", "USDT", "spot"): 110.0})
    told = held(dear, balance(dear, "binance", "BTC", 1), balance(dear, "bybit", "BTC", 1))
    assert told.venues == {"binance": pytest.approx(100.0), "bybit": pytest.approx(110.0)}


def test_a_short_position_takes_off_the_exposure_and_not_the_equity(view: View) -> None:
    told = held(view, balance(view, "binance", "BTC", 2), positions=(position(view, "BTC", "-1.5"),))
    assert told.exposure == {"BTC": pytest.approx(50.0)}
    assert told.equity_usd == pytest.approx(200.0)
    assert told.vector.tolist() == pytest.approx([50.0])


def test_without_a_quote_the_value_of_the_venue_is_taken_and_without_that_none(view: View) -> None:
    told = held(
        view,
        balance(view, "bybit", "XYZ", 3, value_usd=33.0, reason=None),
        balance(view, "bybit", "ABC", 7, reason="not listed"),
        equity_usd=50.0,
    )
    assert told.exposure == {"XYZ": 33.0}
    (lost,) = told.unpriced
    assert (lost.name, lost.quantity, lost.reason) == ("ABC at bybit", Decimal(7), "not listed")
    assert told.unpriced_usd == pytest.approx(17.0)
    assert told.coverage_frac == pytest.approx(33.0 / 50.0)
    assert told.warnings() == ("Not priced: 7 ABC at bybit (not listed); together at most 17.00 USD.",)


def test_what_cannot_be_bounded_has_no_coverage(view: View) -> None:
    told = held(view, balance(view, "bybit", "BTC", 1), balance(view, "bybit", "ABC", 7), equity_usd=None)
    assert told.unpriced_usd is None
    assert math.isnan(told.coverage_frac)
    assert "has no bound" in told.warnings()[0]


def test_an_old_quote_prices_nothing(view: View) -> None:
    old = quoted_earlier(view, 121.0)
    told = held(old, balance(old, "bybit", "BTC", 1))
    assert told.exposure == {}
    assert told.unpriced[0].name == "BTC at bybit"


def test_nothing_is_left_out_silently_but_balances_of_nothing(view: View) -> None:
    told = held(view, balance(view, "bybit", "BTC", 0), balance(view, "bybit", "ETH", 1))
    assert told.exposure == {"ETH": pytest.approx(100.0)}
    assert told.warnings() == ()


def test_the_oldest_balance_gives_the_age(view: View) -> None:
    old = balance(view, "bybit", "BTC", 1, as_of_ns=view.as_of_ns - 30 * 10**9)
    assert held(view, old, balance(view, "bybit", "ETH", 1)).age_s == pytest.approx(30.0)


def test_what_may_be_sold_is_what_is_free(view: View) -> None:
    told = held(
        view,
        balance(view, "bybit", "BTC", 3, free=Decimal(1)),
        balance(view, "binance", "BTC", 2, free=None),
        balance(view, "binance", "ETH", "-1"),
    )
    assert told.free("bybit", "BTC") == 1
    assert told.free("binance", "BTC") == 0
    assert told.free("binance", "ETH") == 0


def test_spot_stands_for_an_asset_before_its_perpetual(view: View) -> None:
    asked = pricing(view, account())
    column = column_of(asked, "BTC")
    assert column is not None
    assert view.instruments[column].instrument.kind == "spot"
    own = column_of(asked, "BTC", "bybit")
    assert own is not None
    assert view.instruments[own].instrument.venue == "bybit"
    assert column_of(asked, "XYZ") is None


def test_orders_need_a_younger_quote_than_prices(view: View) -> None:
    asked = pricing(quoted_earlier(view, 60.0), account())
    assert fresh(asked, 0, 120.0)
    assert not fresh(asked, 0, 15.0)
    assert spot_columns(asked, ("BTC",), 15.0) == {"BTC": []}
    found = spot_columns(asked, ("BTC",), 120.0)["BTC"]
    assert [str(view.instruments[column].instrument) for column in found] == [
        "binance:BTC-USDT:spot",
        "bybit:BTC-USDT:spot",
    ]
    assert np.isfinite(asked.touch.mid).all()
