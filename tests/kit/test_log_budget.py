from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sextant.kit import log
from sextant.kit.clock import ManualClock
from sextant.kit.log_budget import BUDGET_PER_H, CAUSES, WINDOW_S, LogBudget, use


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.fixture
def plain_afterwards() -> Iterator[None]:
    yield
    log.configure()


def budgeted() -> ManualClock:
    """A clock whose budget is configured; in the test itself, because only there the stream is captured."""
    clock = ManualClock()
    log.configure(budget=LogBudget(clock))
    return clock


@pytest.mark.usefixtures("plain_afterwards")
def test_an_hour_of_an_outage_is_a_handful_of_lines(capsys: pytest.CaptureFixture[str]) -> None:
    clock = budgeted()
    logger = log.get("venues")
    for second in range(3_600):
        logger.warning("venue.unavailable", venue="bybit", code="unreachable", detail=f"attempt {second}")
        clock.advance(1)
    lines = _lines(capsys)
    assert len(lines) <= BUDGET_PER_H
    told = sum(int(str(line.get("repeated", 0))) for line in lines) + len(lines)
    assert told >= 3_600 - WINDOW_S, "what was held back is counted on the next line"
    used = use(3_600)
    assert used is not None
    assert (used.lines, used.lines + used.suppressed) == (len(lines), 3_600)
    assert used.top[0].event == "venue.unavailable"


@pytest.mark.usefixtures("plain_afterwards")
def test_other_causes_are_not_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    budgeted()
    logger = log.get("venues")
    for number in range(10):
        logger.warning("venue.unavailable", venue=f"venue{number}", code="unreachable")
    logger.warning("venue.unavailable", venue="venue1", code="throttled")
    assert len(_lines(capsys)) == 11


def test_causes_are_forgotten_before_they_fill_the_memory() -> None:
    budget = LogBudget(ManualClock())
    for number in range(3 * CAUSES):
        budget(None, "info", {"event": "e", "level": "info", "room": "r", "op": str(number)})
    assert len(budget._causes) == CAUSES


def test_without_a_budget_nothing_is_counted() -> None:
    log.configure()
    assert use(60) is None
