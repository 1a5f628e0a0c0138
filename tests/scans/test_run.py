from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from sextant.evidence.events import EventTable
from sextant.model.account import Account
from sextant.model.opportunity import Disposition
from sextant.model.view import View
from sextant.scans import run as run_module
from sextant.scans.records import ScanRequest
from sextant.scans.run import (
    Asked,
    EvidenceShelf,
    MarketPart,
    run_strategy,
    scorer_of,
    skipped_run,
)
from sextant.scans.universe import choose
from sextant.strategies.catalog import strategies
from sextant.strategies.contract import Strategy
from sextant.strategies.costs import Pricing
from sextant.strategies.prices import CostAssumptions
from support.bar_markets import residual_market
from support.carries import pairs_market, spot_carry, two_venues
from support.house import MOMENTUM, VIEW
from support.makers import maker_market
from support.markets import breakout_market, momentum_market, reordered, reversion_market
from support.option_markets import straddle_market

_STRATEGY = strategies()[MOMENTUM]


def _asked(request: ScanRequest | None = None, shelf: EvidenceShelf | None = None) -> Asked:
    part = MarketPart(VIEW, CostAssumptions(), shelf or EvidenceShelf())
    wanted = request or ScanRequest()
    return Asked(part, choose(VIEW, wanted, part.turnover_usd), Account(), wanted)


def test_past_events_are_computed_once_per_closed_bar() -> None:
    shelf = EvidenceShelf()
    first, second = (MarketPart(VIEW, CostAssumptions(), shelf) for _ in range(2))
    table = first.events(_STRATEGY, first.verdict(_STRATEGY))
    later = dataclasses.replace(VIEW, as_of_ns=VIEW.as_of_ns + 1)
    moved = MarketPart(later, CostAssumptions(), shelf)
    assert second.events(_STRATEGY, second.verdict(_STRATEGY)) is table
    assert moved.events(_STRATEGY, moved.verdict(_STRATEGY)) is table
    other = MarketPart(reordered(VIEW, list(range(VIEW.size))[::-1]), CostAssumptions(), shelf)
    assert other.events(_STRATEGY, other.verdict(_STRATEGY)) is not table


def test_the_shelf_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "EVENT_TABLES_KEPT", 2)
    shelf = EvidenceShelf()
    part = MarketPart(VIEW, CostAssumptions(), EvidenceShelf())
    table = part.events(_STRATEGY, part.verdict(_STRATEGY))
    made: list[int] = []

    def make(number: int) -> EventTable:
        made.append(number)
        return table

    for number in (1, 2, 3, 2, 3, 1):
        shelf.get((number,), lambda number=number: make(number))  # type: ignore[misc]  # bound at definition
    assert made == [1, 2, 3, 1]


def test_candidates_outside_the_universe_are_not_counted() -> None:
    base = VIEW.instruments[0].instrument.base
    run = run_strategy(_STRATEGY, _asked(ScanRequest(instruments=(base,))))
    assert run.report.candidates == 1
    assert [item.instruments for item in run.dispositions] == [(VIEW.instruments[0].instrument,)]


def test_a_strategy_that_was_not_run_disposes_every_candidate_with_the_reason() -> None:
    run = skipped_run(_STRATEGY, "deadline", "late", _asked())
    assert (run.report.outcome, run.report.reason) == ("late", "deadline")
    assert run.report.dispositions["late"] == run.report.candidates == VIEW.size


def test_a_filter_moves_a_row_from_found_to_filtered_and_loses_none() -> None:
    free = run_strategy(_STRATEGY, _asked())
    strict = run_strategy(_STRATEGY, _asked(ScanRequest(min_grade="A", max_capital_usd=1.0)))
    assert free.report.candidates == strict.report.candidates
    assert strict.opportunities == ()
    assert strict.report.dispositions["filtered_by_user"] == free.report.dispositions["opportunity"] > 0


def test_turnover_is_known_where_bars_state_it() -> None:
    part = MarketPart(VIEW, CostAssumptions(), EvidenceShelf())
    assert part.turnover_usd.shape == (VIEW.size,)
    assert np.isfinite(part.turnover_usd).all()


