"""The two markets of strategies.md 3.9, and what else a chain can look like."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.view import View
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, StrategyRun, run_strategy
from sextant.scans.universe import choose
from sextant.strategies.library.ai_options_trade import STRATEGY
from sextant.strategies.prices import CostAssumptions
from support.option_markets import (
    NAME,
    Quoted,
    chain,
    condor_market,
    daily,
    market,
    straddle_market,
    with_chain,
    with_values,
)

RICH = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"deribit": 100_000.0})


def scanned(view: View, account: Account = RICH) -> StrategyRun:
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    request = ScanRequest()
    run = run_strategy(STRATEGY, Asked(part, choose(view, request, part.turnover_usd), account, request))
    assert sum(run.report.dispositions.values()) == run.report.candidates == view.size
    return run


def test_it_emits_the_straddle_of_the_page() -> None:
    run = scanned(straddle_market())
    (row,) = run.opportunities
    units = float(row.size.quantity)
    assert run.report.outcome == "ok"
    assert [leg.side for leg in row.legs] == ["buy", "buy"]
    assert row.risk_facts["largest_loss_usd"] / units == pytest.approx(3_879, rel=0.001)
    assert (row.edge_usd or 0) / units == pytest.approx(1_049, rel=0.02)
    assert row.edge_lcb_bps is not None
    assert row.edge_bps is not None
    assert (row.edge_bps - row.edge_lcb_bps) / 0.84 * 6.0 == pytest.approx(539, rel=0.02)
    assert row.edge_lcb_bps * 6.0 == pytest.approx(597, rel=0.02)
    ratio = next(gate for gate in row.gates if gate.gate == "vol_ratio")
    assert ratio.value == pytest.approx(0.75, rel=0.02)
    assert row.strength == pytest.approx(0.85 / 0.75, rel=0.02)
    assert row.grade == "analytic"


def test_it_is_silent_where_options_cost_what_movement_does() -> None:
    run = scanned(straddle_market(0.53))
    (item,) = run.dispositions
    assert run.report.outcome == "empty"
    assert (item.kind, item.stage) == ("gate_failed", "vol_ratio")
    assert item.value == pytest.approx(1.0, rel=0.02)


def test_without_a_chain_it_is_skipped() -> None:
    run = scanned(market(daily(0.0314)))
    assert (run.report.outcome, run.report.reason) == ("skipped", "no option data")


def test_dear_options_are_sold_as_a_credit_vertical() -> None:
    (row,) = scanned(condor_market()).opportunities
    assert [leg.side for leg in row.legs] == ["sell", "buy"]
    assert len({leg.instrument.right for leg in row.legs}) == 1
    assert row.risk_facts["largest_gain_usd"] < row.risk_facts["largest_loss_usd"]


def test_of_cheap_options_the_better_of_straddle_and_strangle_is_told_once() -> None:
    strikes = [54_000.0, 56_000.0, 58_000.0, 60_000.0, 62_000.0, 64_000.0, 66_000.0]
    run = scanned(market(daily(0.0314), chain(Quoted(14, 0.38, strikes), Quoted(7, 0.38, strikes))))
    (row,) = run.opportunities
    assert {leg.side for leg in row.legs} == {"buy"}
    assert run.report.candidates == 1


def test_an_expired_chain_is_no_chain() -> None:
    view = straddle_market()
    gone = dataclasses.replace(view.chains[NAME], instruments=(), values=np.empty((17, 0)))
    assert scanned(with_chain(view, gone)).report.reason == "no option data"


def test_crossed_quotes_are_insufficient() -> None:
    view = straddle_market()
    one = view.chains[NAME]
    unknown = np.full(one.size, np.nan)
    (item,) = scanned(with_chain(view, with_values(one, bid=unknown, ask=unknown))).dispositions
    assert (item.kind, item.stage) == ("insufficient_data", "chain.strikes")
