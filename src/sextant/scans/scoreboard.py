"""What each strategy has earned in the past, for one caller's costs, whether or not it speaks today."""

from __future__ import annotations

from collections.abc import Sequence

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
    as_of_ns: int
    both: Scorecard | None = None
    long: Scorecard | None = None
    short: Scorecard | None = None


class Scoreboard:
    """The newest score of every strategy, for whoever pays the venues' entry fees."""

    def __init__(self) -> None:
        self._scores: dict[str, Score] = {}

    def learn(self, part: MarketPart, speaking: Sequence[Strategy]) -> None:
        """Score strategies over a view that each of them has just judged."""
        account = Account()
        for strategy in speaking:
            self._scores[strategy.id] = score(part, strategy, account)

    def silence(self, strategy_id: str, reason: str | None, as_of_ns: int) -> None:
        """Note that a strategy could not speak about the newest view."""
        self._scores[strategy_id] = Score(strategy_id, reason or "It did not end by itself.", as_of_ns)

    def newest(self, strategy_id: str) -> Score | None:
        """The newest score of a strategy; None before the first."""
        return self._scores.get(strategy_id)


def score(part: MarketPart, strategy: Strategy, account: Account) -> Score:
    """The past of a strategy over everything a view holds, net of the account's costs.

    Notes
    -----
    Strategies that look at a whole portfolio, quote a book or price options have no past events of this kind; their
    proposals carry their own evidence.
    """
    if strategy.evidence_kind not in ("bars", "couple", "funding"):
        reason = f"Evidence of kind {strategy.evidence_kind} comes with each proposal."
        return Score(strategy.id, reason, part.view.as_of_ns)
    verdict = part.verdict(strategy)
    if verdict.skipped is not None:
        return Score(strategy.id, verdict.skipped, part.view.as_of_ns)
    if verdict.interval not in part.view.bars:
        return Score(strategy.id, f"There are no bars of {verdict.interval} yet.", part.view.as_of_ns)
    pricing = Pricing(part.view, account, part.assumptions)
    scorer = scorer_of(strategy, part.events(strategy, verdict), pricing, part.records.get(strategy.id))
    cards = (scorer.summary(), scorer.summary(1), scorer.summary(-1))
    return Score(strategy.id, None, part.view.as_of_ns, *cards)
