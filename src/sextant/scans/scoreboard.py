"""What each strategy has earned in the past, for one caller's costs, whether or not it speaks today."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import numpy as np

from sextant.evidence.clusters import clustered, standard_error
from sextant.evidence.events import EventTable
from sextant.evidence.live import LiveRecord
from sextant.model.account import Account
from sextant.model.bar import Floats
from sextant.model.scorecard import Scorecard
from sextant.scans.run import MarketPart, scorer_of
from sextant.strategies.contract import Strategy
from sextant.strategies.costs import Pricing

DECAYED: Final = -2.6
"""strategies.md 2.9: standard errors by which a later mean is too low to be chance."""

_SCORED: Final = ("bars", "couple", "funding")


class Decay(msgspec.Struct, frozen=True):
    """Net outcomes of the later half of the events against those of the earlier half, in basis points."""

    state: Literal["steady", "decayed", "unknown"]
    mean_recent_bps: float | None
    mean_before_bps: float | None


class Score(msgspec.Struct, frozen=True):
    """The scorecards of one strategy; ``reason`` says why there are none."""

    strategy_id: str
    reason: str | None
    as_of_ns: int
    both: Scorecard | None = None
    long: Scorecard | None = None
    short: Scorecard | None = None
    decay: Decay | None = None


class Scoreboard:
    """The newest score of every strategy, for whoever pays the venues' entry fees."""

    def __init__(self) -> None:
        self._scores: dict[str, Score] = {}
        self._pasts: dict[str, _Past] = {}

    def learn(self, part: MarketPart, speaking: Sequence[Strategy]) -> None:
        """Score strategies over a view that each of them has just judged."""
        account = Account()
        for strategy in speaking:
            past = _past(part, strategy, account)
            if isinstance(past, Score):
                self._scores[strategy.id] = past
            else:
                self._pasts[strategy.id] = past
                self._scores[strategy.id] = past.score()

    def silence(self, strategy_id: str, reason: str | None, as_of_ns: int) -> None:
        """Note that a strategy could not speak about the newest view."""
        self._scores[strategy_id] = Score(strategy_id, reason or "It did not end by itself.", as_of_ns)

    def newest(self, strategy_id: str) -> Score | None:
        """The newest score of a strategy; None before the first."""
        return self._scores.get(strategy_id)

    def over(self, strategy: Strategy, window_ns: int) -> Score | None:
        """The newest score over the events of a window before its time; blocks, and belongs in a thread."""
        known, past = self._scores.get(strategy.id), self._pasts.get(strategy.id)
        if known is None or known.both is None or past is None:
            return known
        return past.score(known.as_of_ns - window_ns)


@dataclass(frozen=True, eq=False)
class _Past:
    """What a score is made of; the arrays that strategies made of the view are let go."""

    strategy: Strategy
    table: EventTable
    pricing: Pricing
    live: LiveRecord | None

    def score(self, entry_ns: int = 0) -> Score:
        """The cards over the events entered at or after a time."""
        table = self.table.since(entry_ns)
        scorer = scorer_of(self.strategy, table, self.pricing, self.live)
        cards = (scorer.summary(), scorer.summary(1), scorer.summary(-1))
        as_of_ns = self.pricing.view.as_of_ns
        return Score(self.strategy.id, None, as_of_ns, *cards, decay_of(table, scorer.net))


def score(part: MarketPart, strategy: Strategy, account: Account, entry_ns: int = 0) -> Score:
    """The past of a strategy over everything a view holds, net of the account's costs.

    Parameters
    ----------
    part
        The market.
    strategy
        Whose past.
    account
        Who pays.
    entry_ns
        Events entered before are left out.

    Notes
    -----
    Strategies that look at a whole portfolio, quote a book or price options have no past events of this kind; their
    proposals carry their own evidence.
    """
    past = _past(part, strategy, account)
    return past if isinstance(past, Score) else past.score(entry_ns)


def _past(part: MarketPart, strategy: Strategy, account: Account) -> _Past | Score:
    """What a score is made of, or a score that says why there is none."""
    as_of_ns = part.view.as_of_ns
    if strategy.evidence_kind not in _SCORED:
        return Score(
            strategy.id, f"Evidence of kind {strategy.evidence_kind} comes with each proposal.", as_of_ns
        )
    verdict = part.verdict(strategy)
    if verdict.skipped is not None:
        return Score(strategy.id, verdict.skipped, as_of_ns)
    if verdict.interval not in part.view.bars:
        return Score(strategy.id, f"There are no bars of {verdict.interval} yet.", as_of_ns)
    pricing = Pricing(part.view, account, part.assumptions)
    return _Past(strategy, part.events(strategy, verdict), pricing, part.records.get(strategy.id))


def decay_of(table: EventTable, net: Floats) -> Decay:
    """Whether the later half of the events earns less than the earlier half, beyond chance.

    Parameters
    ----------
    table
        Past events.
    net
        float64 (n,): what each earned after cost, a fraction; NaN where its cost is unknown.
    """
    known = np.flatnonzero(np.isfinite(net))
    half = len(known) // 2
    halves = [clustered(table.cluster[chosen], net[chosen]) for chosen in (known[:half], known[half:])]
    errors = [standard_error(groups) for groups in halves]
    means = [None if not groups.groups else groups.mean * 1e4 for groups in halves]
    if errors[0] is None or errors[1] is None:
        return Decay("unknown", means[1], means[0])
    error = math.hypot(*(error or 0.0 for error in errors))
    z = (halves[1].mean - halves[0].mean) / error if error > 0 else 0.0
    return Decay("decayed" if z < DECAYED else "steady", means[1], means[0])
