"""Turning points and breaks on a few bars drawn by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sextant.indicators import structure
from sextant.indicators.catalog import compute
from sextant.model.bar import Floats


def column(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)[:, None]


def swing_highs(high: Floats, side: int) -> list[float]:
    return [
        float(x)
        for x in compute("swings", {"high": high, "low": high - 10}, bar_index=3, side=side)["last_high"][
            :, 0
        ]
    ]


def test_swing_is_told_when_its_last_bar_is_there() -> None:
    told = swing_highs(column(1, 2, 5, 3, 2, 1, 1), side=2)
    assert np.isnan(told[:4]).all()
    assert told[4:] == [5, 5, 5]


def test_first_of_two_equal_highs_is_the_swing() -> None:
    told = swing_highs(column(1, 2, 5, 5, 2, 1, 0), side=2)
    assert told[4] == 5
    changes = swing_highs(column(1, 5, 5, 5, 2, 1, 0, 0), side=1)
    assert changes[2:] == [5] * 6


def test_no_swing_is_infinitely_far() -> None:
    rising = np.arange(12.0)[:, None]
    found = compute("swings", {"high": rising + 1, "low": rising}, bar_index=0, side=2)
    assert np.isposinf(found["last_high"][4:]).all()
    assert np.isneginf(found["last_low"][4:]).all()


def zigzag(*corners: float) -> Floats:
    """Straight lines of six rows between the corners."""
    parts = [np.linspace(a, b, 6, endpoint=False) for a, b in itertools.pairwise(corners)]
    return np.concatenate([*parts, [corners[-1]]])[:, None]


def events(close: Floats) -> list[float]:
    bars = {"high": close + 0.1, "low": close - 0.1, "close": close}
    x = compute("structure_breaks", bars, bar_index=0)["event"][:, 0]
    return [float(e) for e in x[~np.isnan(x)] if e != 0]


def test_first_break_is_with_the_trend_and_the_turn_against_it() -> None:
    up = zigzag(100, 110, 104, 116, 108, 122, 95)
    assert events(up) == [1, 1, -2]
    assert events(200 - up) == [-1, -1, 2]


def test_level_is_used_up_by_its_break() -> None:
    close = zigzag(100, 110, 104, 116)
    again = np.concatenate((close, [[109.0], [117.0], [109.0], [117.0]]))
    assert events(again) == [1]


def test_wick_does_not_break() -> None:
    close = zigzag(100, 110, 104, 109, 105)
    bars = {"high": close + 0.1, "low": close - 0.1, "close": close}
    bars["high"][18] = 130.0
    x = compute("structure_breaks", bars, bar_index=0)["event"]
    assert np.nansum(np.abs(x)) == 0


@pytest.mark.parametrize(
    ("gap", "atr", "weight"),
    [(0.0, 1.0, 1.0), (1.0, 1.0, 0.5), (2.0, 1.0, 0.2), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)],
)
def test_nearness_halves_one_range_away(gap: float, atr: float, weight: float) -> None:
    assert structure.near(gap, atr) == pytest.approx(weight)


def test_distance_to_a_zone_is_nothing_inside() -> None:
    assert [structure.outside(x, 5.0, 7.0) for x in (4.0, 5.0, 6.0, 7.0, 9.0)] == [1, 0, 0, 0, 2]
