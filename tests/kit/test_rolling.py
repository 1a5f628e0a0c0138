from __future__ import annotations

import math
import random

import pytest

from sextant.kit.clock import ManualClock
from sextant.kit.rolling import COARSE_KEPT, FINE_KEPT, Rolling


def nearest_rank(samples: list[float], share: float) -> float:
    return sorted(samples)[max(1, math.ceil(share * len(samples))) - 1]


def test_percentiles_are_those_of_the_samples_within_two_percent() -> None:
    rng = random.Random(7)  # noqa: S311  # repeatable, not secret
    rolling = Rolling(ManualClock())
    samples = [rng.lognormvariate(-4.0, 1.5) for _ in range(5_000)]
    for sample in samples:
        rolling.add(sample)
    told = rolling.summary(300)
    for value, share in ((told.p50_s, 0.5), (told.p95_s, 0.95), (told.p99_s, 0.99)):
        assert value == pytest.approx(nearest_rank(samples, share), rel=0.02)
    assert told.greatest_s == max(samples)
    assert told.mean_s == pytest.approx(sum(samples) / len(samples))
    assert told.count == 5_000


def test_an_empty_window_knows_nothing() -> None:
    told = Rolling(ManualClock()).summary(300)
    assert (told.count, told.p50_s, told.greatest_s, told.error_frac) == (0, None, None, None)


def test_one_slow_event_is_never_told_slower_than_it_was() -> None:
    rolling = Rolling(ManualClock())
    rolling.add(1.999)
    told = rolling.summary(300)
    assert told.p99_s is not None
    assert told.p99_s <= 1.999


def test_errors_are_a_share_of_what_happened() -> None:
    rolling = Rolling(ManualClock())
    for number in range(20):
        rolling.add(0.01, failed=number < 3)
    assert rolling.summary(300).error_frac == 0.15


def test_what_is_older_than_the_window_is_not_told() -> None:
    clock = ManualClock()
    rolling = Rolling(clock)
    rolling.add(5.0)
    clock.advance(420)
    rolling.add(0.1)
    assert rolling.summary(300).count == 1
    assert rolling.summary(3_600).count == 2
    assert rolling.summary(86_400).count == 2
    clock.advance(86_400 + 300)
    assert rolling.summary(86_400).count == 0


def test_memory_is_bounded_however_long_it_runs() -> None:
    clock = ManualClock()
    rolling = Rolling(clock)
    for _ in range(3_000):
        rolling.add(0.1)
        clock.advance(60)
    assert len(rolling._fine) <= FINE_KEPT
    assert len(rolling._coarse) <= COARSE_KEPT


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-12, 1e9])
def test_what_no_duration_can_be_is_counted_all_the_same(seconds: float) -> None:
    rolling = Rolling(ManualClock())
    rolling.add(seconds)
    assert rolling.summary(60).count == 1
