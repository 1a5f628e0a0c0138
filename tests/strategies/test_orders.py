from __future__ import annotations

import dataclasses
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.instrument import Instrument
from sextant.model.view import View
from sextant.strategies.holdings import holdings_of
from sextant.strategies.orders import (
    least_order_usd,
    leg_of,
    order_of,
    reduce_orders,
    sources_of,
    whole_lots,
)
from support.portfolios import DAYS, account, balance, market, normal, position, pricing


@pytest.fixture(scope="module")
def view() -> View:
    return market({"BTC": normal(DAYS, 0.02, 1)}, venues=("binance", "kraken"))


def column(view: View, name: str) -> int:
    return [str(spec.instrument) for spec in view.instruments].index(name)


def test_an_order_costs_its_fee_half_the_spread_and_its_walk(view: View) -> None:
    """10,000 USD at Binance: 10 bps, half of 2 bps, nothing beyond a touch of 1e11 USD."""
    spot = column(view, "binance:BTC-USDT:spot")
    order = order_of(pricing(view, Account()), spot, "sell", Decimal(100))
    assert order is not None
    assert order.notional_usd == pytest.approx(10_000)
    assert order.fee_usd == pytest.approx(10.0)
    assert order.spread_usd == pytest.approx(1.0)
    assert order.slippage_usd == 0
    assert order.cost_usd == pytest.approx(11.0)


def test_a_size_beyond_the_touch_walks_by_the_square_root_law(view: View) -> None:
    """Nothing at the touch: sigma x sqrt(1e6/1e9) = 0.02 x 0.03162 = 6.32 bps of 1e6 USD."""
    thin = dataclasses.replace(view.quotes, bid_size=np.zeros(view.size), ask_size=np.zeros(view.size))
    asked = pricing(dataclasses.replace(view, quotes=thin), Account())
    order = order_of(asked, 0, "buy", Decimal(10_000))
    assert order is not None
    assert order.slippage_usd == pytest.approx(1e6 * 0.02 * np.sqrt(1e-3), rel=0.2)


def test_what_cannot_be_priced_is_no_order(view: View) -> None:
    stranger = msgspec.structs.replace(
        view.instruments[0], instrument=Instrument("unheard_of", "BTC", "USDT", "spot")
    )
    odd = dataclasses.replace(view, instruments=(stranger, *view.instruments[1:]))
    assert order_of(pricing(odd, Account()), 0, "sell", Decimal(1)) is None
    thin = dataclasses.replace(view.quotes, bid_size=np.zeros(view.size))
    asked = pricing(dataclasses.replace(view, quotes=thin), Account())
    assert order_of(asked, 0, "sell", Decimal(10**9)) is None


def test_lots_are_rounded_as_asked_and_never_beyond_what_there_is(view: View) -> None:
    asked = pricing(view, Account())
    assert whole_lots(asked, 0, 100.05) == Decimal("1.001")
    assert whole_lots(asked, 0, 100.05, up=False) == Decimal("1.000")
    assert whole_lots(asked, 0, 65_000.0) == Decimal(650)
    assert whole_lots(asked, 0, 1e6, Decimal("2.0005")) == Decimal("2.000")
    assert least_order_usd(asked, 0) == 10.0


def test_an_exposure_is_reduced_where_it_lies_and_is_cheapest(view: View) -> None:
    who = account(
        balance(view, "kraken", "BTC", 3),
        balance(view, "binance", "BTC", 2),
        positions=(position(view, "BTC", 1, "binance"),),
    )
    asked = pricing(view, who)
    held = holdings_of(asked)
    names = [str(view.instruments[s.column].instrument) for s in sources_of(asked, held, "BTC")]
    assert names == ["binance:BTC-USDT:perpetual", "binance:BTC-USDT:spot", "kraken:BTC-USDT:spot"]
    orders, taken = reduce_orders(asked, held, "BTC", 250.0)
    assert [(order.side, order.quantity, order.reduce_only) for order in orders] == [
        ("sell", Decimal(1), True),
        ("sell", Decimal("1.5"), False),
    ]
    assert taken == pytest.approx(250.0)


def test_a_short_is_reduced_by_buying_it_back(view: View) -> None:
    who = account(balance(view, "binance", "USDT", 1_000), positions=(position(view, "BTC", -2),))
    asked = pricing(view, who)
    (order,), taken = reduce_orders(asked, holdings_of(asked), "BTC", 150.0)
    assert (order.side, order.quantity, order.reduce_only) == ("buy", Decimal("1.5"), True)
    assert taken == pytest.approx(150.0)


def test_dust_is_not_sold(view: View) -> None:
    asked = pricing(view, account(balance(view, "binance", "BTC", "0.09")))
    assert reduce_orders(asked, holdings_of(asked), "BTC", 9.0) == ((), 0.0)


def test_a_leg_stands_at_the_touch(view: View) -> None:
    asked = pricing(view, Account())
    bought, sold = order_of(asked, 0, "buy", Decimal(1)), order_of(asked, 0, "sell", Decimal(1))
    assert bought is not None
    assert sold is not None
    for order, side, price in ((bought, "buy", "100.01"), (sold, "sell", "99.99")):
        leg = leg_of(asked, order)
        assert (leg.side, leg.price, leg.role, leg.margin_usd) == (side, Decimal(price), "entry", None)
    hedge = leg_of(asked, sold, hedge=True, leverage=4.0)
    assert hedge.role == "hedge"
    assert hedge.margin_usd == pytest.approx(25.0)
