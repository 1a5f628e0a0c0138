"""The strategies of bars beyond the spot ones, from a market to the answer of a scan, with their own evidence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.bar import BAR_FIELDS
from sextant.model.times import INTERVAL_NS
from sextant.model.view import View, bar_frame
from sextant.scans.offline import Question, scan_view
from sextant.scans.records import Coverage, ScanRequest, ScanResults
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from support.bar_markets import (
    EMITS,
    REFUSES,
    futures_market,
    reversal_market,
    scalping_market,
    squeeze_market,
)
from support.markets import known_at, reordered, specs_of

RICH = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"binance": 100_000.0})

each = pytest.mark.parametrize("name", list(EMITS))


def scanned(name: str, view: View, account: Account = RICH) -> tuple[ScanResults, Coverage]:
    question = Question(ScanRequest(strategy_ids=(name,)), account, strategies(), "test")
    return scan_view(MarketPart(view, CostAssumptions(), EvidenceShelf()), question)


@each
def test_a_scan_finds_the_idea_and_disposes_every_instrument(name: str) -> None:
    view = EMITS[name]()
    results, coverage = scanned(name, view)
    (report,) = results.strategies
    assert (report.outcome, report.opportunities) == ("ok", len(results.found))
    assert len(results.found) >= 1
    assert {item.opportunity.strategy_id for item in results.found} == {name}
    assert report.candidates == view.size == len(coverage.candidates) == sum(report.dispositions.values())
    own = {leg.instrument for item in results.found for leg in item.opportunity.legs}
    assert view.instruments[0].instrument in own


@each
def test_a_scan_is_empty_without_the_cause_and_shows_the_gate_and_what_would_flip_it(name: str) -> None:
    market, gate = REFUSES[name]
    view = market()
    results, coverage = scanned(name, view)
    (report,) = results.strategies
    assert (report.outcome, report.opportunities, results.found) == ("empty", 0, ())
    _, first = next(
        item for item in coverage.candidates if item[1].instruments[0] == view.instruments[0].instrument
    )
    assert (first.kind, first.stage) == ("gate_failed", gate)
    assert first.flips_if is not None
    assert gate in {step.gate for step in report.funnel if step.passed < step.entered}


@pytest.mark.parametrize(
    ("name", "market", "gate", "distance"),
    [
        # 24 h of +0.07 % an hour: 0.0168 of 0.02.
        ("ai_futures_trade", lambda: futures_market(0.0007), "participation", 0.16),
        ("volatility_squeeze", lambda: squeeze_market(1.1), "volume", 0.2 / 1.3),
        ("liquidation_reversal", lambda: reversal_market(interest=-0.024), "interest_closed", 0.2),
        # 0.4 of a move of 78.6 bps over 12 bps: 2.62 of 3.
        ("ai_scalping_strategy", lambda: scalping_market(0.4), "move_to_cost", 1.0 - 0.4 * 6.548 / 3.0),
    ],
)
def test_what_only_just_fails_is_a_near_miss(
    name: str, market: Callable[[], View], gate: str, distance: float
) -> None:
    results, coverage = scanned(name, market())
    ((_, answer),) = coverage.candidates
    assert (answer.kind, answer.stage, answer.failed_count) == ("gate_failed", gate, 1)
    assert answer.distance == pytest.approx(distance, rel=0.01)
    assert len(results.strategies[0].near_misses) == 1


@each
def test_a_scan_of_no_such_bars_or_of_another_kind_says_why_it_was_skipped(name: str) -> None:
    view = EMITS[name]()
    results, _ = scanned(name, dataclasses.replace(view, bars={}))
    (report,) = results.strategies
    (interval,) = view.bars
    assert (report.outcome, report.reason) == ("skipped", f"no {interval} bars")


def test_perpetuals_only_means_that_a_market_of_spot_is_skipped() -> None:
    view = EMITS["ai_futures_trade"]()
    results, _ = scanned("ai_futures_trade", dataclasses.replace(view, instruments=specs_of(1)))
    assert (results.strategies[0].outcome, results.strategies[0].reason) == (
        "skipped",
        "no perpetual instruments",
    )


@each
@pytest.mark.parametrize("rows", [1, 3])
def test_a_scan_of_a_few_bars_is_insufficient_and_never_fails(name: str, rows: int) -> None:
    view = EMITS[name]()
    (frame,) = view.bars.values()
    cut = known_at(view, int(frame.open_ns[rows - 1]) + INTERVAL_NS[frame.interval])
    results, coverage = scanned(name, cut)
    assert results.found == ()
    assert {item.kind for _, item in coverage.candidates} == {"insufficient_data"}


@each
@pytest.mark.parametrize("field", BAR_FIELDS)
@pytest.mark.parametrize("value", [np.nan, 0.0], ids=["unknown", "zero"])
def test_a_scan_of_broken_last_bars_never_fails_and_never_guesses(
    name: str, field: str, value: float
) -> None:
    view = reordered(EMITS[name](), [0])
    (frame,) = view.bars.values()
    fields = {column: getattr(frame, column).copy() for column in BAR_FIELDS}
    fields[field][-2:] = value
    if field in ("open", "high", "low", "close") and value == 0.0:
        fields[field][-2:] = np.nan  # the market state refuses prices that no bar can have
    broken = bar_frame(frame.interval, frame.open_ns, fields)
    results, coverage = scanned(name, dataclasses.replace(view, bars={frame.interval: broken}))
    assert len(coverage.candidates) == 1
    if field in ("open", "high", "low", "close"):
        assert results.found == ()
        assert coverage.candidates[0][1].kind == "insufficient_data"
