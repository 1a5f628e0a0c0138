"""Bars are cut into smaller bars that fold back exactly."""

from __future__ import annotations

import numpy as np
import pytest

from sextant.sim.noise import Noise
from sextant.sim.paths import Bars, Cut, Nodes, Voice, fold, join, refine


def _parents() -> Nodes:
    start = np.array([4.0, 4.01, 4.0])
    end = np.array([4.01, 4.0, 4.0])
    return Nodes(
        start,
        np.array([4.02, 4.015, 4.0]),
        np.array([3.99, 3.98, 4.0]),
        end,
        np.array([5_000.0, 800.0, 700.0]),
    )


@pytest.mark.parametrize("parts", [5, 6, 8, 60])
def test_children_fold_back_to_their_parents(parts: int) -> None:
    parents = _parents()
    cut = Cut(1, parts, parts * 24, 3)
    first = np.array([100, 101, 102]) * parts
    children = refine(Noise(7), parents, Voice(1, 1, 0.4, 1.0), first, cut)
    shape = (3, parts)
    assert np.array_equal(children.open.reshape(shape)[:, 0], parents.open)
    assert np.array_equal(children.close.reshape(shape)[:, -1], parents.close)
    assert np.array_equal(children.high.reshape(shape).max(axis=1), parents.high)
    assert np.array_equal(children.low.reshape(shape).min(axis=1), parents.low)
    assert np.array_equal(children.lots.reshape(shape).sum(axis=1), parents.lots)
    assert np.all(children.lots >= 3.0)
    assert np.array_equal(children.lots, np.rint(children.lots))


def test_children_are_bars_and_each_opens_where_the_last_closed() -> None:
    children = refine(
        Noise(7), _parents(), Voice(1, 1, 0.4, 1.0), np.array([600, 606, 612]), Cut(1, 6, 144, 3)
    )
    assert np.all(children.low <= np.minimum(children.open, children.close))
    assert np.all(children.high >= np.maximum(children.open, children.close))
    within = children.open.reshape(3, 6)[:, 1:]
    assert np.array_equal(within, children.close.reshape(3, 6)[:, :-1])


def test_children_do_not_depend_on_which_parents_are_asked_together() -> None:
    parents = _parents()
    voice, cut = Voice(1, 1, 0.4, 1.0), Cut(1, 6, 144, 3)
    together = refine(Noise(7), parents, voice, np.array([600, 606, 612]), cut)
    second = Nodes(
        parents.open[1:2], parents.high[1:2], parents.low[1:2], parents.close[1:2], parents.lots[1:2]
    )
    alone = refine(Noise(7), second, voice, np.array([606]), cut)
    assert np.array_equal(alone.close, together.close[6:12])
    assert np.array_equal(alone.lots, together.lots[6:12])


def test_fold_of_two_hand_made_bars() -> None:
    bars = Bars(
        np.array([10, 12]),
        np.array([13, 12]),
        np.array([9, 8]),
        np.array([12, 11]),
        np.array([3, 4]),
        np.array([30.0, 44.0]),
    )
    folded = fold(bars, 2)
    assert [side.tolist() for side in (folded.open, folded.high, folded.low, folded.close, folded.lots)] == [
        [10],
        [13],
        [8],
        [11],
        [7],
    ]
    assert folded.turnover.tolist() == [74.0]
    assert join([bars, bars]).open.tolist() == [10, 12, 10, 12]
