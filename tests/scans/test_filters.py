from __future__ import annotations

from typing import Any

import pytest

from sextant.scans.filters import filtered, refusal
from sextant.scans.records import ScanRequest
from support import scans as make


@pytest.mark.parametrize(
    ("request_facts", "row_facts", "stage"),
    [
        ({"opportunity_types": ("breakout",)}, {}, "opportunity_type"),
        ({"risk_level": "low"}, {"risk_level": "medium"}, "filter_by_risk_level"),
        ({"timeframes": ("1h", "4h")}, {}, "preferred_timeframes"),
        ({"min_grade": "B"}, {"grade": "C"}, "min_grade"),
        ({"min_profit_usd": 5.0}, {"edge_usd": 4.99}, "min_profit_potential"),
        ({"min_profit_usd": 0.0}, {"edge_usd": None}, "min_profit_potential"),
        ({"max_capital_usd": 600.0}, {}, "max_required_capital"),
    ],
)
def test_each_filter_refuses_and_is_named(
    request_facts: dict[str, Any], row_facts: dict[str, Any], stage: str
) -> None:
    reading = refusal(ScanRequest(**request_facts), make.opportunity(**row_facts))
    assert reading is not None
    assert reading[0] == stage


@pytest.mark.parametrize(
    ("request_facts", "row_facts"),
    [
        ({}, {}),
        ({"opportunity_types": ("spot_momentum",)}, {}),
        ({"risk_level": "medium"}, {"risk_level": "medium"}),
        ({"timeframes": ("7d",)}, {}),
        ({"min_grade": "B"}, {"grade": "analytic"}),
        ({"min_profit_usd": 5.0}, {"edge_usd": 5.0}),
        ({"min_profit_usd": 5.0}, {"edge_usd": None, "lane": "protect"}),
        ({"max_capital_usd": 601.0}, {}),
    ],
)
def test_what_a_filter_allows_stays(request_facts: dict[str, Any], row_facts: dict[str, Any]) -> None:
    assert refusal(ScanRequest(**request_facts), make.opportunity(**row_facts)) is None


def test_a_filtered_row_says_which_value_met_which_limit() -> None:
    row = make.opportunity(edge_usd=4.0)
    reading = refusal(ScanRequest(min_profit_usd=5.0), row)
    assert reading is not None
    disposition = filtered(row, reading, "bybit:BTC-USDT:perpetual")
    assert (disposition.kind, disposition.stage, disposition.value, disposition.limit) == (
        "filtered_by_user",
        "min_profit_potential",
        4.0,
        5.0,
    )
