from __future__ import annotations

import pytest

from sextant.kit.clock import ManualClock
from sextant.kit.conditions import Conditions
from sextant.scans.pace import RUNS, Pace, budget_s


def test_budget_is_that_of_the_contract_for_50_and_for_1000() -> None:
    """Confluence.md 7: 100 ms from bar close to published score, 15 ms for 50 instruments."""
    assert budget_s(1) == budget_s(50) == 0.015
    assert budget_s(1_000) == 0.1
    assert budget_s(525) == pytest.approx(0.0575)


def paced() -> tuple[Pace, Conditions]:
    conditions = Conditions(ManualClock(1))
    return Pace(conditions), conditions


def kinds(conditions: Conditions) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in conditions.open()]


def test_a_part_is_slow_by_the_median_of_twenty_runs() -> None:
    pace, conditions = paced()
    for _ in range(RUNS - 1):
        pace.note("scores", 0.2, 1_000)
    assert kinds(conditions) == []
    for _ in range(2):
        pace.note("scores", 0.2, 1_000)
    assert kinds(conditions) == [("slow_calculation", "scores")]


def test_some_slow_runs_are_no_slow_part() -> None:
    pace, conditions = paced()
    for at in range(60):
        pace.note("scores", 0.2 if at % 3 == 0 else 0.05, 1_000)
    assert kinds(conditions) == []


def test_a_slow_part_must_become_clearly_faster() -> None:
    pace, conditions = paced()
    for _ in range(RUNS + 1):
        pace.note("scores", 0.2, 1_000)
    for _ in range(2 * RUNS):
        pace.note("scores", 0.09, 1_000)  # within the budget, above four fifths of it
    assert kinds(conditions) == [("slow_calculation", "scores")]
    for _ in range(RUNS + 3):
        pace.note("scores", 0.079, 1_000)
    assert kinds(conditions) == []


def test_a_part_far_beyond_its_budget_is_left_out_once() -> None:
    pace, _ = paced()
    pace.note("facts", 2.5, 1_000)  # no score waits for facts: they may take five times as long
    assert not pace.skips("facts")
    pace.note("facts", 2.51, 1_000)
    assert pace.skips("facts")
    assert not pace.skips("facts")
    assert not pace.skips("overview")
