from __future__ import annotations

from typing import Any

import pytest

from sextant.scans import transitions
from sextant.scans.records import ScanError, StrategyReport
from support import scans as make


def _report(
    outcome: Any, reason: str | None = None, candidates: int = 2, without_data: int = 0
) -> StrategyReport:
    return StrategyReport(
        strategy_id="x",
        name="X",
        outcome=outcome,
        reason=reason,
        candidates=candidates,
        dispositions={"insufficient_data": without_data},
    )


@pytest.mark.parametrize(
    ("reports", "outcome"),
    [
        ([_report("ok"), _report("empty")], "ok"),
        ([_report("ok"), _report("skipped", "not_entitled")], "ok"),
        ([_report("ok"), _report("skipped", "no option data")], "partial"),
        ([_report("ok"), _report("late")], "partial"),
        ([_report("empty"), _report("failed")], "partial"),
        ([_report("empty", without_data=2), _report("skipped", "no option data")], "insufficient"),
        ([_report("empty", without_data=2), _report("skipped", "not_entitled")], "insufficient"),
        ([_report("empty", without_data=1)], "ok"),
        ([_report("late"), _report("late")], "late"),
        ([_report("late"), _report("failed")], "failed"),
    ],
)
def test_the_outcome_of_a_scan_follows_from_its_strategies(
    reports: list[StrategyReport], outcome: str
) -> None:
    assert transitions.outcome_of(reports) == outcome


def test_an_ended_strategy_raises_the_counts_and_tells_each_opportunity() -> None:
    status = make.status(ended_strategies=1, found_count=3, outcomes={"ok": 1})
    change = transitions.strategy_ended(status, 1, _report("empty"), b"", [])
    assert change.facts["ended_strategies"] == 2
    assert change.facts["found_count"] == 3
    assert change.facts["outcomes"] == {"ok": 1, "empty": 1}
    assert [kind for kind, _ in change.events] == ["strategy", "progress"]


def test_a_strategy_that_has_not_ended_cannot_be_written_as_ended() -> None:
    with pytest.raises(AssertionError, match="has not ended"):
        transitions.strategy_ended(make.status(), 0, _report(None), b"", [])


@pytest.mark.parametrize(
    ("reason", "outcome", "word"), [("budget_exceeded", "late", "timeout"), ("cancelled", "failed", "error")]
)
def test_a_failed_scan_says_why_in_row_and_events(reason: str, outcome: str, word: str) -> None:
    status = make.status(phase="strategies_scan", found_count=4)
    change = transitions.failed(status, ScanError("code", reason, "It ended."), 5_000)
    assert (change.facts["status"], change.facts["outcome"], change.facts["finished_ns"]) == (
        "failed",
        outcome,
        5_000,
    )
    left, entered, done = (body for _, body in change.events)
    assert (left["phase"], left["status"]) == ("strategies_scan", word)
    assert (entered["phase"], entered["error"]) == ("failed", "It ended.")
    assert (done["total_opportunities"], done["error"]["reason"]) == (4, reason)
