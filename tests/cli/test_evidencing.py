"""The evidence report: what each strategy would have earned, in a table, as JSON and as a page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sextant.cli import exits
from sextant.cli.evidencing import Order, curve_of, report_of
from sextant.cli.report import Bucket, Curve, PackEvidence, Report, StrategyEvidence
from sextant.cli.report_page import page, plot
from support.commands import run
from support.evidence import Plan, planned_events, walked_bars
from support.packs import one_file

FLAT = (100.0, 100.5, 99.5, 100.0)
UP = (100.0, 112.0, 99.9, 111.0)
DOWN = (100.0, 100.1, 88.0, 89.0)


def test_the_curve_adds_up_net_outcomes_in_the_order_they_became_known() -> None:
    frame = walked_bars(FLAT, UP, FLAT, DOWN, FLAT, UP, FLAT)
    table = planned_events(frame, Plan(rows=(0, 2, 4), direction=1, stop=90.0, target=110.0, horizon=1))
    # Targets are filled at 110 and the stop at 90, from an open of 100: +1000, -1000 and +1000 bps before 25 of cost.
    assert curve_of(table, np.array([25.0])).sum_bps == pytest.approx((975.0, -50.0, 925.0))


def test_the_curve_is_empty_where_nothing_happened_or_no_cost_is_known() -> None:
    frame = walked_bars(FLAT, UP, FLAT, FLAT)
    nothing = planned_events(frame, Plan(rows=(), direction=1, stop=90.0, target=110.0, horizon=1))
    something = planned_events(frame, Plan(rows=(0,), direction=1, stop=90.0, target=110.0, horizon=1))
    assert curve_of(nothing, np.array([25.0])) == Curve(0, (), ())
    assert curve_of(something, np.array([np.nan])) == Curve(0, (), ())


def test_a_line_needs_two_events() -> None:
    assert "Too few events" in plot(Curve(1, (1,), (3.0,)))
    assert "polyline points='8.0," in plot(Curve(2, (1, 2), (3.0, -4.0)))


def test_the_page_says_why_a_strategy_was_not_scored_and_trusts_no_text() -> None:
    silent = StrategyEvidence(
        "quiet", "<b>Quiet</b>", "no trades & no books", None, None, None, Curve(0, (), ())
    )
    pack = PackEvidence("<i>.parquet", 3, "1h", 0, 1, None, (), (silent,))
    text = page(Report("version <1>", 5.0, (pack,)))
    assert "Not scored: no trades &amp; no books." in text
    assert "version &lt;1&gt;" in text
    assert "<b>" not in text
    assert "<i>" not in text


@pytest.mark.data
def test_the_report_on_real_bars_is_consistent_with_itself(tmp_path: Path, data_dir: Path) -> None:
    pack = data_dir / "ohlcv" / "binance_spot_5m_12symbols_2024.parquet"
    out = tmp_path / "evidence.html"
    done = run("evidence", "--data", str(pack), "--out", str(out), "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    [told] = json.loads(done.stdout)["packs"]
    assert (told["instruments"], told["interval"]) == (12, "5m")
    scored = [item for item in told["strategies"] if item["skipped"] is None]
    assert scored
    for item in scored:
        both, long, short = item["both"], item["long"], item["short"]
        assert both["n"] == long["n"] + short["n"]
        curve = item["curve"]
        assert curve["count"] <= both["n"]
        if both["expectancy_bps"] is not None:
            assert curve["sum_bps"][-1] == pytest.approx(curve["count"] * both["expectancy_bps"], rel=1e-6)
    text = out.read_text(encoding="utf-8")
    assert all(item["strategy_id"] in text for item in told["strategies"])
    assert "<svg" in text
    assert "<script" not in text


@pytest.mark.data
def test_the_table_fits_a_terminal_of_80_columns(tmp_path: Path, data_dir: Path) -> None:
    pack = data_dir / "ohlcv" / "binance_spot_5m_12symbols_2024.parquet"
    done = run("evidence", "--data", str(pack), folder=tmp_path, COLUMNS="80")
    assert "unpro…" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_page_shows_what_was_stated_against_what_came_for_each_strategy_and_all() -> None:
    quiet = StrategyEvidence("quiet", "Quiet", "no trades", None, None, None, Curve(0, (), ()))
    rows = (
        Bucket("quiet", 0.7, 0.8, 0.72, 200, 130, 0.65, 0.59, 0.70, inside=False),
        Bucket("all", 0.7, 0.8, 0.72, 300, 210, 0.70, 0.65, 0.74, inside=True),
    )
    pack = PackEvidence("p.parquet", 3, "1h", 0, 1, None, (), (quiet,), rows)
    text = page(Report("version", 5.0, (pack,)))
    assert "Of 2 buckets 1 were stated inside" in text
    for cells in (
        "Quiet</td><td>70 to 80 %</td><td>72.0 %</td><td>200</td><td>130</td><td>65.0 %</td><td>59.0 .. 70.0 %</td><td>no",
        "All of them</td><td>70 to 80 %</td><td>72.0 %</td><td>300</td><td>210</td><td>70.0 %</td><td>65.0 .. 74.0 %</td><td>yes",
    ):
        assert cells in text


def test_without_predictions_the_page_says_so() -> None:
    quiet = StrategyEvidence("quiet", "Quiet", "no trades", None, None, None, Curve(0, (), ()))
    pack = PackEvidence("p.parquet", 3, "1h", 0, 1, None, (), (quiet,))
    assert "No probability could be stated" in page(Report("version", 5.0, (pack,)))


def test_all_strategies_together_are_the_sum_of_each(tmp_path: Path) -> None:
    (pack,) = report_of(Order((str(one_file(tmp_path, 4_000)),))).packs
    by_name: dict[str, tuple[int, int]] = {}
    for row in pack.reliability:
        n, hits = by_name.get(row.strategy_id, (0, 0))
        by_name[row.strategy_id] = (n + row.n, hits + row.hits)
        assert row.observed_frac == row.hits / row.n
        assert row.inside == (row.low_frac <= row.stated_frac <= row.high_frac)
        assert row.bucket_low <= row.stated_frac <= row.bucket_high
    together = by_name.pop("all")
    assert len(by_name) >= 2
    assert together == (sum(n for n, _ in by_name.values()), sum(hits for _, hits in by_name.values()))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--data", "absent.parquet"), "absent.parquet"),
        (("--data", "absent.parquet", "--assume-spread-bps", "1001"), "1001"),
    ],
)
def test_wrong_values_are_refused_by_name(tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    done = run("evidence", *words, folder=tmp_path)
    assert done.returncode == exits.INPUT
    assert named in done.stderr
