from __future__ import annotations

import numpy as np

from sextant.confluence.levels import LEVELS
from sextant.confluence.scorer import evaluate
from support import minutes


def test_every_level_is_computed_with_the_scores() -> None:
    found = evaluate(minutes.walked(1_500, 2))
    there = {frame: nodes for frame, nodes in LEVELS.items() if frame in found.closes_ns}
    assert set(LEVELS) - set(there) == {"grid"}  # no history of open interest
    for frame, nodes in there.items():
        for name, node in nodes.items():
            assert found.values[frame][node].shape == (1, 2), name
    assert np.isfinite(found.values["1m"][LEVELS["1m"]["poc"]]).all()
