from __future__ import annotations

from decimal import Decimal

from sextant.model.account import Account
from sextant.model.balance import Balance
from sextant.portfolio.joined import joined


def held(asset: str) -> Balance:
    return Balance(
        venue="bybit", asset=asset, total=Decimal(1), free=None, value_usd=1.0, as_of_ns=1, source="test"
    )


def test_one_account_joined_with_nothing_is_itself() -> None:
    one = Account(10.0, 1.0, {"bybit": 5.0}, "aggressive", {}, (held("BTC"),))
    assert joined([one]) == one


def test_what_is_held_is_held_together() -> None:
    first = Account(10.0, 1.0, {"bybit": 5.0}, balances=(held("BTC"),))
    second = Account(None, 1.0, {}, balances=(held("USDC"),))
    whole = joined([first, second])
    assert (whole.equity_usd, whole.coverage_frac, whole.free_usd) == (10.0, 1.0, {"bybit": 5.0})
    assert [one.asset for one in whole.balances] == ["BTC", "USDC"]


def test_without_any_equity_there_is_none() -> None:
    whole = joined([Account(), Account()])
    assert (whole.equity_usd, whole.coverage_frac, whole.holds) == (None, 0.0, False)
