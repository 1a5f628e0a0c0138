from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.model.view import View
from sextant.strategies.ground import Ground, ground_of, unspoken
from sextant.strategies.tail import shortfall
from support.markets import known_at
from support.portfolios import DAYS, account, balance, market, normal, position, pricing


@pytest.fixture(scope="module")
def view() -> View:
    return market({"BTC": normal(DAYS, 0.02, 1), "ETH": normal(DAYS, 0.03, 2)})


def ground(view: View, *balances: object, **changes: object) -> Ground:
    told = ground_of(pricing(view, account(*balances, **changes)))  # type: ignore[arg-type]  # balances
    assert isinstance(told, Ground)
    return told


def test_the_shortfall_is_that_of_all_exposures_together(view: View) -> None:
    told = ground(view, balance(view, "binance", "BTC", 300), balance(view, "binance", "ETH", 200))
    assert told.modelled == ("BTC", "ETH")
    gains = told.rows @ np.array([30_000.0, 20_000.0])
    assert told.es_usd == pytest.approx(shortfall(gains))
    assert told.budget_usd == pytest.approx(2_500.0)


def test_a_hedged_portfolio_has_no_shortfall(view: View) -> None:
    told = ground(view, balance(view, "binance", "BTC", 300), positions=(position(view, "BTC", -300),))
    assert told.modelled == ()
    assert told.es_usd == 0.0
    assert told.card().status == "insufficient_history"


def test_the_price_of_risk_rises_when_the_account_is_over_budget(view: View) -> None:
    calm = ground(view, balance(view, "binance", "USDT", 90_000), balance(view, "binance", "BTC", 100))
    assert calm.price_of_risk == 0.05
    wild = ground(view, balance(view, "binance", "USDT", 10_000), positions=(position(view, "BTC", 500),))
    assert wild.es_usd > 500
    assert wild.price_of_risk == pytest.approx(0.05 * wild.es_usd / 500.0)


def test_less_of_an_asset_is_less_of_its_risk(view: View) -> None:
    told = ground(view, balance(view, "binance", "BTC", 300), balance(view, "binance", "USDT", 10_000))
    assert told.es_without("BTC", 15_000.0) == pytest.approx(0.5 * told.es_usd)
    assert told.es_without("XYZ", 15_000.0) == told.es_usd
    assert told.sigma_day("BTC") == pytest.approx(0.02, rel=0.2)
    assert np.isnan(told.sigma_day("XYZ"))


def test_a_price_that_stands_still_has_no_known_risk() -> None:
    view = market({"BTC": normal(DAYS, 0.02, 1), "PEG": np.zeros(DAYS)})
    lack = ground_of(pricing(view, account(balance(view, "binance", "PEG", 100))))
    assert lack == ("bars.1d.PEG", 560.0, 120.0, "rows")
    told = ground(view, balance(view, "binance", "BTC", 300), balance(view, "binance", "PEG", 5))
    assert told.left_out == (("PEG", 560),)


def test_holes_in_different_days_leave_the_days_that_all_have() -> None:
    holed = normal(DAYS, 0.02, 2)
    holed[-200:-100] = np.nan
    view = market({"BTC": normal(DAYS, 0.02, 1), "ETH": holed})
    told = ground(view, balance(view, "binance", "BTC", 300), balance(view, "binance", "ETH", 300))
    assert told.modelled == ("BTC", "ETH")
    # The path goes on flat through the hole, so a hundred bars are missing, and with them the first step after it.
    assert len(told.returns) == DAYS - 1 - 101


def test_a_model_that_failed_is_widened_and_marked() -> None:
    falls = normal(DAYS, 0.01, 6)
    falls[311::10] = -0.03 * 1.25 ** np.arange(25)
    view = market({"BTC": falls})
    told = ground(view, balance(view, "binance", "BTC", 300))
    assert told.tested is not None
    assert not told.tested.holds
    card = told.card()
    assert (card.status, card.grade) == ("insufficient_history", "unproven")
    assert any("risk is widened by" in warning for warning in told.warnings())


def test_a_model_that_held_is_evidence(view: View) -> None:
    card = ground(view, balance(view, "binance", "BTC", 300)).card()
    assert (card.kind, card.status, card.grade, card.n) == ("portfolio", "analytic", "analytic", 250)
    assert "of 250 days were beyond" in str(card.reason)


def test_old_bars_are_insufficient(view: View) -> None:
    later = dataclasses.replace(view, as_of_ns=view.as_of_ns + 37 * 3_600 * 10**9)
    quotes = dataclasses.replace(view.quotes, event_ns=np.full(view.size, later.as_of_ns))
    later = dataclasses.replace(later, quotes=quotes)
    lack = ground_of(pricing(later, account(balance(later, "binance", "BTC", 300))))
    assert lack == ("bars.1d.age_s", 37 * 3_600.0, 36 * 3_600.0, "s")


def test_nothing_is_said_about_instruments_and_no_bars_skip_it(view: View) -> None:
    verdict = unspoken(view)
    assert verdict.skipped is None
    assert not verdict.signals.direction.any()
    assert unspoken(known_at(view, 0)).skipped == "no 1d bars"
