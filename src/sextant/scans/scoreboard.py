"""What each strategy has earned in the past, for one caller's costs, whether or not it speaks today."""

from __future__ import annotations

import msgspec

from sextant.model.account import Account
from sextant.model.scorecard import Scorecard
from sextant.scans.run import MarketPart, scorer_of
from sextant.strategies.contract import Strategy
from sextant.strategies.costs import Pricing


class Score(msgspec.Struct, frozen=True):
    """The scorecards of one strategy; ``reason`` says why there are none."""

    strategy_id: str
    reason: str | None
    both: Scorecard | None = None
    long: Scorecard | None = None
    short: Scorecard | None = None


def score(part: MarketPart, strategy: Strategy, account: Account) -> Score:
    """The past of a strategy over everything a view holds, net of the account's costs.

    Notes
    -----
    Strategies that look at a whole portfolio, quote a book or price options have no past events of this kind; their
    proposals carry their own evidence.
    """
    if strategy.evidence_kind not in ("bars", "couple", "funding"):
        return Score(strategy.id, f"Evidence of kind {strategy.evidence_kind} comes with each proposal.")
    verdict = part.verdict(strategy)
    if verdict.skipped is not None:
        return Score(strategy.id, verdict.skipped)
    pricing = Pricing(part.view, account, part.assumptions)
    scorer = scorer_of(strategy, part.events(strategy, verdict), pricing, part.records.get(strategy.id))
    return Score(strategy.id, None, scorer.summary(), scorer.summary(1), scorer.summary(-1))
