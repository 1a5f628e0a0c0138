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


def book(
    rows: list[tuple[list[tuple[float, float]], list[tuple[float, float]]]], count: int
) -> dict[str, list[float]]:
    """Prices and sizes by level; a level that a row does not have is NaN."""
    found: dict[str, list[float]] = {}
    for at, side in enumerate(("bid", "ask")):
        for level in range(count):
            there = [row[at][level] if level < len(row[at]) else (np.nan, np.nan) for row in rows]
            found[f"{side}_price_{level}"] = [price for price, _ in there]
            found[f"{side}_size_{level}"] = [size for _, size in there]
    return found


def test_depth_of_a_band_is_the_notional_inside_it() -> None:
    # Middle 100.01: 25 bps reach 99.76 and 100.26, and both sides go on beyond.
    rows = [([(100.0, 1.0), (99.85, 2.0), (99.0, 8.0)], [(100.02, 1.0), (101.0, 8.0)])]
    columns = book(rows, 25)
    bid, ask = 100.0 + 2 * 99.85, 100.02
    assert one("band_depth", columns, "bid_usd") == pytest.approx([bid])
    assert one("band_depth", columns, "ask_usd") == pytest.approx([ask])
    assert one("band_depth", columns, "imbalance") == pytest.approx([(bid - ask) / (bid + ask)])
    assert one("band_depth", columns, "truncated") == [0.0]


def test_a_book_that_ends_inside_the_band_is_marked() -> None:
    rows = [([(100.0, 1.0), (99.0, 1.0)], [(100.02, 1.0)])]
    assert one("band_depth", book(rows, 25), "truncated") == [1.0]


def test_impact_is_the_mean_price_of_a_walk_against_the_middle() -> None:
    # A fifth of the asks' 1,010 quote units: 202 buy two at 101; sold are two at 100 and the rest at 99.
    rows = [([(100.0, 2.0), (99.0, 20.0)], [(101.0, 10.0)])]
    buy = 1e4 * (101.0 / 100.5 - 1.0)
    sell = 1e4 * (1.0 - 202.0 / (2.0 + 2.0 / 99.0) / 100.5)
    assert one("impact", book(rows, 20), "buy_bps") == pytest.approx([buy])
    assert one("impact", book(rows, 20), "sell_bps") == pytest.approx([sell])
    assert one("impact", book(rows, 20), "asymmetry") == pytest.approx([(buy - sell) / (buy + sell)])


def test_flow_of_the_specification() -> None:
    touch = [
        (100.0, 5.0, 101.0, 4.0),
        (100.0, 7.0, 101.0, 4.0),
        (101.0, 3.0, 102.0, 6.0),
        (100.0, 9.0, 102.0, 2.0),
    ]
    deeper = [(90.0 - level, 1.0) for level in range(4)], [(110.0 + level, 1.0) for level in range(4)]
    rows = [([(b, q), *deeper[0]], [(a, r), *deeper[1]]) for b, q, a, r in touch]
    given = {key: np.array(x)[:, None] for key, x in book(rows, 5).items()}
    found = compute("book_flow", given, bar_index=FIRST, window=3)
    assert np.isnan(found["ofi_1"][:3]).all()
    assert found["ofi_1"][3, 0] == pytest.approx(2.0)  # e 2, 7, 1 over a mean depth of 5
    assert found["ofi_5"][3, 0] == pytest.approx(2.0 / 5)  # the others stood still


def still(bids: list[tuple[float, float]]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    return bids, [(10_010.0 + level, 1.0) for level in range(10)]


def deep(best: float) -> list[tuple[float, float]]:
    return [(10_000.0, best), *((9_999.0 - level, 1.0) for level in range(9))]


def withdrawn(sizes: list[float], traded: list[float]) -> list[float]:
    columns = book([still(deep(size)) for size in sizes], 10)
    for side in ("bid", "ask"):
        for level in range(10):
            columns[f"{side}_traded_{level}"] = traded if (side, level) == ("bid", 0) else [0.0] * len(traded)
    assert one("withdrawal", columns, "ask_usd")[2:] == [0.0] * (len(sizes) - 2)
    return one("withdrawal", columns, "bid_usd")


def test_what_vanished_untraded_is_told_a_row_later() -> None:
    found = withdrawn([5.0, 5.0, 2.0, 2.0, 2.0], [0.0] * 5)
    assert np.isnan(found[:2]).all()
    assert found[2:] == [0.0, 30_000.0, 0.0]


def test_what_was_traded_is_not_withdrawn() -> None:
    assert withdrawn([5.0, 5.0, 2.0, 2.0], [0.0, 0.0, 2.0, 0.0])[3] == 10_000.0
    assert withdrawn([5.0, 5.0, 2.0, 2.0], [0.0, 0.0, 3.0, 0.0])[3] == 0.0


def test_a_level_put_back_after_a_trade_is_not_withdrawn() -> None:
    assert withdrawn([5.0, 5.0, 2.0, 4.0], [0.0, 0.0, 1.0, 0.0])[3] == 0.0
    # Put back without a trade: it was pulled, for a second.
    assert withdrawn([5.0, 5.0, 2.0, 5.0], [0.0, 0.0, 0.0, 0.0])[3] == 30_000.0
