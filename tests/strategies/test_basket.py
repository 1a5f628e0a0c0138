from __future__ import annotations

import numpy as np
import pytest

from sextant.strategies.basket import neutral


def test_weights_carry_neither_money_nor_factor_and_their_larger_side_sums_to_one() -> None:
    wanted = np.array([1.0, 0.8, 1.2, -1.0, -0.9, -1.1])
    exposures = np.array([[1.0], [0.9], [1.1], [1.0], [1.2], [0.8]])
    weights = neutral(wanted, exposures)
    assert weights.value.sum() == pytest.approx(0.0, abs=1e-12)
    assert (weights.value @ exposures)[0] == pytest.approx(0.0, abs=1e-12)
    assert weights.value[weights.value > 0].sum() == pytest.approx(1.0)
    assert (weights.longs, weights.shorts) == (3, 3)
    assert (weights.value * wanted > 0).all()


def test_equal_legs_need_no_correction() -> None:
    weights = neutral(np.array([1.0, 1.0, -1.0, -1.0]), np.ones((4, 1)))
    assert weights.value == pytest.approx([0.5, 0.5, -0.5, -0.5])


def test_a_leg_under_a_quarter_of_the_mean_is_dropped_and_the_rest_is_neutral_again() -> None:
    wanted = np.array([1.0, 1.0, 1.0, 0.1, -1.0, -1.0, -1.0])
    weights = neutral(wanted, np.zeros((7, 0)))
    # The first projection takes 0.1/7 from each: 0.0857 against a mean of 0.87. Then three face three.
    assert weights.kept.tolist() == [True, True, True, False, True, True, True]
    assert weights.value == pytest.approx(np.array([1, 1, 1, 0, -1, -1, -1]) / 3.0)


def test_a_leg_whose_sign_would_flip_is_dropped() -> None:
    wanted = np.array([1.0, 1.0, 1.0, 0.3, -0.2, -0.2])
    weights = neutral(wanted, np.zeros((6, 0)))
    # The mean of 0.483 turns 0.3 into a short and makes the others larger shorts.
    assert weights.value[3] == 0.0
    assert weights.value.sum() == pytest.approx(0.0, abs=1e-12)


def test_too_few_legs_for_their_constraints_leave_nothing() -> None:
    weights = neutral(np.array([1.0, -1.0]), np.array([[1.0], [0.9]]))
    assert (weights.longs, weights.shorts) == (0, 0)
    assert weights.value.tolist() == [0.0, 0.0]
