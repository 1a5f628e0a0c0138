from __future__ import annotations

import numpy as np
import pytest

from sextant.confluence.catalog import voices
from sextant.confluence.contract import Family
from sextant.confluence.flips import Tree, flips
from support import worked

MULTIPLIERS: dict[Family, float] = {
    "trend": 1.1,
    "reversion": 0.9,
    "flow": 1.0,
    "book": 1.0,
    "positioning": 1.0,
}
NAMES = [voice.name for voice in voices()]


def example() -> Tree:
    s, q = worked.signals(), worked.quality()
    return Tree(np.array([s[name] for name in NAMES]), np.array([q[name] for name in NAMES]), MULTIPLIERS)


def test_signals_that_alone_take_the_worked_example_to_seventy() -> None:
    told = {flip.name: flip.to for flip in flips(example(), 0.40)}
    assert told["orderflow.cvd"] == pytest.approx(0.104662, abs=5e-7)
    assert told["orderflow.trade_flow"] == pytest.approx(-0.116908, abs=5e-7)
    assert told["orderbook.imbalance"] == pytest.approx(-0.334201, abs=5e-7)


def test_no_signal_alone_takes_it_to_sixty_five_but_the_order_flow_together() -> None:
    told = flips(example(), 0.30)
    assert {flip.name for flip in told} <= {voice.dimension.name for voice in voices()}
    assert told[0].name == "orderflow"
    assert told[0].to == pytest.approx(-0.398749, abs=5e-7)


def test_nearest_change_comes_first_and_each_really_reaches_the_line() -> None:
    tree = example()
    told = flips(tree, 0.40)
    assert [flip.distance for flip in told] == sorted(flip.distance for flip in told)
    for flip in told:
        signals = np.where(tree.quality > 0, tree.signals, 0.0)
        assert flip.now == signals[NAMES.index(flip.name)]
        signals[NAMES.index(flip.name)] = flip.to
        assert tree.confluence(signals[:, None])[0] == pytest.approx(0.40, abs=1e-12)


def test_absent_signals_are_not_among_what_would_change_it() -> None:
    assert not {"volume.adl", "volume.obv", "sentiment.long_short_ratio"} & {
        flip.name for flip in flips(example(), 0.40)
    }


def test_nothing_present_and_a_line_out_of_reach_have_no_change() -> None:
    tree = example()
    assert flips(Tree(tree.signals, np.zeros(len(NAMES)), MULTIPLIERS), 0.4) == ()
    assert flips(tree, 0.9999) == ()
