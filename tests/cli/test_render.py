from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from sextant.cli import render


def report(name: str, outcome: str, **changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "reason": None,
        "candidates": 3,
        "execution_time_ms": None,
        "funnel": [],
        "near_misses": [],
    }
    return {"strategy_id": name, "outcome": outcome} | facts | changes


def row(rank: int, **changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "rank": rank,
        "instruments": ["bybit:BTC-USDT:perpetual"],
        "symbol": "BTC/USDT",
        "direction": "long",
        "opportunity_type": "spot_momentum",
        "grade": "B",
        "edge_bps": 12.5,
        "confidence_score": 55.0,
        "confidence_n": 60,
        "size_usd": 1_000.0,
        "horizon_s": 3_600.0,
        "risk_level": "low",
        "metadata": {"costs_bps": -20.0, "size_illustrative": False},
    }
    return facts | changes


def told(rows: list[dict[str, Any]], reports: list[dict[str, Any]], width: int = 80, **changes: Any) -> str:
    counts = {one["strategy_id"]: {"count": len(rows) if one["outcome"] == "ok" else 0} for one in reports}
    body = {
        "total_opportunities": len(rows),
        "asset_discovery": {"total_assets_scanned": 3},
        "as_of": "2026-03-01T12:00:00.000Z",
        "feed": "live",
        "simulated": False,
        "outcome": "ok",
        "status": "complete",
        "execution_time_ms": None,
        "opportunities": rows,
        "strategy_performance": counts,
    }
    written = StringIO()
    render.scan(Console(width=width, file=written), body | changes, reports, ("made of bars",))
    return written.getvalue()


def test_a_narrow_console_keeps_every_cell_whole_and_leaves_out_the_last_columns() -> None:
    narrow, wide = (told([row(1)], [report("one", "ok")], width) for width in (80, 120))
    assert "1 BTC-USDT perp long spot_momentum B       +12.5 55%/60 1,000" in narrow
    assert "costs" not in narrow
    assert "costs" in wide
    assert "-20.0  1 h low" in wide


def test_unknown_numbers_are_dashes_and_a_portfolio_has_its_name() -> None:
    unproven = row(
        1,
        instruments=[],
        symbol="PORTFOLIO",
        edge_bps=None,
        confidence_score=None,
        metadata={"costs_bps": None, "size_illustrative": True},
    )
    text = told([unproven], [report("one", "ok")], 120)
    assert "PORTFOLIO" in text
    assert "-/60 1,000*     -" in text
    assert "no account was given" in text


def test_strategies_that_did_not_run_are_named_by_their_reason_and_gates_by_how_many_they_refused() -> None:
    funnel = [{"gate": "trend", "in": 3, "out": 1}, {"gate": "volume", "in": 1, "out": 1}]
    reports = [
        report("one", "empty", funnel=funnel, execution_time_ms=12.4),
        report("two", "skipped", reason="no option data"),
        report("three", "skipped", reason="no option data"),
    ]
    text = told([], reports, 100, execution_time_ms=431.2)
    assert "ok in 431 ms" in text
    assert "one      empty  3 12 trend 2" in text
    assert "volume" not in text
    assert "skipped, no option data: two, three" in text


def test_near_misses_stand_in_order_of_what_is_missing() -> None:
    def miss(instrument: str, failed: int, distance: float | None, flips: str | None) -> dict[str, Any]:
        return {
            "instrument": instrument,
            "gate": "trend",
            "value": 0.4,
            "limit": 0.5,
            "failed_count": failed,
            "distance_frac": distance,
            "flips_if": flips,
        }

    misses = [miss("far", 2, 0.01, "x"), miss("near", 1, 0.2, None), miss("nearest", 1, 0.1, "trend rises")]
    lines = told([], [report("one", "empty", near_misses=misses)]).splitlines()
    shown = [line for line in lines if line.startswith(("far", "near"))]
    assert [line.split()[0] for line in shown] == ["near", "nearest", "near", "far"]
    assert "trend is 0.400, the limit is 0.500" in shown[2]
