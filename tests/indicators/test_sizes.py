"""Sizes weighed against each other: small books worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sextant.indicators.sizes import imbalance
from sextant.indicators.windows import counter

N = np.nan


def weighed(bids: list[float], asks: list[float], least: int, fade: float) -> float:
    """The imbalance of one sample of one book."""
    inputs = tuple(np.array([[size]]) for size in (*bids, *asks))
    out = np.empty((1, 1))
    imbalance(counter(1), inputs, out, len(bids), least, fade)
    return float(out[0, 0])


def test_levels_count_the_less_the_deeper_they_lie() -> None:
    # (3 - 1) + 0.5 (1 - 5) = 0 against (3 + 1) + 0.5 (1 + 5) = 7; without fading -2 of 10.
    assert weighed([3.0, 1.0], [1.0, 5.0], 2, 0.5) == 0.0
    assert weighed([3.0, 1.0], [1.0, 5.0], 2, 1.0) == pytest.approx(-0.2)


def test_a_missing_level_counts_nothing_and_too_few_levels_are_a_hole() -> None:
    assert weighed([3.0, N], [1.0, 4.0], 1, 1.0) == pytest.approx((3 - 1 - 4) / (3 + 1 + 4))
    assert np.isnan(weighed([3.0, N], [1.0, 4.0], 2, 1.0))


def test_one_side_alone_is_the_whole_imbalance() -> None:
    assert weighed([2.0], [0.0], 1, 1.0) == 1.0
    assert weighed([0.0], [2.0], 1, 1.0) == -1.0
