from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from sextant.errors import InputError, Insufficient
from sextant.model.account import Account
from sextant.model.times import INTERVAL_NS
from sextant.model.view import View
from sextant.scans.offline import Question, scan_view
from sextant.scans.records import ScanRequest, StrategyReport
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from support.house import VIEW
from support.markets import known_at
from support.views import empty_view

_QUESTION = Question(ScanRequest(), Account(), strategies(), "test")


def _part() -> MarketPart:
    return MarketPart(VIEW, CostAssumptions(), EvidenceShelf())


def test_equal_questions_give_equal_bytes() -> None:
    first, second = (msgspec.json.encode(scan_view(_part(), _QUESTION)) for _ in range(2))
    assert first == second


def test_another_request_account_or_code_is_another_scan() -> None:
    others = [
        dataclasses.replace(_QUESTION, request=ScanRequest(min_grade="A")),
        dataclasses.replace(_QUESTION, account=Account(profile="aggressive")),
        dataclasses.replace(_QUESTION, code_version="other"),
    ]
    ids = {scan_view(_part(), question)[0].status.scan_id for question in [_QUESTION, *others]}
    assert len(ids) == len(others) + 1


def test_each_strategy_is_told_as_it_ends_and_no_timing_is_kept() -> None:
    told: list[StrategyReport] = []
    results, coverage = scan_view(_part(), _QUESTION, told.append)
    assert tuple(told) == results.strategies
    assert all(report.execution_ms is None for report in results.strategies)
    assert len(coverage.candidates) == sum(report.candidates for report in results.strategies)
    looked_at = {report.strategy_id: report.candidates for report in results.strategies}
    assert {looked_at[name] for name, one in strategies().items() if one.unit == "instrument"} == {VIEW.size}


def test_opportunities_are_ranked_from_one() -> None:
    results, _ = scan_view(_part(), _QUESTION)
    assert [item.rank for item in results.found] == list(range(1, len(results.found) + 1))
    assert len(results.found) > 0


def test_a_filter_that_refuses_a_row_keeps_it_in_the_coverage() -> None:
    everything, _ = scan_view(_part(), _QUESTION)
    results, coverage = scan_view(
        _part(), dataclasses.replace(_QUESTION, request=ScanRequest(timeframes=("1h",)))
    )
    filtered = [item for _, item in coverage.candidates if item.kind == "filtered_by_user"]
    assert results.found == ()
    assert len(filtered) >= len(everything.found) > 0
    assert {item.stage for item in filtered} == {"preferred_timeframes"}


def test_a_view_without_instruments_is_insufficient() -> None:
    with pytest.raises(Insufficient, match="no instrument"):
        scan_view(MarketPart(empty_view(), CostAssumptions(), EvidenceShelf()), _QUESTION)


def test_a_request_that_names_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="NOPE"):
        scan_view(_part(), dataclasses.replace(_QUESTION, request=ScanRequest(instruments=("NOPE",))))


def test_views_that_share_what_was_made_of_bars_scan_to_the_same_bytes_as_fresh_ones() -> None:
    """Quotes move, the clock goes on, bars are added and come back: a warm shelf never shows."""
    shelf = EvidenceShelf()
    shorter = known_at(VIEW, VIEW.as_of_ns - 4 * INTERVAL_NS["1h"])
    views = [VIEW, _later(VIEW, 1), _later(VIEW, 2), shorter, _later(VIEW, 3), _later(VIEW, 60)]
    for view in views:
        warm, fresh = (
            msgspec.json.encode(scan_view(MarketPart(view, CostAssumptions(), kept), _QUESTION))
            for kept in (shelf, EvidenceShelf())
        )
        assert warm == fresh


def _later(view: View, seconds: int) -> View:
    """The same closed bars, some seconds later and with every quote a little higher and wider."""
    quotes, factor = view.quotes, 1.0 + 1e-5 * seconds
    moved = dataclasses.replace(
        quotes,
        bid=quotes.bid * factor,
        ask=quotes.ask * factor**2,
        event_ns=np.where(quotes.event_ns > 0, quotes.event_ns + seconds * 10**9, 0),
    )
    return dataclasses.replace(view, as_of_ns=view.as_of_ns + seconds * 10**9, quotes=moved)
