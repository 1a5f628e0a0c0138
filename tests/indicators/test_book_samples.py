"""Indicators of samples of the book and of buckets of volume, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sextant.indicators.catalog import compute
from sextant.model.bar import Floats

FIRST = 1_440 * 20_000


def one(name: str, columns: dict[str, list[float]], output: str | None = None) -> list[float]:
    """An output of an indicator over one column."""
    given: dict[str, Floats] = {key: np.array(x, dtype=np.float64)[:, None] for key, x in columns.items()}
    params = {"bars_per_day": 4, "buckets": 4} if name == "flow_toxicity" else {}
    found: list[float] = compute(name, given, bar_index=FIRST, **params)[output or name][:, 0].tolist()
    return found


def levels(bids: list[float], asks: list[float], count: int) -> dict[str, list[float]]:
    sides = {"bid": bids, "ask": asks}
    return {
        f"{side}_size_{level}": [sizes[level] if level < len(sizes) else 0.0]
        for side, sizes in sides.items()
        for level in range(count)
    }


def test_micro_price_of_the_specification() -> None:
    found = one("micro_price", {"bid": [100], "ask": [101], "bid_size_0": [5], "ask_size_0": [4]}, "offset")
    assert found == pytest.approx([0.055556], abs=5e-7)


def test_depth_imbalance_of_the_specification() -> None:
    # Levels beyond the third are empty, so that the least number of levels is met and nothing is added.
    found = one("depth_imbalance", levels([4, 3, 2], [2, 2, 2], 25))
    assert found == pytest.approx([0.2054317549], abs=5e-11)


def test_too_few_levels_are_a_hole_and_the_deeper_ones_are_optional() -> None:
    columns = levels([4, 3, 2], [2, 2, 2], 25)
    deep = {name: [np.nan] if int(name.rpartition("_")[2]) >= 10 else x for name, x in columns.items()}
    assert one("depth_imbalance", deep) == pytest.approx([0.2054317549], abs=5e-11)
    shallow = {name: [np.nan] if int(name.rpartition("_")[2]) >= 9 else x for name, x in columns.items()}
    assert np.isnan(one("depth_imbalance", shallow)).all()


def test_sides_of_the_first_levels() -> None:
    assert one("top_imbalance", levels([4, 3, 2, 1, 0], [1, 1, 1, 1, 1], 5)) == pytest.approx([5 / 15])
    assert one("touch_imbalance", {"bid_size_0": [3, 0], "ask_size_0": [1, 0]}) == [0.5, 0.0]
    assert one("spread_bps", {"bid": [99.99], "ask": [100.01]}) == pytest.approx([2.0])


def test_shift_of_depth_is_measured_against_each_sides_own_past() -> None:
    # The value at the end of each quarter of an hour is taken: 100 and 400 are usual.
    found = one("depth_shift", {"bid_usd_25": [100.0] * 15 + [200.0], "ask_usd_25": [400.0] * 16})
    assert found[:15] == [0.0] * 15
    assert found[15] == pytest.approx((2.0 - 1.0) / (2.0 + 1.0))


def test_toxicity_is_the_one_sided_share_of_equal_buckets() -> None:
    # A day of four bars of 10 sets buckets of 10. The fourth bar is all bought: 1. The day after sets them to
    # 10 again; a bar of 5 bought and 5 sold: 0; one of 20, three quarters bought, fills two of .5 each.
    found = one(
        "flow_toxicity",
        {"volume": [10, 10, 10, 10, 10, 20], "taker_buy_volume": [5, 5, 5, 10, 5, 15]},
    )
    assert np.isnan(found[:3]).all()
    assert found[3:] == pytest.approx([1.0, (1 + 0) / 2, (1 + 0 + 0.5 + 0.5) / 4])
