"""The basket of the page, judged for an account."""

from __future__ import annotations

from functools import cache

from sextant.model.account import Account
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.model.view import View
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Verdict
from sextant.strategies.costs import Pricing
from support.bar_markets import residual_market
from support.cards import UNPROVEN
from support.judging import NOTHING, RICH

ARBITRAGE = "ai_statistical_arbitrage"
LONGS = (0, 3, 11, 19)
SHORTS = (7, 23, 31)


@cache
def strayed() -> View:
    """The market in which four residuals stand too low and three too high; built once."""
    return residual_market()


def judged(
    view: View, card: Scorecard = UNPROVEN, account: Account = RICH, **params: float
) -> tuple[list[Opportunity], list[Disposition]]:
    """Opportunities and dispositions of the strategy in a market."""
    plugin = strategy(ARBITRAGE)
    verdict: Verdict = plugin.evaluate(view, plugin.defaults(**params), Columns(view))
    assert plugin.judge is not None
    rows, dispositions = plugin.judge(plugin, verdict, lambda *_: card, Pricing(view, account, NOTHING))
    return rows, list(dispositions)


def basket(card: Scorecard = UNPROVEN, account: Account = RICH) -> Opportunity:
    """The one basket of the market."""
    (row,), _ = judged(strayed(), card, account)
    return row
