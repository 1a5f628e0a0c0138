"""Volume by price: bins, the fullest one, the value area, and a whole profile counted out by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from sextant.indicators import profile
from sextant.indicators.catalog import compute
from sextant.model.bar import Floats, Integers
from support import indicators as market

DAY = 200
FIRST = DAY * 100 - 130  # a midnight at row 130, and each 200 rows after it
WINDOW = 60


def histogram(lots: list[int], low: int = 0) -> tuple[Integers, Integers]:
    counts, edges = np.zeros((profile.BINS, 1), np.int64, "F"), np.zeros((3, 1), np.int64, "F")
    for k, n in enumerate(lots):
        assert profile.change_bin(counts, edges, 0, low + k, n)
    return counts, edges


@pytest.mark.parametrize(
    ("span", "step", "width"),
    [
        (0.0, 0.01, 0.01),
        (1.0, 0.01, 0.01),
        (1.01, 0.01, 0.02),
        (5.0, 0.01, 0.05),
        (5.1, 0.01, 0.1),
        (900.0, 0.5, 10.0),
    ],
)
def test_width_is_the_smallest_round_number_of_steps_that_cuts_a_span_into_a_hundred(
    span: float, step: float, width: float
) -> None:
    assert profile.width_for(span, step) == pytest.approx(width)


def test_value_area_is_the_worked_example() -> None:
    counts, edges = histogram([1, 3, 8, 12, 6, 4, 2])
    assert profile.busiest(counts, edges, 0) == 3
    assert profile.value_area(counts, edges, 0, 3, 0.70) == (2, 4)


def test_both_neighbours_are_taken_on_a_tie() -> None:
    counts, edges = histogram([1, 5, 9, 5, 1])
    assert profile.value_area(counts, edges, 0, 2, 0.70) == (1, 3)


def test_among_equals_the_bin_nearer_the_mean_is_taken_then_the_lower() -> None:
    assert profile.busiest(*histogram([5, 1, 5, 3]), 0) == 2
    assert profile.busiest(*histogram([5, 1, 5]), 0) == 0
    assert profile.busiest(*histogram([5, 1, 5], low=-7), 0) == -7


def test_edges_follow_the_filled_bins_when_lots_leave() -> None:
    counts, edges = histogram([2, 0, 3, 4], low=-2)
    assert profile.change_bin(counts, edges, 0, -2, -2)
    assert edges[:, 0].tolist() == [0, 1, 7]
    assert profile.change_bin(counts, edges, 0, 1, -4)
    assert edges[:, 0].tolist() == [0, 0, 3]


def test_bins_beyond_the_memory_are_refused() -> None:
    counts, edges = histogram([1])
    assert profile.change_bin(counts, edges, 0, profile.BINS - 1, 1)
    assert not profile.change_bin(counts, edges, 0, profile.BINS, 1)


def area(price: Floats, lots: Integers, width: float) -> tuple[float, float, float]:
    """Fullest bin's centre and value area, counted out."""
    bins = Counter[int]()
    for p, n in zip(price, lots, strict=True):
        if n > 0:
            bins[math.floor(p / width)] += int(n)
    everything = sum(bins.values())
    mean = sum(k * n for k, n in bins.items()) / everything
    centre = min(bins, key=lambda k: (-bins[k], abs(k - mean), k))
    low = high = centre
    inside = bins[centre]
    while inside < 0.70 * everything:
        below = bins[low - 1] if low > min(bins) else -1
        above = bins[high + 1] if high < max(bins) else -1
        if below >= above:
            low, inside = low - 1, inside + below
        if above >= below:
            high, inside = high + 1, inside + above
    return (centre + 0.5) * width, low * width, (high + 1) * width


def width_at(price: Floats, t: int) -> float:
    """The width in force at row t: that of the last midnight, or of the first full window."""
    chosen = max([*range(130, t + 1, DAY), WINDOW - 1])
    seen = price[chosen - WINDOW + 1 : chosen + 1]
    span = seen.max() - seen.min()
    for k in range(10):
        for digit in (1, 2, 5):
            if 0.01 * (digit * 10.0**k) * 100 >= span:
                return 0.01 * (digit * 10.0**k)
    raise AssertionError


def test_profile_of_window_and_day_is_the_one_counted_out() -> None:
    bars = market.walk(600, 2, 31)
    params = {"window": WINDOW, "bars_per_day": DAY, **market.CONSTANTS}
    found = compute("volume_profile", bars, bar_index=FIRST, **params)
    for s in range(2):
        price = ((bars["high"] + bars["low"] + bars["close"]) / 3)[:, s]
        lots = np.floor(bars["volume"][:, s] / 0.001 + 0.5).astype(np.int64)
        for t in range(WINDOW - 1, 600):
            width = width_at(price, t)
            rows = slice(t - WINDOW + 1, t + 1)
            expected = area(price[rows], lots[rows], width)
            assert found["width"][t, s] == pytest.approx(width)
            assert [found[k][t, s] for k in ("poc", "val", "vah")] == pytest.approx(expected, rel=1e-12)
            today = slice(max([*range(130, t + 1, DAY), 0]), t + 1)
            if lots[today].sum() > 0:
                poc, val, vah = area(price[today], lots[today], width)
                half = max((vah - val) / 2, width / 2)
                assert [found[k][t, s] for k in ("poc_day", "half_day")] == pytest.approx(
                    [poc, half], rel=1e-12
                )


def test_window_that_outgrows_its_bins_takes_a_wider_one_at_once() -> None:
    bars = {name: x.copy() for name, x in market.walk(200, 1, 32).items()}
    for name in ("high", "low", "close"):
        bars[name][100:] *= 50.0
    params = {"window": WINDOW, "bars_per_day": 1440, **market.CONSTANTS}
    found = compute("volume_profile", bars, bar_index=1, **params)
    widths = found["width"][:, 0]
    assert len(set(widths[59:100])) == 1
    assert widths[101] >= 4000 / 100 > widths[99]
    assert widths[199] == widths[101]
    assert found["val"][199, 0] <= bars["close"][199, 0] * 1.2


def test_profile_without_volume_is_the_bin_of_the_price() -> None:
    found = compute("volume_profile", market.quiet(100, 1), bar_index=1, window=WINDOW, **market.CONSTANTS)
    width = found["width"][99, 0]
    assert found["vah"][99, 0] - found["val"][99, 0] == pytest.approx(width)
    assert found["half_day"][99, 0] == pytest.approx(width / 2)
