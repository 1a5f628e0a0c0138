from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sextant.model.bar import Floats
from sextant.strategies import rolling

RNG = np.random.default_rng(20260725)


def _holey(rows: int = 300, columns: int = 4) -> Floats:
    x = RNG.normal(size=(rows, columns)) + 1_000.0
    x[0, 1] = np.nan
    x[120:123, 2] = np.nan
    return x


def _slow(x: Floats, rows: int, function: Callable[[Floats], Any]) -> Floats:
    out = np.full(x.shape, np.nan)
    for t in range(rows - 1, len(x)):
        out[t] = function(x[t - rows + 1 : t + 1])
    return out


PROGRAMS: dict[str, Callable[[Floats], Floats]] = {
    "lag": lambda x: rolling.lag(x, 3),
    "ewstd": lambda x: rolling.ewstd(x, 5),
    "sum_n": lambda x: rolling.sum_n(x, 20),
    "mean_n": lambda x: rolling.mean_n(x, 20),
    "std_n": lambda x: rolling.std_n(x, 20),
    "max_n": lambda x: rolling.max_n(x, 20),
    "min_n": lambda x: rolling.min_n(x, 20),
    "prior max": lambda x: rolling.prior(rolling.max_n, x, 20),
    "moments": lambda x: rolling.moments(x, x * x, 20)[3],
    "activity": lambda x: rolling.activity(x, 2, 20),
    "rank_frac": lambda x: rolling.rank_frac(x, 20),
    "run_length": lambda x: rolling.run_length(x).astype(np.float64),
    "complete_rows": lambda x: rolling.complete_rows((x, x, x, x)),
    "signal_age": lambda x: rolling.signal_age(x > 1_000.0, np.sign(x - 1_000.5)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_prefix_of_the_rows_gives_the_prefix_of_the_result_bit_for_bit(name: str) -> None:
    x = _holey()
    whole = PROGRAMS[name](x)
    for cut in RNG.integers(1, len(x), size=40):
        np.testing.assert_array_equal(PROGRAMS[name](x[:cut]), whole[:cut])


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_column_alone_equals_the_column_among_many(name: str) -> None:
    x = _holey()
    whole = PROGRAMS[name](x)
    for column in range(x.shape[1]):
        np.testing.assert_array_equal(PROGRAMS[name](x[:, [column]])[:, 0], whole[:, column])


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_rows_and_no_columns_give_empty_results(name: str) -> None:
    assert PROGRAMS[name](np.empty((0, 3))).shape == (0, 3)
    assert PROGRAMS[name](np.empty((30, 0))).shape == (30, 0)


@pytest.mark.parametrize("rows", [1, 2, 7, 64, 200])
def test_extremes_and_sums_equal_the_plain_definition_and_holes_empty_the_window(rows: int) -> None:
    x = _holey()
    np.testing.assert_array_equal(rolling.max_n(x, rows), _slow(x, rows, lambda w: w.max(axis=0)))
    np.testing.assert_array_equal(rolling.min_n(x, rows), _slow(x, rows, lambda w: w.min(axis=0)))
    np.testing.assert_allclose(rolling.sum_n(x, rows), _slow(x, rows, lambda w: w.sum(axis=0)), rtol=1e-13)


@pytest.mark.parametrize("rows", [5, 64, 200])
def test_moments_equal_numpy_although_the_mean_is_large(rows: int) -> None:
    x = _holey()
    y = RNG.normal(size=x.shape) + 0.5 * x
    mean_x, mean_y, var_x, cov, var_y = rolling.moments(x, y, rows)
    hole = 0 * x
    np.testing.assert_allclose(mean_x, _slow(x, rows, lambda w: w.mean(axis=0)), rtol=1e-13)
    np.testing.assert_allclose(mean_y, _slow(y + hole, rows, lambda w: w.mean(axis=0)), rtol=1e-13)
    np.testing.assert_allclose(var_x, _slow(x, rows, lambda w: w.var(axis=0)), rtol=1e-9)
    np.testing.assert_allclose(var_y, _slow(y + hole, rows, lambda w: w.var(axis=0)), rtol=1e-9)
    np.testing.assert_allclose(
        rolling.std_n(x, rows), _slow(x, rows, lambda w: w.std(axis=0, ddof=1)), rtol=1e-9
    )
    slow = np.full(x.shape, np.nan)
    for t in range(rows - 1, len(x)):
        a, b = x[t - rows + 1 : t + 1], y[t - rows + 1 : t + 1]
        slow[t] = ((a - a.mean(axis=0)) * (b - b.mean(axis=0))).mean(axis=0)
    np.testing.assert_allclose(cov, slow, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("rows", [5, 64, 200])
def test_moments_with_a_shared_series_equal_those_of_its_copies(rows: int) -> None:
    x, y = _holey(), RNG.normal(size=300).cumsum()
    y[60] = np.nan
    copies = np.broadcast_to(y[:, None], x.shape)
    mean_x, mean_y, var_x, cov, var_y = rolling.moments(x, copies, rows)
    found = rolling.moments_with(x, y, rows)
    for one, other in zip(found[:3], (mean_x, var_x, cov), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)
    whole = ~np.isnan(mean_y)
    for alone, copied in zip(found[3:], (mean_y, var_y), strict=True):
        np.testing.assert_allclose(np.broadcast_to(alone[:, None], x.shape)[whole], copied[whole], rtol=1e-9)


def test_a_constant_window_has_no_variance() -> None:
    x = np.full((200, 1), 1e9 / 3)
    assert rolling.std_n(x, 48)[-1, 0] == 0.0


def test_the_weighted_root_mean_square_begins_at_the_first_finite_row_and_again_after_a_hole() -> None:
    x = np.array([[np.nan], [0.3], [0.4], [np.nan], [0.5]])
    # Half-life 1: each older square counts half: 0.5 * 0.09 + 0.5 * 0.16 = 0.125.
    expected = [np.nan, 0.3, 0.125**0.5, np.nan, 0.5]
    np.testing.assert_allclose(rolling.ewstd(x, 1)[:, 0], expected, rtol=1e-15)


def test_rank_counts_values_below_and_half_of_the_equal_ones() -> None:
    x = np.array([[1.0], [3.0], [2.0], [2.0]])
    # Of 1 3 2 2 one is below the last 2 and two equal it: (1 + 0.5 * 2)/4.
    assert rolling.rank_frac(x, 4)[-1, 0] == 0.5


def test_activity_compares_the_last_rows_with_the_geometric_mean_before_them() -> None:
    x = np.array([[100.0], [400.0], [600.0], [1000.0]])
    # sqrt(100 * 400) = 200 and (600 + 1000)/2 = 800.
    assert rolling.activity(x, 2, 2)[-1, 0] == pytest.approx(4.0, rel=1e-14)


def test_activity_counts_a_bar_without_trades_as_one_unit() -> None:
    assert rolling.activity(np.array([[0.0], [100.0], [30.0]]), 1, 2)[-1, 0] == pytest.approx(3.0, rel=1e-14)


def test_the_median_of_a_row_leaves_out_what_is_unknown_and_needs_enough() -> None:
    x = np.array([[1.0, 9.0, 2.0, np.nan], [1.0, 9.0, 2.0, 4.0], [1.0, np.nan, np.nan, 4.0]])
    np.testing.assert_array_equal(rolling.row_median(x, 3), [2.0, 3.0, np.nan])
    assert np.isnan(rolling.row_median(np.empty((2, 0)), 1)).all()


def test_a_running_sum_begins_anew_after_a_hole() -> None:
    x = np.array([np.nan, 1.0, 2.0, np.nan, 5.0])
    np.testing.assert_array_equal(rolling.running_sum(x), [np.nan, 1.0, 3.0, np.nan, 5.0])


def test_a_ratio_without_divisor_is_unknown() -> None:
    np.testing.assert_array_equal(
        rolling.ratio(np.array([1.0, 0.0, np.nan]), np.array([0.0, 2.0, 1.0])), [np.nan, 0.0, np.nan]
    )


def test_a_signal_ages_from_the_first_passing_row_of_its_direction() -> None:
    passing = np.array([[True], [True], [False], [True], [True], [True]])
    direction = np.array([[1.0], [1.0], [1.0], [1.0], [1.0], [-1.0]])
    assert rolling.signal_age(passing, direction)[:, 0].tolist() == [0, 1, 0, 0, 1, 0]
    nowhere = np.array([[0.0], [np.nan], [0.0]])
    assert rolling.signal_age(passing[:3], nowhere)[:, 0].tolist() == [0, 0, 0]


def test_rows_are_complete_when_none_of_the_four_columns_has_a_hole() -> None:
    whole, holed = np.ones((5, 1)), np.ones((5, 1))
    holed[2] = np.nan
    assert rolling.complete_rows((whole, whole, holed, whole))[:, 0].tolist() == [1, 2, 0, 1, 2]


def test_folding_a_gate_keeps_what_passed_before_and_passes_it() -> None:
    values = np.array([[1.0, np.nan], [3.0, 3.0]])
    for optional, expected in (
        (False, [[False, False], [True, False]]),
        (True, [[False, True], [True, False]]),
    ):
        into = np.array([[True, True], [True, False]])
        rolling.fold_gate(values, np.array([2.0, 2.0]), 1, optional=optional, into=into)
        assert into.tolist() == expected


def test_a_gate_fails_from_the_first_row_of_its_last_run() -> None:
    values = np.array([[1.0, 0.0], [9.0, 0.0], [1.0, 0.0], [2.0, 9.0]])
    assert rolling.failing_from(values, np.array([5.0, 5.0]), 1).tolist() == [2, 4]
    assert rolling.failing_from(values, np.array([0.5, 0.5]), 1).tolist() == [4, 4]
    assert rolling.failing_from(values[:3], np.array([5.0, 5.0]), 1).tolist() == [2, 0]
    assert rolling.failing_from(np.array([[1.0], [np.nan], [1.0]]), np.array([5.0]), 1).tolist() == [2]


def test_a_sum_so_far_begins_anew_after_a_gap_and_never_exceeds_its_rows() -> None:
    x = np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0, 7.0])[:, None]
    assert rolling.sum_so_far(x, 3)[:, 0].tolist() == pytest.approx(
        [1.0, 3.0, np.nan, 4.0, 9.0, 15.0, 18.0], nan_ok=True
    )


def test_a_rank_may_be_content_with_fewer_values() -> None:
    x = np.array([3.0, 1.0, 2.0, 4.0, 0.0])[:, None]
    read = rolling.rank_frac(x, 3, 2)[:, 0].tolist()
    assert read == pytest.approx([np.nan, 0.25, 0.5, 2.5 / 3, 0.5 / 3], nan_ok=True)


def test_turnover_is_what_is_stated_and_else_volume_at_the_mean_of_three_prices() -> None:
    stated, volume = np.array([[7.0, np.nan, np.nan]]), np.array([[2.0, 2.0, np.nan]])
    prices = (np.full((1, 3), 3.0), np.full((1, 3), 1.0), np.full((1, 3), 2.0))
    np.testing.assert_array_equal(rolling.turnover(stated, volume, prices), [[7.0, 4.0, np.nan]])


def test_another_value_stands_in_only_where_one_is_missing_and_the_other_reaches_its_least() -> None:
    x = np.array([[1.0, np.nan, np.nan, np.nan]])
    other = np.array([[9.0, 5.0, 4.9, np.nan]])
    found = rolling.instead(x, other, np.array([0.0, 5.0, 5.0, 0.0]))
    np.testing.assert_array_equal(found, [[1.0, 5.0, np.nan, np.nan]])


@pytest.mark.parametrize("rows", [3, 65, 200])
def test_a_deviation_is_that_of_its_window_alone(rows: int) -> None:
    x = np.random.default_rng(5).normal(50.0, 0.3, (300, 3))
    x[120, 1] = np.nan
    found = rolling.std_n(x, rows)
    for t, s in ((299, 0), (250, 2), (rows - 1, 0), (121 + rows, 1)):
        if t < 300:
            window = x[t - rows + 1 : t + 1, s]
            assert found[t, s] == pytest.approx(window.std(ddof=1), rel=1e-9)
    assert np.isnan(found[120 : 120 + rows, 1]).all()
    assert np.isnan(found[: rows - 1]).all()


def test_levels_stand_so_many_ranges_from_the_close_against_and_with_the_direction() -> None:
    close, atr = np.array([[100.0, 100.0, 100.0, np.nan]]), np.array([[2.0, 2.0, np.nan, 2.0]])
    stop, target = rolling.levels(close, np.array([[1.0, -1.0, 1.0, 1.0]]), atr, 1.5, 3.0)
    np.testing.assert_array_equal(stop, [[97.0, 103.0, np.nan, np.nan]])
    np.testing.assert_array_equal(target, [[106.0, 94.0, np.nan, np.nan]])
