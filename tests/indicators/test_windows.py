"""The primitives: order of addition, accuracy, and the rows on which two runs agree."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sextant.indicators import windows
from sextant.indicators.compiling import compiled
from sextant.indicators.windows import counter, ln_ratio, window_sum, window_sum_state
from sextant.model.bar import Floats


@compiled
def sums(acc: windows.WindowSum, first: int, count: np.ndarray, x: Floats, out: Floats) -> None:
    for t in range(x.shape[0]):
        windows.tick(count, x[t])
        window_sum(acc, first + t, count, x[t], out[t])


def summed(x: Floats, rows: int, first: int = 0) -> Floats:
    out = np.empty_like(x)
    sums(window_sum_state(rows, x.shape[1]), first, counter(x.shape[1]), x, out)
    return out


@pytest.mark.parametrize("first", [0, 7, 19])
def test_short_window_is_added_in_the_order_of_its_slots(first: int) -> None:
    x = np.random.default_rng(1).normal(size=(100, 3)) * 10.0 ** np.random.default_rng(2).integers(
        -8, 8, (100, 3)
    )
    out = summed(x, 20, first)
    for t in range(19, 100):
        slots = sorted(range(t - 19, t + 1), key=lambda row: (first + row) % 20)
        for s in range(3):
            total = x[slots[0], s]
            for row in slots[1:]:
                total = total + x[row, s]
            assert out[t, s] == total


@pytest.mark.parametrize("rows", [33, 60, 240, 500])
def test_long_window_is_as_exact_as_one_rounding_allows(rows: int) -> None:
    x = np.random.default_rng(3).gamma(0.3, 100.0, (1500, 2))
    x[700] *= 1e6
    out = summed(x, rows, 11)
    for t in range(rows - 1, 1500):
        for s in range(2):
            exact = math.fsum(x[t - rows + 1 : t + 1, s])
            assert abs(out[t, s] - exact) <= 1e-13 * exact + 1e-13 * 60


def test_two_runs_of_a_long_window_agree_bit_for_bit_from_the_next_sixtieth_row() -> None:
    x = np.random.default_rng(4).normal(size=(1000, 2))
    whole, later = summed(x, 100, 5), summed(np.ascontiguousarray(x[37:]), 100, 42)
    first = next(t for t in range(37 + 99, 1000) if (5 + t) % 60 == 0)
    assert np.array_equal(whole[first:], later[first - 37 :])


def test_long_window_of_zeros_sums_to_exactly_zero() -> None:
    x = np.random.default_rng(5).random((400, 1))
    x[200:] = 0.0
    assert (summed(x, 90)[289:] == 0.0).all()


def test_logarithm_of_a_ratio_is_exact_to_the_stated_error() -> None:
    ratios = np.linspace(0.5, 2.0, 20_001)
    worst = max(abs(ln_ratio(float(x), 1.0) - math.log(x)) for x in ratios)
    assert worst < 1.1e-10
    assert ln_ratio(7.0, 7.0) == 0.0


def test_nothing_is_fused() -> None:
    """A fused 1 + eps squared minus its rounding would leave eps squared, not 0."""
    a = 1.0 + 2.0**-30
    rounded = a * a

    @compiled
    def left(x: float, y: float) -> float:
        return x * x - y

    assert left(a, rounded) == 0.0


@pytest.mark.parametrize("half_life", [3, 10, 25, 50])
def test_fading_halves_in_its_rows(half_life: int) -> None:
    assert getattr(windows, f"FADE_{half_life}") == 2.0 ** (-1.0 / half_life)


def test_larger_and_smaller_keep_the_first_where_a_number_is_missing() -> None:
    assert math.isnan(windows.larger(math.nan, 1.0))
    assert windows.larger(1.0, math.nan) == 1.0
    assert windows.smaller(1.0, math.nan) == 1.0
    assert windows.clamp(5.0, -1.0, 1.0) == 1.0
    assert windows.lin(-5.0) == -1.0
    assert windows.ratio(1.0, 0.0) == 0.0
    assert windows.ratio(1.0, -2.0) == 0.0
