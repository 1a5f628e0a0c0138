from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.model.times import DAY_NS, HOUR_NS, INTERVAL_NS
from sextant.model.view import Series, View
from sextant.strategies.funding import forecast_sum, settlements
from sextant.strategies.settled import settled_on
from support.carries import BPS, Carried, carrying, constant

ROWS = 400
WEEK_ROWS = 42
ONE = np.array([0])


def market(settled: np.ndarray, interval_h: int = 8) -> View:
    leg = Carried("bybit", "perpetual", interval_h=interval_h, rate=BPS, settled=settled)
    return carrying((leg,), rows=ROWS)


def test_a_constant_rate_is_forecast_and_comes() -> None:
    known = settled_on(market(constant(2 * BPS, 70, 8)), "4h", ONE, WEEK_ROWS)
    assert known.expected[-1, 0] == pytest.approx(42 * BPS)
    assert known.realised[-1 - WEEK_ROWS, 0] == pytest.approx(42 * BPS)
    assert np.isnan(known.realised[-WEEK_ROWS:, 0]).all()
    assert known.count[-1, 0] == 210


def test_each_row_forecasts_as_a_scan_of_that_moment_would() -> None:
    rates = np.random.default_rng(5).normal(1.0, 3.0, 220) * BPS
    view = market(rates)
    known = settled_on(view, "4h", ONE, WEEK_ROWS)
    history = view.funding_history[view.instruments[0].instrument]
    close_ns = view.bars["4h"].open_ns + INTERVAL_NS["4h"]
    for row in (120, 121, 250, ROWS - 1):
        now_ns = int(close_ns[row])
        seen = history.time_ns <= now_ns
        recent = seen & (history.time_ns > now_ns - 30 * DAY_NS)
        next_ns = int(history.time_ns[seen][-1]) + 8 * HOUR_NS
        count = settlements(now_ns, 7 * 86_400.0, next_ns, 28_800.0)
        wanted = forecast_sum(float(history.value[seen][-1]), history.value[recent], count)
        assert known.expected[row, 0] == pytest.approx(wanted.sum_frac, rel=1e-12)
        later = (history.time_ns > now_ns) & (history.time_ns <= now_ns + 7 * DAY_NS)
        if row + WEEK_ROWS < ROWS:
            assert known.realised[row, 0] == pytest.approx(history.value[later].sum(), abs=1e-15)


def test_fewer_than_thirty_settlements_forecast_nothing() -> None:
    known = settled_on(market(constant(BPS, 10, 8)), "4h", ONE, WEEK_ROWS)
    assert known.count[-1, 0] == 30
    assert np.isfinite(known.expected[-1, 0])
    assert known.count[-3, 0] == 29
    assert np.isnan(known.expected[-3, 0])


def test_a_history_that_has_ended_says_nothing_of_later_rows() -> None:
    view = market(constant(BPS, 60, 8))
    name = view.instruments[0].instrument
    series = view.funding_history[name]
    ended = Series(series.time_ns[:-3], series.value[:-3])  # nothing for a day
    view = dataclasses.replace(view, funding_history={name: ended})
    known = settled_on(view, "4h", ONE, WEEK_ROWS)
    assert np.isnan(known.total[-1, 0])
    assert np.isnan(known.expected[-1, 0])
    assert np.isfinite(known.total[-1 - 6, 0])


def test_without_a_history_or_an_interval_there_is_nothing() -> None:
    spot = carrying((Carried("bybit", "spot"),), rows=ROWS)
    known = settled_on(spot, "4h", ONE, WEEK_ROWS)
    assert known.count.max() == 0
    assert np.isnan(known.expected).all()
    assert np.isnan(known.realised).all()
