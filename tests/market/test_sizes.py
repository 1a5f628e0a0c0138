from __future__ import annotations

import pytest

from sextant.market.sizes import FLOOR_USD, TradeSizes, bin_of, count_at, lower_edge, place_of
from sextant.model.times import INTERVAL_NS, MINUTE_NS


def test_bins_are_quarter_octaves() -> None:
    assert [bin_of(usd) for usd in (1.0, 1.18, 1.19, 1.41, 1.42, 1.68, 1.69, 1.99, 2.0, 0.5)] == [
        *(0, 0, 1, 1, 2, 2, 3, 3, 4, -4)
    ]
    assert lower_edge(bin_of(20_000.0)) == pytest.approx(2.0**14.25)


def test_large_is_the_own_upper_twentieth_of_earlier_minutes() -> None:
    sizes = TradeSizes()
    assert not any(sizes.take(0, 9_000.0) for _ in range(95))
    assert all(sizes.take(0, 400_000.0) for _ in range(5))
    # Of 100 trades 95 are small: the limit lies in their bin, at the floor.
    assert not sizes.take(MINUTE_NS, FLOOR_USD - 1.0)
    assert sizes.take(MINUTE_NS, FLOOR_USD)
    assert all(sizes.take(MINUTE_NS, 400_000.0) for _ in range(5))
    # Of 107 trades ten are of 400,000: the 95th percentile is among them.
    assert not sizes.take(2 * MINUTE_NS, 300_000.0)
    assert sizes.take(2 * MINUTE_NS, 400_000.0)


def test_a_day_later_nothing_is_left_of_it() -> None:
    sizes = TradeSizes()
    for _ in range(50):
        sizes.take(0, 1e6)
    assert not sizes.take(MINUTE_NS, 5e5)
    assert sizes.take(25 * INTERVAL_NS["1h"], 5e5)


def test_sizes_go_on_from_their_content() -> None:
    first, second = TradeSizes(), TradeSizes()
    for at in range(40):
        first.take(at * MINUTE_NS, 1_000.0 * at + 1.0)
    second.restore(first.content())
    assert second.content() == first.content()
    assert second.take(41 * MINUTE_NS, 30_000.0) == first.take(41 * MINUTE_NS, 30_000.0)


def test_counting_in_a_cell_is_taking() -> None:
    one, other = TradeSizes(), TradeSizes()
    for usd in (1.0, 1.2, 5_000.0, 30_000.0, 2.0**-15):
        assert place_of(other.cells.at, MINUTE_NS, usd) == -1 or usd != 1.0
        one.take(MINUTE_NS, usd)
        if usd == 1.0:
            other.take(MINUTE_NS, usd)
            continue
        place = place_of(other.cells.at, MINUTE_NS, usd)
        assert count_at(other.cells.at, place, usd) == (usd >= FLOOR_USD)
    assert other.content() == one.content()
    for event_ns, usd in ((2 * MINUTE_NS, 1.0), (MINUTE_NS, 2.0**-20), (MINUTE_NS, 2.0**60)):
        assert place_of(other.cells.at, event_ns, usd) == -1


def test_notionals_beyond_the_cells_are_counted_apart() -> None:
    sizes, again = TradeSizes(), TradeSizes()
    for usd in (2.0**-20, 2.0**60, 1.0, 1.0):
        sizes.take(MINUTE_NS, usd)
    assert sizes.content()[0] == [(0, [(-80, 1), (0, 2), (240, 1)])]
    again.restore(sizes.content())
    assert again.content() == sizes.content()
    for each in (sizes, again):
        each.take(INTERVAL_NS["1h"], 1.0)
    assert again.content() == sizes.content()
