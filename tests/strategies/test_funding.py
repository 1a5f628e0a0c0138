from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.model.times import DAY_NS
from sextant.model.view import Series, View
from sextant.strategies.funding import (
    accrued,
    forecast_sum,
    funding_of,
    funding_sums,
    received_bps,
    settlements,
)
from support.carries import Carried, carrying
from support.markets import bars_of, closes_of, framed, specs_of, view_of

HOUR_NS = 3_600 * 10**9
BP = 1e-4


def test_settlements_are_counted_on_the_instruments_own_clock() -> None:
    week_s = 7 * 86_400.0
    assert settlements(0, week_s, HOUR_NS, 3_600.0) == 168
    assert settlements(0, week_s, 8 * HOUR_NS, 28_800.0) == 21
    assert settlements(0, 3_599.0, HOUR_NS, 3_600.0) == 0
    assert settlements(0, 3_600.0, HOUR_NS, 3_600.0) == 1


def test_a_settlement_that_has_passed_is_not_counted_again() -> None:
    assert settlements(10 * HOUR_NS, 3_600.0, 8 * HOUR_NS, 3_600.0) == 1
    assert settlements(10 * HOUR_NS, 3_600.0, 10 * HOUR_NS, 3_600.0) == 1


def test_a_high_rate_reverts_to_its_mean_before_it_is_earned() -> None:
    # strategies.md 3.11: f_0 10 bps, m 1, phi 0.5, 21 settlements: 39 bps, where naive counting says 210.
    forecast = forecast_sum(10 * BP, np.full(29, BP), 21)
    assert forecast.phi == 0.5
    assert forecast.mean_frac == pytest.approx(BP)
    assert forecast.sum_frac == pytest.approx(39 * BP, rel=1e-4)


def test_the_mean_leaves_out_the_highest_and_lowest_fifth() -> None:
    settled = np.array([-90.0, 1.0, 1.0, 2.0, 900.0]) * BP
    assert forecast_sum(0.0, settled, 1).mean_frac == pytest.approx(4 / 3 * BP)


def test_phi_is_the_autocorrelation_of_thirty_settlements_or_more_within_bounds() -> None:
    rising = np.arange(40.0)
    centred = rising - rising.mean()
    expected = (centred[1:] * centred[:-1]).sum() / (centred**2).sum()
    assert forecast_sum(0.0, rising, 1).phi == pytest.approx(expected)
    assert forecast_sum(0.0, np.where(np.arange(40) % 2, 1.0, -1.0), 1).phi == 0.0
    assert forecast_sum(0.0, np.ones(40), 1).phi == 0.0
    assert forecast_sum(0.0, np.arange(400.0), 1).phi == 0.95


def test_without_history_the_rate_itself_is_expected() -> None:
    assert forecast_sum(3 * BP, np.empty(0), 4).sum_frac == pytest.approx(12 * BP)


def _perpetual(rate: float) -> View:
    view = view_of(framed("1h", bars_of(closes_of([np.zeros(48)]))), specs_of(1, "perpetual"))
    facts = dataclasses.replace(
        view.derivatives,
        funding_rate=np.array([rate]),
        funding_interval_s=np.array([28_800.0]),
        next_funding_ns=np.array([view.as_of_ns + HOUR_NS]),
    )
    return dataclasses.replace(view, derivatives=facts)


def test_only_the_last_thirty_days_are_history() -> None:
    view = _perpetual(2 * BP)
    times = view.as_of_ns - np.array([40, 35, 3, 2, 1], dtype=np.int64) * DAY_NS
    history = Series(times, np.array([500.0, 500.0, 2.0, 2.0, 2.0]) * BP)
    view = dataclasses.replace(view, funding_history={view.instruments[0].instrument: history})
    forecast = funding_of(view, 0, 86_400.0)
    assert forecast is not None
    assert (forecast.count, forecast.settled_count) == (3, 3)
    assert forecast.sum_frac == pytest.approx(6 * BP)


def test_an_unknown_rate_is_no_forecast() -> None:
    assert funding_of(_perpetual(float("nan")), 0, 86_400.0) is None


def test_the_sums_of_all_perpetuals_are_unknown_where_nothing_is_known() -> None:
    columns = bars_of(closes_of([np.zeros(4)] * 2))
    view = view_of(framed("1h", columns), specs_of(2, "perpetual"))
    facts = dataclasses.replace(
        view.derivatives,
        funding_rate=np.array([np.nan, BP]),
        funding_interval_s=np.full(2, 28_800.0),
        next_funding_ns=np.full(2, view.as_of_ns + HOUR_NS),
    )
    sums = funding_sums(dataclasses.replace(view, derivatives=facts), 86_400.0)
    assert np.isnan(sums[0])
    # At 1, 9 and 17 hours.
    assert sums[1] == pytest.approx(3 * BP)


def test_payments_add_up_to_the_forecast_and_lie_on_the_instruments_own_clock() -> None:
    rates = np.array([1.0, 2.0, 1.5, 3.0] * 20) * 1e-4
    leg = Carried("bybit", "perpetual", interval_h=4, rate=9e-4, settled=rates)
    view = carrying((leg,), rows=60)
    forecast = funding_of(view, 0, 86_400.0)
    assert forecast is not None
    seconds, sums = accrued(view, 0, forecast, 1.0)
    assert seconds.tolist() == [4 * 3600.0 * k for k in range(1, 7)]
    assert sums[0] == pytest.approx(9e-4)
    assert sums[-1] == pytest.approx(forecast.sum_frac)
    assert accrued(view, 0, forecast, -1.0)[1].tolist() == (-sums).tolist()
    assert len(accrued(view, 0, None, 1.0)[0]) == 0


def test_what_shorts_receive_in_all_is_the_last_sum_of_their_payments() -> None:
    legs = tuple(
        Carried("bybit", "perpetual", interval_h=hours, rate=rate, settled=np.full(40, BP))
        for hours, rate in ((4, 9e-4), (8, -2e-4), (4, 0.0))
    )
    view = carrying(legs, rows=60)
    forecasts = {column: funding_of(view, column, 86_400.0) for column in range(3)}
    expected = [accrued(view, column, forecasts[column], 1.0)[1][-1] * 1e4 for column in range(3)]
    np.testing.assert_allclose(received_bps(view, forecasts), expected, rtol=1e-12, atol=1e-12)
    missing = received_bps(view, {0: None, 1: forecasts[1]})
    assert np.isnan(missing).tolist() == [True, False, True]
    at_once = {1: funding_of(view, 1, 0.0)}
    assert received_bps(view, at_once)[1] == 0.0


def test_what_a_history_says_is_read_again_when_a_settlement_leaves_the_thirty_days() -> None:
    rates = np.concatenate((np.full(40, 9 * BP), np.full(40, BP)))
    view = carrying((Carried("bybit", "perpetual", interval_h=8, rate=BP, settled=rates),), rows=60)
    known = next(iter(view.funding_history.values()))
    later = dataclasses.replace(view, as_of_ns=int(known.time_ns[40]) + 30 * DAY_NS - 1)
    before, after = (funding_of(one, 0, 86_400.0) for one in (view, later))
    assert before is not None
    assert after is not None
    assert after.settled_count == 40 < before.settled_count
    assert after.mean_frac == pytest.approx(BP)


def test_a_constant_rate_has_no_autocorrelation() -> None:
    assert forecast_sum(6e-4, np.full(90, 6e-4), 21).phi == 0.0
