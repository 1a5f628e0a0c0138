from __future__ import annotations

import numpy as np
import pytest

from sextant.strategies.columns import Columns
from sextant.strategies.trend import trend_of
from support.markets import bars_of, closes_of, framed, view_of


def test_a_steady_rise_counts_at_most_two_standard_deviations_per_horizon() -> None:
    columns = Columns(view_of(framed("1h", bars_of(closes_of([np.full(60, 0.01)])))))
    trend = trend_of(columns, "1h", (1, 9), 10)
    # Every return is sigma: one row is 1 sigma, nine rows are 3 sigma and count 2.
    assert trend.value[-1, 0] == pytest.approx((1.0 + 2.0) / 4.0)
    assert trend.agreement[-1, 0] == 2
    assert trend.sigma[-1, 0] == pytest.approx(0.01)


def test_horizons_that_point_elsewhere_do_not_agree() -> None:
    steps = np.full(60, 0.01)
    steps[-1] = -0.01
    columns = Columns(view_of(framed("1h", bars_of(closes_of([steps])))))
    trend = trend_of(columns, "1h", (1, 4, 16), 10)
    # -1, 2 / 2 and 14 / 4, capped: (-1 + 1 + 2)/6.
    assert trend.value[-1, 0] == pytest.approx(2.0 / 6.0)
    assert trend.agreement[-1, 0] == 2
    assert trend.direction[-1, 0] == 1.0


def test_nothing_is_said_before_the_longest_horizon() -> None:
    columns = Columns(view_of(framed("1h", bars_of(closes_of([np.full(20, 0.01)])))))
    trend = trend_of(columns, "1h", (1, 12), 10)
    assert np.isnan(trend.value[:12, 0]).all()
    assert np.isnan(trend.agreement[:12, 0]).all()
    assert np.isfinite(trend.value[12:, 0]).all()
