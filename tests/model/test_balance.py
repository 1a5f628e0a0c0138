from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from sextant.errors import InputError
from sextant.model.account import Account
from sextant.model.balance import Balance, Position
from sextant.model.instrument import Instrument

PERPETUAL = Instrument("bybit", "BTC", "USDT", "perpetual")


def balance(**changes: Any) -> Balance:
    facts: dict[str, Any] = {
        "venue": "bybit",
        "asset": "BTC",
        "total": Decimal("0.5"),
        "free": Decimal("0.5"),
        "value_usd": 30_000.0,
        "as_of_ns": 1,
        "source": "test",
    }
    return Balance(**facts | changes)


def position(**changes: Any) -> Position:
    facts: dict[str, Any] = {
        "instrument": PERPETUAL,
        "quantity": Decimal(-2),
        "entry_price": Decimal(60_000),
        "liquidation_price": None,
        "leverage": 3.0,
        "margin_usd": None,
        "value_usd": -120_000.0,
        "as_of_ns": 1,
        "source": "test",
    }
    return Position(**facts | changes)


@pytest.mark.parametrize("total", ["NaN", "Infinity", "-Infinity"])
def test_an_amount_that_is_no_number_is_refused(total: str) -> None:
    with pytest.raises(InputError, match="must be finite"):
        balance(total=Decimal(total))


def test_a_loan_and_dust_are_balances() -> None:
    assert balance(total=Decimal("-0.1"), value_usd=-6_000.0).total < 0
    assert balance(total=Decimal("1e-18"), value_usd=6e-14).total > 0


@pytest.mark.parametrize(("value_usd", "reason"), [(None, None), (1.0, "no price"), (float("nan"), None)])
def test_a_value_is_a_number_or_has_a_reason(value_usd: float | None, reason: str | None) -> None:
    with pytest.raises(InputError, match="value"):
        balance(value_usd=value_usd, reason=reason)
    with pytest.raises(InputError, match="value"):
        position(value_usd=value_usd, reason=reason)


@pytest.mark.parametrize("quantity", ["0", "NaN", "Infinity"])
def test_a_position_of_nothing_cannot_exist(quantity: str) -> None:
    with pytest.raises(InputError, match="has quantity"):
        position(quantity=Decimal(quantity))


@pytest.mark.parametrize("name", ["entry_price", "liquidation_price"])
def test_a_price_of_zero_is_no_price(name: str) -> None:
    with pytest.raises(InputError, match=name):
        position(**{name: Decimal(0)})


def test_an_account_of_zero_balances_holds_nothing() -> None:
    nothing = balance(total=Decimal(0), value_usd=0.0)
    assert not Account(balances=(nothing,)).holds
    assert Account(balances=(nothing, balance())).holds
    assert Account(positions=(position(),)).holds


def test_what_is_held_survives_the_database() -> None:
    account = Account(equity_usd=1.0, balances=(balance(),), positions=(position(),))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(account), type=Account) == account
