"""Couples on a recorded year of perpetuals at two venues: what a forecast is worth, and that silence is the usual answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.times import HOUR_NS
from sextant.scans.run import past_events
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.prices import CostAssumptions
from sextant.strategies.settled import settled_on
from support.couple_runs import scanned
from support.perps import STEP_NS, Recorded, recorded, view_at

pytestmark = pytest.mark.data

ROWS = 2_180  # a year of four-hour bars
WEEK_ROWS = 42
ASSUMED = CostAssumptions(spread_bps_assumed=2.0)


@pytest.fixture(scope="module")
def year(data_dir: Path) -> Recorded:
    return recorded(data_dir, ("binance", "bybit"))


@pytest.fixture(scope="module")
def end_ns(year: Recorded) -> int:
    last = min(int(times[-1]) for times, _ in year.bars.values()) + HOUR_NS
    return last - last % STEP_NS


def test_a_reverting_forecast_is_closer_than_todays_rate_times_its_settlements(
    year: Recorded, end_ns: int
) -> None:
    view = view_at(year, end_ns, ROWS)
    known = settled_on(view, "4h", np.arange(view.size), WEEK_ROWS)
    close_ns = view.bars["4h"].open_ns + STEP_NS
    for column, spec in enumerate(view.instruments):
        history = view.funding_history[spec.instrument]
        count = round(7 * 86_400 / float(view.derivatives.funding_interval_s[column]))
        last = np.searchsorted(history.time_ns, close_ns, side="right") - 1
        naive = history.value[np.maximum(last, 0)] * count
        told, came = known.expected[:, column], known.realised[:, column]
        both = np.isfinite(told + came)
        assert both.sum() > 1_500
        error, naive_error = np.abs(told - came)[both].mean(), np.abs(naive - came)[both].mean()
        assert error < 0.9 * naive_error, spec.instrument


def test_large_perpetuals_of_two_venues_pay_too_much_alike_to_be_held_against_each_other(
    year: Recorded, end_ns: int
) -> None:
    for back in (0, 200, 400, 600, 800, 1_000):
        run = scanned(
            "ai_funding_arbitrage", view_at(year, end_ns - back * STEP_NS, 300), Account(), None, ASSUMED
        )
        assert len(run.dispositions) == 5
        assert not run.opportunities
        told = {item.stage for item in run.dispositions}
        assert told <= {"persistence", "min_edge_bps", "break_even_s", "estimate_bps", "basis_entry"}


def test_pairs_of_a_year_are_too_few_to_prove_anything(year: Recorded, end_ns: int) -> None:
    view = view_at(year, end_ns, ROWS)
    chosen = strategy("ai_pairs_trading")
    verdict = chosen.evaluate(view, chosen.defaults(), Columns(view, ASSUMED))
    assert verdict.couples is not None
    table = past_events(chosen, verdict, view)
    assert 5 <= table.count <= 60
    assert int(table.cluster.max()) + 1 < 30
    run = scanned("ai_pairs_trading", view, Account(), None, ASSUMED)
    assert len(run.dispositions) == 40  # of 45 couples five are one asset at two venues
    assert {row.grade for row in run.opportunities} <= {"unproven"}
