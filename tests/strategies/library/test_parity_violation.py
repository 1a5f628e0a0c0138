"""The two markets of strategies.md 4 through a scan."""

from __future__ import annotations

import dataclasses

import pytest

from sextant.model.account import Account
from sextant.model.view import View
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, StrategyRun, run_strategy
from sextant.scans.universe import choose
from sextant.strategies.library.parity_violation import STRATEGY
from sextant.strategies.prices import CostAssumptions
from support.option_markets import daily, market, parity_market

RICH = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"deribit": 100_000.0})


def scanned(view: View) -> StrategyRun:
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    request = ScanRequest()
    run = run_strategy(STRATEGY, Asked(part, choose(view, request, part.turnover_usd), RICH, request))
    assert sum(run.report.dispositions.values()) == run.report.candidates == view.size
    return run


def test_it_emits_the_synthetic_of_the_page() -> None:
    run = scanned(parity_market())
    (row,) = run.opportunities
    assert row.edge_bps == pytest.approx(10.0)
    assert run.report.outcome == "ok"


def test_it_is_silent_five_basis_points_short() -> None:
    run = scanned(parity_market(0.0260))
    assert run.report.outcome == "empty"
    assert run.dispositions[0].value == pytest.approx(-5.0)
    assert run.report.near_misses == ()


def test_it_needs_a_chain_and_nothing_else() -> None:
    assert scanned(market(daily(0.0314))).report.reason == "no option data"
    bare = dataclasses.replace(parity_market(), bars={})
    assert len(scanned(bare).opportunities) == 1
