"""The two markets of strategies.md 3.10, and the other shapes worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.view import View
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, StrategyRun, run_strategy
from sextant.scans.universe import choose
from sextant.strategies.columns import Columns
from sextant.strategies.expiries import expiries_of
from sextant.strategies.library.ai_complex_strategy import NEEDS, STRATEGY, proposals
from sextant.strategies.option_ideas import ChainVerdict, Idea, speak
from sextant.strategies.prices import CostAssumptions
from support.option_markets import AS_OF_NS, NAME, Quoted, chain, condor_market, daily, market

RICH = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"deribit": 100_000.0})
STRIKES = [48_000.0, 52_000.0, 54_000.0, 56_000.0, 60_000.0, 64_000.0, 66_000.0, 68_000.0, 74_000.0]


def scanned(view: View) -> StrategyRun:
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    request = ScanRequest()
    run = run_strategy(STRATEGY, Asked(part, choose(view, request, part.turnover_usd), RICH, request))
    assert sum(run.report.dispositions.values()) == run.report.candidates == view.size
    return run


def ideas(view: View) -> dict[str, Idea]:
    found = speak(Columns(view), STRATEGY.defaults(), NEEDS, proposals)
    assert isinstance(found, ChainVerdict)
    said = found.underlyings["BTC"].ideas
    return {idea.structure.shape: idea for idea in said if idea.structure is not None}


def test_it_emits_the_condor_of_the_page() -> None:
    (row,) = scanned(condor_market()).opportunities
    units = float(row.size.quantity)
    assert float(row.entry or 0) == pytest.approx(999, rel=0.01)
    fees = next(line for line in row.costs if line.item == "fee_entry")
    assert -(fees.usd or 0) / units == pytest.approx(72, rel=0.001)
    assert (row.edge_usd or 0) / units == pytest.approx(673, rel=0.02)
    assert row.edge_bps is not None
    assert row.edge_lcb_bps is not None
    assert (row.edge_bps - row.edge_lcb_bps) / 0.84 * 6.0 == pytest.approx(113, rel=0.02)
    assert row.evidence.hit_frac == pytest.approx(0.90, rel=0.02)
    assert (row.es95_usd or 0) / units == pytest.approx(2_420, rel=0.02)
    assert row.risk_facts["largest_loss_usd"] / units == pytest.approx(3_095, rel=0.02)
    assert row.size.required_capital_usd == pytest.approx(row.risk_facts["largest_loss_usd"])


def test_it_is_silent_where_options_are_not_dear_enough() -> None:
    (item,) = scanned(condor_market(iv=0.61, scale=0.0314)).dispositions
    assert (item.kind, item.stage, item.limit) == ("gate_failed", "vol_ratio", 1.20)
    assert item.value == pytest.approx(1.15, rel=0.02)


def test_without_a_chain_it_is_skipped() -> None:
    assert scanned(market(daily(0.0209))).report.reason == "no option data"


def test_every_shape_has_its_legs() -> None:
    found = ideas(market(daily(0.0209), chain(Quoted(14, 0.62, STRIKES), Quoted(28, 0.60, STRIKES))))
    told = {
        shape: [(leg.quantity, float(leg.expiry.strike[leg.at]), int(leg.expiry.right[leg.at])) for leg in idea.structure.legs]
        for shape, idea in found.items()
        if idea.structure is not None
    }  # fmt: skip
    assert [many for many, _, _ in told["iron_condor"]] == [1, -1, -1, 1]
    assert [strike for _, strike, _ in told["iron_condor"]] == sorted(
        strike for _, strike, _ in told["iron_condor"]
    )
    assert told["iron_butterfly"][1:3] == [(-1, 60_000.0, -1), (-1, 60_000.0, 1)]
    assert [many for many, _, _ in told["butterfly"]] == [1, -2, 1]
    assert {right for _, _, right in told["butterfly"]} == {1}
    assert told["calendar_spread"] == [(-1, 60_000.0, 1), (1, 60_000.0, 1)]
    assert len(found["calendar_spread"].structure.legs) == 2  # type: ignore[union-attr]  # it has one


def test_the_term_ratio_is_worked_by_hand() -> None:
    """62 % for 14 days and 55 % for 28: forward variance 2 x 0.3025 - 0.3844 = 0.2206, volatility 46.97 %."""
    found = ideas(market(daily(0.0209), chain(Quoted(14, 0.62, [60_000.0]), Quoted(28, 0.55, [60_000.0]))))
    reading = next(gate for gate in found["calendar_spread"].readings if gate.gate == "term_ratio")
    assert reading.value == pytest.approx(0.62 / math.sqrt(2 * 0.55**2 - 0.62**2))
    assert reading.passed


def test_a_far_expiry_too_cheap_to_be_believed_makes_no_calendar() -> None:
    found = ideas(market(daily(0.0209), chain(Quoted(14, 0.90, [60_000.0]), Quoted(28, 0.55, [60_000.0]))))
    assert "calendar_spread" not in found


def test_a_butterfly_cannot_lose_more_than_it_costs() -> None:
    view = market(daily(0.0209), chain(Quoted(14, 0.62, STRIKES)))
    structure = ideas(view)["butterfly"].structure
    assert structure is not None
    low, _, high = (float(leg.expiry.strike[leg.at]) for leg in structure.legs)
    settled = np.array([low - 5_000, low, 60_000.0, high, high + 5_000])
    worth = structure.worth(settled)
    assert worth.tolist() == [
        0.0,
        0.0,
        60_000 - low,
        2 * 60_000 - low - high + (high - high),
        120_000 - low - high,
    ]


def test_one_strike_makes_no_condor() -> None:
    (item,) = scanned(market(daily(0.0209), chain(Quoted(14, 0.62, [60_000.0])))).dispositions
    assert (item.kind, item.stage) == ("insufficient_data", "chain.strikes")
    assert expiries_of(chain(Quoted(14, 0.62, [60_000.0])), AS_OF_NS)[0].chain == NAME
