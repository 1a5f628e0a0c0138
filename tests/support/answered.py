"""What every strategy answers about markets made for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sextant.model.account import Account
from sextant.model.view import View
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, run_strategy, skipped_run
from sextant.scans.universe import choose
from sextant.strategies.answers import Answers
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from support.markets import (
    breakout_market,
    broad_fall_market,
    momentum_market,
    quoted_earlier,
    reversion_market,
    unquoted,
    without_bars_of,
)
from support.option_markets import straddle_market

MARKETS: Final[Mapping[str, Callable[[], View]]] = {
    "momentum": momentum_market,
    "reversion": reversion_market,
    "fall": broad_fall_market,
    "breakout": breakout_market,
    "late": lambda: quoted_earlier(momentum_market(), 20.0),
    "unquoted": lambda: unquoted(momentum_market()),
    "a gap": lambda: without_bars_of(momentum_market(), 1),
    "options": straddle_market,
}


def answers_about(view: View, request: ScanRequest) -> Iterator[Answers]:
    """Of every strategy: what it says of what is asked for, and what is said where it did not end."""
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    asked = Asked(part, choose(view, request, part.turnover_usd), Account(), request)
    for strategy in strategies().values():
        yield run_strategy(strategy, asked).dispositions
        yield skipped_run(strategy, "deadline", "late", asked).dispositions
