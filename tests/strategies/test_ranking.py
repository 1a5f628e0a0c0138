from __future__ import annotations

from typing import Any

import pytest

from sextant.model.opportunity import Opportunity
from sextant.strategies.ranking import AccountRisk, added_risk_usd, rank_score, ranked
from sextant.strategies.sizing import PROFILES
from support.scans import opportunity

BALANCED = PROFILES["balanced"]


def test_the_score_is_expected_dollars_per_dollar_of_risk_less_the_price_of_risk() -> None:
    # E = 10,000 x 50 bps = 50; R = 2.063 x 0.04 x 10,000 = 825.2; lambda 0.05.
    assert rank_score(50.0, 10_000.0, 0.04, BALANCED) == pytest.approx(50.0 / 825.2 - 0.05)


def test_an_offsetting_exposure_raises_the_score_and_counts_a_quarter_at_least() -> None:
    alone = rank_score(50.0, 10_000.0, 0.04, BALANCED)
    held = AccountRisk(es95_usd=2_000.0, correlation=-0.5)
    assert rank_score(50.0, 10_000.0, 0.04, BALANCED, held) > alone
    mirror = AccountRisk(es95_usd=50_000.0, correlation=-1.0)
    assert added_risk_usd(0.04, 10_000.0, mirror) == pytest.approx(825.2 / 4)


def test_the_same_exposure_again_adds_its_whole_shortfall() -> None:
    same = AccountRisk(es95_usd=825.2, correlation=1.0)
    assert added_risk_usd(0.04, 10_000.0, same) == pytest.approx(825.2)


def test_an_account_over_its_budget_pays_more_for_risk() -> None:
    over = AccountRisk(es_share_of_budget=2.0)
    assert rank_score(50.0, 10_000.0, 0.04, BALANCED, over) == pytest.approx(
        rank_score(50.0, 10_000.0, 0.04, BALANCED) - 0.05
    )


def test_cheaper_fees_raise_the_score() -> None:
    assert rank_score(52.0, 10_000.0, 0.04, BALANCED) > rank_score(50.0, 10_000.0, 0.04, BALANCED)


def _row(key: str, **changes: Any) -> Opportunity:
    return opportunity(opportunity_key=key, **changes)


def test_rows_stand_by_group_score_dollars_and_key() -> None:
    proven = {"rank_group": 0, "edge_lcb_bps": 1.0}
    rows = [
        _row("e", rank_group=1),
        _row("d", rank_score=0.1, edge_usd=5.0, **proven),
        _row("c", rank_score=0.1, edge_usd=5.0, **proven),
        _row("b", rank_score=0.1, edge_usd=7.0, **proven),
        _row("a", rank_score=0.3, edge_usd=1.0, **proven),
    ]
    assert [row.opportunity_key for row in ranked(rows)] == ["a", "b", "c", "d", "e"]
    assert ranked(rows) == ranked(reversed(rows))


def test_without_an_account_the_lower_bound_of_the_edge_decides() -> None:
    rows = [
        _row("a", rank_group=0, edge_lcb_bps=3.0, edge_usd=9.0),
        _row("b", rank_group=0, edge_lcb_bps=30.0, edge_usd=1.0),
    ]
    assert [row.opportunity_key for row in ranked(rows)] == ["b", "a"]


def test_unproven_rows_stand_by_the_hit_fraction_that_pays_their_costs() -> None:
    rows = [
        _row("a", rank_group=1, break_even_hit_frac=0.5),
        _row("b", rank_group=1, break_even_hit_frac=0.3),
    ]
    assert [row.opportunity_key for row in ranked(rows)] == ["b", "a"]
