from __future__ import annotations

import numpy as np
import pytest

from sextant.strategies.ground import Ground, ground_of
from sextant.strategies.stress import report
from support.portfolios import DAYS, account, balance, market, normal, position, pricing

BITCOIN = normal(DAYS, 0.02, 1)
VIEW = market({"BTC": BITCOIN, "ETH": 1.5 * BITCOIN, "XRP": normal(DAYS, 0.02, 3)})


def told(*balances: object, **changes: object) -> dict[str, float]:
    ground = ground_of(pricing(VIEW, account(*balances, **changes)))  # type: ignore[arg-type]  # balances
    assert isinstance(ground, Ground)
    return report(ground)


def test_bitcoin_halves_and_the_others_follow_by_their_betas() -> None:
    facts = told(balance(VIEW, "binance", "BTC", 100), balance(VIEW, "binance", "ETH", 100))
    assert facts["stress_bitcoin_usd"] == pytest.approx(0.5 * 10_000 + 0.5 * 1.5 * 10_000)
    assert facts["stress_all_usd"] == pytest.approx(6_000.0)


def test_without_bitcoin_everything_halves() -> None:
    assert told(balance(VIEW, "binance", "XRP", 100))["stress_bitcoin_usd"] == pytest.approx(5_000.0)


def test_a_short_gains_when_everything_falls() -> None:
    facts = told(balance(VIEW, "binance", "USDT", 10_000), positions=(position(VIEW, "BTC", -50),))
    assert facts["stress_all_usd"] == pytest.approx(-1_500.0)
    assert facts["stress_stable_usd"] == pytest.approx(1_000.0)
    assert facts["stress_venue_usd"] == pytest.approx(10_000.0)


def test_drawdown_is_that_of_todays_exposure() -> None:
    facts = told(balance(VIEW, "binance", "BTC", 100), balance(VIEW, "binance", "USDT", 10_000))
    path = np.concatenate(([0.0], np.cumsum(0.5 * BITCOIN[1:])))
    worst = max(path[: i + 1].max() - path[i] for i in range(len(path)))
    assert facts["drawdown_frac"] == pytest.approx(worst)


def test_cash_alone_has_no_quantiles() -> None:
    facts = told(balance(VIEW, "binance", "USDT", 10_000))
    assert "var95_1d_usd" not in facts
    assert facts["es97.5_1d_usd"] == 0.0
