from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.confluence.normalise import Per, knots, lin, ramp, ratio, sq, together

PINNED = {0.5: 0.447214, 1.0: 0.707107, 2.0: 0.894427, 3.0: 0.948683}
"""Of the specification, to the digits it shows."""

RSI = ((0.0, 0.0), (15.0, 0.6), (20.0, 0.6), (30.0, 0.0), (40.0, -0.6), (50.0, -0.6))


@pytest.mark.parametrize(("z", "s"), PINNED.items())
def test_squash_has_the_pinned_values(z: float, s: float) -> None:
    assert sq(np.array([z, -z])) == pytest.approx([s, -s], abs=5e-7)


def test_squash_ends_at_one_and_leaves_what_is_unknown() -> None:
    assert sq(np.array([1e300, -np.inf, 0.0])).tolist() == [1.0, -1.0, 0.0]
    assert np.isnan(sq(np.array([np.nan]))).all()


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_squash_is_odd_and_never_falls(a: float, b: float) -> None:
    low, high = sorted((a, b))
    one, other, mirrored = sq(np.array([low])), sq(np.array([high])), sq(np.array([-low]))
    assert one[0] <= other[0]
    assert mirrored[0] == -one[0]


def test_unit_of_a_signal_maps_to_the_same_place() -> None:
    assert Per(0.15)(np.array([0.15])) == pytest.approx(0.707107, abs=5e-7)
    assert Per(0.15) == Per(0.15)
    assert hash(Per(0.15)) == hash(Per(0.15))


def test_ramp_rises_falls_and_is_flat_outside() -> None:
    x = np.array([0.4, 0.5, 0.7, 0.9, 1.0])
    assert ramp(x, 0.5, 0.9) == pytest.approx([0, 0, 0.5, 1, 1])
    assert ramp(x, 0.9, 0.5) == pytest.approx([1, 1, 0.5, 0, 0])
    assert np.isnan(ramp(np.array([np.nan]), 0, 1)).all()


def test_ratio_is_nothing_over_nothing_and_unknown_of_the_unknown() -> None:
    found = ratio(np.array([1.0, 1.0, 1.0, np.nan]), np.array([2.0, 0.0, -2.0, 1.0]))
    assert found[:3].tolist() == [0.5, 0.0, 0.0]
    assert np.isnan(found[3])


def test_line_through_knots_is_odd_and_flat_beyond_the_last() -> None:
    x = np.array([0.0, 7.5, 17.0, 25.0, 30.0, 35.0, 45.0, 80.0])
    assert knots(x, RSI) == pytest.approx([0, 0.3, 0.6, 0.3, 0.0, -0.3, -0.6, -0.6])
    assert knots(-x, RSI) == pytest.approx(-knots(x, RSI))
    assert np.isnan(knots(np.array([np.nan]), RSI)).all()


def test_number_is_held_in_the_unit() -> None:
    assert lin(np.array([-3.0, 0.2, 3.0])).tolist() == [-1.0, 0.2, 1.0]


def test_columns_together_are_known_where_all_are() -> None:
    a, b = np.array([[1.0, np.nan, 3.0]]), np.array([[np.nan, 1.0, 1.0]])
    assert np.array_equal(together(a, b), [[np.nan, np.nan, 3.0]], equal_nan=True)
    assert together().tolist() == [[0.0]]
