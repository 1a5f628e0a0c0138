"""A scene is checked before anything listens."""

from __future__ import annotations

import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.sim.scene import Scene, staged

NOW_NS = 1_790_000_010_000_000_000


def test_what_is_unsaid_has_its_usual_value_and_one_seed_is_one_market() -> None:
    clock = ManualClock(NOW_NS)
    first, second = (
        staged(clock, {"instruments": 12}),
        staged(clock, {"instruments": 12, "seed": 7, "pace": 1.0}),
    )
    assert (first.pace, first.plan.history) == (1.0, [])
    assert first.model.listings == second.model.listings


@pytest.mark.parametrize(
    "scene", [{"pace": 5.0}, {"instruments": 1}, {"faults": [{"at": {}, "fault": "gap"}]}]
)
def test_a_scene_that_cannot_be_shown_is_refused(scene: Scene) -> None:
    with pytest.raises(InputError):
        staged(ManualClock(NOW_NS), scene)
