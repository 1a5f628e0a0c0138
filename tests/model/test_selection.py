from __future__ import annotations

import numpy as np
import pytest

from sextant.model.instrument import Instrument
from sextant.model.selection import Border, Selection, border, select


def names(count: int) -> list[Instrument]:
    return [Instrument("bybit", f"I{at:03}", "USDT", "perpetual") for at in range(count)]


def settled(ranked: list[Instrument], most: int) -> Selection:
    held = Selection()
    for _ in range(2):
        held = select(held, ranked, border(most))
    return held


def test_the_border_is_twenty_in_and_thirty_out_for_the_twenty_largest() -> None:
    assert border(20) == Border(enter=20, leave=30, most=40, enter_looks=2, leave_looks=3)


def test_nobody_enters_at_the_first_look() -> None:
    ranked = names(9)
    once = select(Selection(), ranked, border(4))
    assert once.chosen == ()
    assert select(once, ranked, border(4)).chosen == tuple(ranked[:4])


def test_a_look_outside_begins_the_count_of_entering_anew() -> None:
    ranked = names(9)
    held = settled(ranked, 2)
    up = [ranked[8], *ranked[:8]]
    held = select(held, up, border(2))
    held = select(held, ranked, border(2))
    held = select(held, up, border(2))
    assert ranked[8] not in held.chosen
    assert ranked[8] in select(held, up, border(2)).chosen


def test_nothing_moves_while_neighbours_swap_ranks_at_every_look() -> None:
    ranked = names(8)
    swapped = [*ranked[:3], ranked[4], ranked[3], *ranked[5:]]
    held = settled(ranked, 4)
    for turn in range(10):
        held = select(held, swapped if turn % 2 == 0 else ranked, border(4))
        assert set(held.chosen) == set(ranked[:4])


def test_noise_of_ten_per_cent_around_the_border_moves_nothing_in_a_day_of_looks() -> None:
    """A bare cut at rank 100 would change its set at nearly every look of this path."""
    ranked, rng = names(300), np.random.default_rng(5)
    # Turnover falls by 1 % a rank, as it does around rank 100 of a large venue, and wanders by 5 % a look.
    level = 0.99 ** np.arange(300)
    held, bare, moves, bare_moves = Selection(), set[Instrument](), 0, 0
    for look in range(288):
        order = np.argsort(-level * np.exp(0.05 * rng.normal(size=300)), kind="stable")
        now = [ranked[at] for at in order]
        before, held = set(held.chosen), select(held, now, border(100))
        cut = set(now[:100])
        if look > 60:
            moves += len(before ^ set(held.chosen))
            bare_moves += len(bare ^ cut)
        bare = cut
    assert bare_moves > 1_000
    assert moves <= 2
    assert 100 <= len(held.chosen) <= 150


def test_the_small_leave_after_three_looks_and_the_ineligible_at_once() -> None:
    ranked = names(9)
    held = settled(ranked, 2)
    small = [*ranked[1:8], ranked[0]]
    for _ in range(2):
        held = select(held, small, border(2))
        assert ranked[0] in held.chosen
    assert ranked[0] not in select(held, small, border(2)).chosen
    assert ranked[1] not in select(held, [ranked[0], *ranked[2:]], border(2)).chosen
    assert ranked[1] in select(held, ranked[2:], border(2), frozenset({ranked[1]})).chosen


def test_the_kept_are_in_at_once_and_take_nobodys_rank() -> None:
    ranked = names(9)
    held = select(Selection(), ranked, border(2), {ranked[7]})
    assert held.chosen == (ranked[7],)
    held = select(held, ranked, border(2), {ranked[7]})
    assert held.chosen == (ranked[0], ranked[1], ranked[7])


@pytest.mark.parametrize("most", [1, 5, 40])
def test_a_market_turned_upside_down_never_keeps_more_than_twice_the_wanted(most: int) -> None:
    ranked, rng, held = names(200), np.random.default_rng(8), Selection()
    around = Border(most, int(1.5 * most), 2 * most, enter_looks=1)
    for _ in range(50):
        held = select(held, [ranked[at] for at in rng.permutation(200)], around)
        assert most <= len(held.chosen) <= 2 * most
        assert len(set(held.chosen)) == len(held.chosen)
