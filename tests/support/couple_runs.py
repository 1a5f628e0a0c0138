"""Strategies of couples through the steps a scan takes, evidence included."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from sextant.model.account import Account
from sextant.model.balance import Balance
from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.view import Derivatives, Series, View
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, StrategyRun, run_strategy
from sextant.scans.universe import choose
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Verdict
from sextant.strategies.prices import CostAssumptions
from support.markets import frozen, known_at, reordered

VENUES = ("binance", "bybit", "deribit")
BARE = Account(
    equity_usd=100_000.0,
    coverage_frac=1.0,
    free_usd=dict.fromkeys(VENUES, 100_000.0),
)
"""Dollars at every venue and nothing else."""


def holding(account: Account, venue: str, asset: str, units: str) -> Account:
    """The account with an asset at a venue besides."""
    balance = Balance(
        venue=venue,
        asset=asset,
        total=Decimal(units),
        free=None,
        value_usd=None,
        as_of_ns=0,
        source="test",
        reason="not asked",
    )
    return msgspec.structs.replace(account, balances=(*account.balances, balance))


RICH = holding(holding(BARE, "binance", "BTC", "400"), "bybit", "BTC", "400")
"""Dollars and bitcoin."""


def scanned(
    name: str,
    view: View,
    account: Account = RICH,
    request: ScanRequest | None = None,
    assumptions: CostAssumptions | None = None,
) -> StrategyRun:
    """One strategy over a view for one account, as a scan runs it."""
    part = MarketPart(view, assumptions or CostAssumptions(), EvidenceShelf())
    wanted = request or ScanRequest()
    return run_strategy(strategy(name), Asked(part, choose(view, wanted, part.turnover_usd), account, wanted))


def single(run: StrategyRun) -> Opportunity:
    """The only opportunity of a run."""
    (row,) = run.opportunities
    return row


def answer(run: StrategyRun) -> Disposition:
    """The only disposition of a run."""
    (item,) = run.dispositions
    return item


def evaluated(name: str, view: View, **params: float) -> Verdict:
    """What a strategy says about a view."""
    chosen = strategy(name)
    return chosen.evaluate(view, chosen.defaults(**params), Columns(view))


def known_then(view: View, time_ns: int) -> View:
    """What was known of bars and settlements at a time; all else stays as it is."""
    cut = {}
    for instrument, series in view.funding_history.items():
        seen = series.time_ns <= time_ns
        cut[instrument] = Series(series.time_ns[seen], series.value[seen])
    return dataclasses.replace(known_at(view, time_ns), funding_history=cut)


def rearranged(view: View, order: Sequence[int]) -> View:
    """The same market with its instruments, and all that is known of them, in another order."""
    index = np.array(order, dtype=np.int64)
    facts: dict[str, Any] = {name: column[index] for name, column in vars(view.derivatives).items()}
    return frozen(dataclasses.replace(reordered(view, order), derivatives=Derivatives(**facts)))


def without_history(view: View, *instruments: Instrument) -> View:
    """The same market in which nothing is known of the settlements of some instruments, or of any."""
    kept = {
        name: series
        for name, series in view.funding_history.items()
        if instruments and name not in instruments
    }
    return dataclasses.replace(view, funding_history=kept)
