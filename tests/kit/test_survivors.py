from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from sextant.kit.clock import ManualClock
from sextant.kit.survivors import THAW_S, Survivors


class Ring:
    """Two of them hold each other: only a collection ends them."""

    def __init__(self) -> None:
        self.other = self


@pytest.fixture
def clock() -> Iterator[ManualClock]:
    """The clock of a watch that is ended with the test; no collection begins by itself meanwhile."""
    made = ManualClock()
    survivors = Survivors(made)
    gc.disable()
    survivors.watch()
    yield made
    survivors.leave()
    gc.enable()


def test_what_survived_a_full_collection_is_set_aside(clock: ManualClock) -> None:
    gc.collect(1)
    assert gc.get_freeze_count() == 0
    gc.collect()
    aside = gc.get_freeze_count()
    assert aside > 1_000
    kept = [Ring() for _ in range(500)]
    gc.collect()
    assert gc.get_freeze_count() >= aside + len(kept)


def test_a_cycle_that_died_since_is_found_by_the_next_collection(clock: ManualClock) -> None:
    gc.collect()
    seen = weakref.ref(Ring())
    assert seen() is not None
    gc.collect()
    assert seen() is None


def test_a_cycle_that_died_among_the_survivors_is_found_within_ten_minutes(clock: ManualClock) -> None:
    ring = Ring()
    seen = weakref.ref(ring)
    gc.collect()
    del ring
    clock.advance(THAW_S - 1)
    gc.collect()
    assert seen() is not None
    clock.advance(1)
    gc.collect()
    assert seen() is None
    assert gc.get_freeze_count() > 1_000


def test_nothing_stays_aside_when_the_watch_ends() -> None:
    survivors = Survivors(ManualClock())
    survivors.watch()
    gc.collect()
    assert gc.get_freeze_count() > 0
    survivors.leave()
    gc.collect()
    assert gc.get_freeze_count() == 0
