"""What an offer is made of; through a scan it is tested with its strategy."""

from __future__ import annotations

from sextant.model.account import Account
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.making import FACTS, judge
from support.makers import maker_market
from support.markets import known_at

CHOSEN = strategy("ai_market_making")


def test_every_fact_is_told_of_a_book_that_can_be_quoted() -> None:
    view = maker_market()
    verdict = CHOSEN.evaluate(view, CHOSEN.defaults(), Columns(view))
    assert set(verdict.facts) == set(FACTS)
    assert all(verdict.facts[name].shape == (1, 1) for name in FACTS)


def test_a_skipped_verdict_disposes_every_instrument() -> None:
    view = known_at(maker_market(), 0)
    verdict = CHOSEN.evaluate(view, CHOSEN.defaults(), Columns(view))
    rows, dispositions = judge(CHOSEN, verdict, None, Pricing(view, Account(), CostAssumptions()))
    assert rows == []
    assert [item.stage for item in dispositions] == ["no 1m bars"]


def test_the_same_book_keeps_its_key_and_prices_follow_the_account() -> None:
    view = maker_market()
    verdict = CHOSEN.evaluate(view, CHOSEN.defaults(), Columns(view))
    (nobody,), _ = judge(CHOSEN, verdict, None, Pricing(view, Account(), CostAssumptions()))
    rich = Account(equity_usd=1e6, coverage_frac=1.0, free_usd={"bybit": 1e6})
    (somebody,), _ = judge(CHOSEN, verdict, None, Pricing(view, rich, CostAssumptions()))
    assert nobody.opportunity_key == somebody.opportunity_key
    assert nobody.size.notional_usd < somebody.size.notional_usd