def _whole(**facts: object) -> Strategy:
    return dataclasses.replace(_STRATEGY, unit="portfolio", **facts)  # type: ignore[arg-type]  # fields of Strategy


def test_a_strategy_of_the_portfolio_is_skipped_where_there_is_none() -> None:
    run = run_strategy(_whole(), _asked())
    assert (run.report.outcome, run.report.reason) == ("skipped", "no portfolio")
    assert [(item.unit, item.kind, item.stage) for item in run.dispositions] == [
        ("portfolio", "insufficient_data", "no portfolio")
    ]


def test_a_strategy_may_judge_its_own_candidates_and_then_no_past_event_is_looked_up() -> None:
    said = [Disposition(unit=f"check {number}", instruments=(), kind="gate_failed") for number in range(3)]
    shelf = EvidenceShelf()
    shelf.get = lambda *_: pytest.fail("the past was looked up")  # type: ignore[method-assign]
    run = run_strategy(dataclasses.replace(_STRATEGY, judge=lambda *_: ([], list(said))), _asked(shelf=shelf))
    assert list(run.dispositions) == said
    assert run.report.candidates == 3


def test_past_post_only_entries_are_charged_the_maker_and_half_the_spread() -> None:
    part = MarketPart(VIEW, CostAssumptions(), EvidenceShelf())
    table = part.events(_STRATEGY, part.verdict(_STRATEGY))
    pricing = Pricing(VIEW, Account(), CostAssumptions())
    taken, rested = (
        scorer_of(_STRATEGY, dataclasses.replace(table, resting=resting), pricing, None).summary()
        for resting in (False, True)
    )
    assert taken.expectancy_bps is not None
    assert rested.expectancy_bps is not None
    # Spot of the entry tier pays 10 bps either way; the quoted spread is crossed once instead of twice.
    saved = 0.5 * pricing.touch.spread_bps[table.column].mean()
    assert rested.expectancy_bps - taken.expectancy_bps == pytest.approx(saved)


def test_what_a_strategy_said_is_the_same_after_its_rows_were_let_go() -> None:
    shelf = EvidenceShelf()
    asked = _asked(shelf=shelf)
    part = asked.part
    before = run_strategy(_STRATEGY, asked)
    table = part.events(_STRATEGY, part.verdict(_STRATEGY))
    part.settle(_STRATEGY)
    part.spend()
    lean = part.verdict(_STRATEGY)
    assert lean.lean
    assert all(len(gate.values) == 1 for gate in lean.gates)
    again, later = run_strategy(_STRATEGY, asked), run_strategy(_STRATEGY, _asked(shelf=shelf))
    for run in (again, later):
        assert (run.report, run.opportunities) == (before.report, before.opportunities)
        assert list(run.dispositions) == list(before.dispositions)
    # Past events that were dropped are made of all rows again.
    shelf._tables.clear()
    fresh = MarketPart(VIEW, CostAssumptions(), shelf)
    assert fresh.verdict(_STRATEGY).lean
    assert fresh.events(_STRATEGY, fresh.verdict(_STRATEGY)).content_hash == table.content_hash


def test_rows_stay_until_the_past_events_of_a_strategy_are_known() -> None:
    part = MarketPart(VIEW, CostAssumptions(), EvidenceShelf())
    part.settle(_STRATEGY)
    assert not part.verdict(_STRATEGY).lean


@pytest.mark.parametrize(
    "make",
    [
        momentum_market,
        reversion_market,
        breakout_market,
        residual_market,
        maker_market,
        spot_carry,
        pairs_market,
        two_venues,
        straddle_market,
    ],
)
def test_every_strategy_can_let_go_of_its_rows_in_any_market(make: Callable[[], View]) -> None:
    view = make()
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    asked = Asked(part, choose(view, ScanRequest(), part.turnover_usd), Account(), ScanRequest())
    for strategy in strategies().values():
        before = run_strategy(strategy, asked)
        verdict = part.verdict(strategy)
        if verdict.skipped is None and verdict.interval in view.bars:
            part.events(strategy, verdict)
        part.settle(strategy)
        after = run_strategy(strategy, asked)
        assert (after.report, after.opportunities) == (before.report, before.opportunities)
