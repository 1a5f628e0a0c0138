from __future__ import annotations

from dataclasses import replace

import pytest

from sextant.confluence.changes import changes, is_repeat
from sextant.confluence.decision import LONG, NEUTRAL, SHORT
from sextant.confluence.explain import breakdown
from sextant.confluence.scorer import Evaluation
from support.lively import found
from support.minutes import walked


def moved(column: int, state: int, later_ns: int = 0) -> Evaluation:
    machine = found().now.machine.copy()
    machine[0, column] = state
    return replace(found(), now=replace(found().now, machine=machine), as_of_ns=found().as_of_ns + later_ns)


def test_no_change_is_no_event() -> None:
    assert changes(found(), found()) == ()


def test_each_change_is_one_event_with_what_is_behind_it() -> None:
    assert found().now.machine[0, 4] == NEUTRAL
    [one] = changes(found(), moved(4, LONG))
    whole = breakdown(found(), 4)
    assert (one.before, one.after) == ("neutral", "long")
    assert one.instrument == found().instruments[4].instrument
    assert one.confluence == whole.confluence
    assert one.regime == whole.regime
    points = {f"{part.name}.{sub.name}": sub.points for part in whole.dimensions for sub in part.signals}
    strongest = sorted(points, key=lambda name: -abs(points[name]))[:5]
    assert [name for name, _ in one.largest] == strongest
    assert dict(one.largest) == pytest.approx({name: points[name] for name in strongest})
    assert one.passport["book"] == pytest.approx(0.9)


def test_repeat_within_five_minutes_is_known() -> None:
    [one] = changes(found(), moved(4, SHORT))
    minute = 60_000_000_000
    assert not is_repeat(None, one)
    assert is_repeat(one.at_ns - 4 * minute, one)
    assert not is_repeat(one.at_ns - 5 * minute, one)


def test_other_instruments_are_not_compared() -> None:
    other = replace(found(), instruments=walked(3, 2).instruments)
    assert changes(found(), other) == ()
