"""Why two scans differ: each change is attributed to what the two rows themselves show."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sextant.model.opportunity import CostLine, Disposition, Opportunity
from sextant.scans.diff import Share, Side, diff
from sextant.scans.records import Coverage, Found, StrategyReport
from support.scans import disposition, opportunity, status

A, B = "scan_" + "a" * 32, "scan_" + "b" * 32


def waterfall(**bps: float | None) -> tuple[CostLine, ...]:
    return tuple(CostLine(item, value, None, "test", None, "test") for item, value in bps.items())  # type: ignore[arg-type]  # names of lines


def side(
    scan_id: str,
    *rows: Opportunity,
    candidates: tuple[Disposition, ...] = (),
    strategies: tuple[str, ...] = ("first",),
    **facts: Any,
) -> Side:
    found = tuple(Found(f"opp_{place}", place, 1_000, row) for place, row in enumerate(rows, 1))
    reports = tuple(StrategyReport(strategy_id=name, name=name, outcome="ok") for name in strategies)
    facts = {"view_hash": scan_id, "status": "complete"} | facts
    said = tuple(("first", item) for item in candidates)
    return Side(found, Coverage(status=status(scan_id, **facts), strategies=reports, candidates=said))


def row(
    key: str = "key-1", *, notional: float = 600.0, edge: float | None = 5.0, **bps: float
) -> Opportunity:
    made = opportunity(opportunity_key=key, edge_bps=edge, costs=waterfall(**bps))
    return msgspec.structs.replace(made, size=msgspec.structs.replace(made.size, notional_usd=notional))


def test_equal_scans_have_no_change() -> None:
    found = diff(side(A, row(gross=20.0, fee_entry=-5.0)), side(B, row(gross=20.0, fee_entry=-5.0)))
    assert (found.a, found.b, found.changes, found.unchanged_count) == (A, B, (), 1)


def test_a_change_of_edge_is_shared_by_the_lines_that_changed() -> None:
    a = side(A, row(edge=12.0, gross=20.0, spread=-3.0, fee_entry=-5.0))
    b = side(B, row(edge=4.0, gross=14.0, spread=-5.0, fee_entry=-5.0))
    [change] = diff(a, b).changes
    assert (change.change, change.rank_a, change.rank_b, change.edge_a_bps, change.edge_b_bps) == (
        "moved",
        1,
        1,
        12.0,
        4.0,
    )
    assert change.causes == (Share("price", 0.75), Share("book", 0.25))  # 6 and 2 of 8 bps


def test_a_fee_tier_that_changed_is_configuration() -> None:
    a, b = row(edge=10.0, gross=20.0, fee_entry=-10.0), row(edge=15.0, gross=20.0, fee_entry=-5.0)
    [change] = diff(side(A, a), side(B, b)).changes
    assert change.causes == (Share("config", 1.0),)


def test_the_same_edge_at_another_size_is_the_portfolio() -> None:
    [change] = diff(side(A, row(gross=20.0)), side(B, row(notional=900.0, gross=20.0))).changes
    assert (change.change, change.causes) == ("resized", (Share("portfolio", 1.0),))


def test_a_row_pushed_down_by_another_is_explained_by_the_other() -> None:
    stays = row("stays", gross=20.0)
    a = side(A, stays, candidates=(disposition("BTC", "insufficient_data"),))
    b = side(B, row("new", edge=9.0, gross=30.0), stays)
    appeared, moved = diff(a, b).changes
    assert (appeared.change, appeared.causes) == ("appeared", (Share("missing_data", 1.0),))
    assert (moved.change, moved.rank_a, moved.rank_b) == ("moved", 1, 2)
    assert moved.causes == (Share("missing_data", 1.0),)


@pytest.mark.parametrize(
    ("kind", "stage", "cause"),
    [
        ("insufficient_data", "bars", "missing_data"),
        ("not_entitled", "", "entitlement"),
        ("filtered_by_user", "min_grade", "config"),
        ("below_min_notional", "", "portfolio"),
        ("gate_failed", "trend", "price"),
        ("gate_failed", "spread_bps", "book"),
        ("late", "deadline", "missing_data"),
    ],
)
def test_an_idea_that_is_gone_is_explained_by_what_the_later_scan_says_of_it(
    kind: str, stage: str, cause: Any
) -> None:
    later = disposition("bybit:BTC-USDT:perpetual", kind, stage=stage)
    [change] = diff(side(A, row(gross=20.0)), side(B, candidates=(later,))).changes
    assert (change.change, change.rank_b, change.edge_b_bps) == ("gone", None, None)
    assert change.causes == (Share(cause, 1.0),)


def test_an_edge_that_no_longer_covers_its_cost_is_split_into_price_and_book() -> None:
    later = disposition("BTC", "negative_net_edge", gross_bps=14.0, cost_bps=16.0)
    [change] = diff(side(A, row(gross=20.0, spread=-14.0)), side(B, candidates=(later,))).changes
    assert change.causes == (Share("price", 0.75), Share("book", 0.25))


def test_a_strategy_that_was_not_asked_is_configuration() -> None:
    [change] = diff(side(A, row(gross=20.0)), side(B, strategies=("second",))).changes
    assert change.causes == (Share("config", 1.0),)


def test_one_view_cannot_differ_in_price() -> None:
    a = side(A, row(edge=12.0, gross=20.0), view_hash="same", code_version="1")
    later = row(edge=6.0, gross=14.0)
    [build] = diff(a, side(B, later, view_hash="same", code_version="2")).changes
    [means] = diff(a, side(B, later, view_hash="same", code_version="1")).changes
    assert build.causes == (Share("code", 1.0),)
    assert means.causes == (Share("portfolio", 1.0),)


def test_another_build_on_another_market_is_named_without_a_share() -> None:
    a = side(A, row(edge=12.0, gross=20.0), code_version="1")
    b = side(B, row(edge=6.0, gross=14.0), code_version="2")
    [change] = diff(a, b).changes
    assert change.causes == (Share("price", 1.0), Share("code", None))


def test_shares_sum_to_one_and_swapping_the_scans_mirrors_the_change() -> None:
    a = side(A, row(edge=12.0, gross=20.0, spread=-3.0, funding=-1.0))
    b = side(B, row(edge=4.0, gross=14.0, spread=-5.0, funding=-1.5))
    [there], [back] = diff(a, b).changes, diff(b, a).changes
    assert sum(share.share_frac or 0.0 for share in there.causes) == pytest.approx(1.0)
    assert there.causes == back.causes
    assert (there.edge_a_bps, there.edge_b_bps) == (back.edge_b_bps, back.edge_a_bps)
