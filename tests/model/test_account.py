from __future__ import annotations

import pytest

from sextant.errors import InputError
from sextant.model.account import Account


@pytest.mark.parametrize("equity", [0.0, -1.0, float("inf"), float("nan")])
def test_equity_that_no_account_has_is_refused(equity: float) -> None:
    with pytest.raises(InputError, match="Equity"):
        Account(equity_usd=equity)


@pytest.mark.parametrize("coverage", [-0.1, 1.1, float("nan")])
def test_coverage_is_a_share(coverage: float) -> None:
    with pytest.raises(InputError, match="Coverage"):
        Account(equity_usd=1.0, coverage_frac=coverage)


def test_an_account_nobody_connected_knows_nothing() -> None:
    account = Account()
    assert (account.equity_usd, account.coverage_frac, account.free_usd, account.fees) == (None, 0.0, {}, {})
