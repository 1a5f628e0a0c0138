from __future__ import annotations

from typing import Any

import pytest

from sextant.errors import InputError
from sextant.scans.records import ScanRequest
from support import scans as make


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"min_profit_usd": -1.0}, "min_profit_potential is -1.0"),
        ({"max_capital_usd": 0.0}, "max_required_capital is 0.0"),
        ({"instruments": ("BTC",) * 201}, "201 instruments; at most 200"),
        ({"strategy_ids": ()}, "0 strategy_ids; allowed are 1..32"),
    ],
)
def test_filters_out_of_bounds_are_refused_by_name_and_value(facts: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        ScanRequest(**facts)


def test_progress_reaches_a_hundred_only_in_the_end_state() -> None:
    running = make.status(ended_strategies=2, total_strategies=2)
    assert running.percentage == 99
    assert make.status(status="complete", ended_strategies=2, total_strategies=2).percentage == 100
    assert make.status(ended_strategies=9, total_strategies=14).percentage == 64


def test_coverage_is_complete_only_without_late_and_failed_strategies() -> None:
    assert make.status(ended_strategies=2, outcomes={"ok": 2}).complete_coverage
    assert not make.status(ended_strategies=2, outcomes={"ok": 1, "late": 1}).complete_coverage
    assert not make.status(ended_strategies=1, outcomes={"ok": 1}).complete_coverage
