from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.kit.spending import DrainingCounter, RollingWindow

S = 1_000_000_000


def test_a_window_lets_its_weight_pass_in_any_span_of_its_length() -> None:
    window = RollingWindow(most=10, window_s=60)
    window.spend(6, 0)
    window.spend(4, 20 * S)
    assert window.room_s(1, 20 * S) == 40.0  # when the first six leave
    assert window.room_s(7, 20 * S) == 60.0  # only when the four leave as well
    assert window.used(60 * S) == 4.0
    assert window.room_s(6, 60 * S) == 0.0
    assert window.room_s(10, 80 * S) == 0.0


def test_a_part_of_the_allowance_is_kept_for_others_and_what_never_fits_says_so() -> None:
    window = RollingWindow(most=10, window_s=60)
    window.spend(5, 0)
    assert window.room_s(2, 0, part=0.6) == 60.0
    assert window.room_s(2, 0) == 0.0
    assert window.room_s(7, 0, part=0.6) == math.inf
    counter = DrainingCounter(most=10, per_s=1)
    assert counter.room_s(7, 0, part=0.6) == math.inf


def test_more_that_was_spent_by_others_is_believed_and_less_is_not() -> None:
    window = RollingWindow(most=10, window_s=60)
    window.spend(3, 0)
    window.learn_used(8, 10 * S)
    window.learn_used(2, 10 * S)
    assert window.used(10 * S) == 8.0
    assert window.used(60 * S) == 5.0
    counter = DrainingCounter(most=10, per_s=1)
    counter.learn_used(8, 0)
    counter.learn_used(2, 0)
    assert counter.used(3 * S) == 5.0


def test_a_counter_falls_steadily() -> None:
    counter = DrainingCounter(most=15, per_s=0.5)
    for _ in range(7):
        counter.spend(2, 0)
    assert counter.room_s(1, 0) == 0.0
    assert counter.room_s(2, 0) == 2.0
    assert counter.used(100 * S) == 0.0


def test_a_copy_is_planned_on_without_spending() -> None:
    for spending in (RollingWindow(10, 60), DrainingCounter(10, 1)):
        spending.spend(6, 0)
        copied = spending.copied()
        copied.spend(4, 0)
        assert (spending.used(0), copied.used(0), copied.most) == (6.0, 10.0, 10)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 4)), max_size=60))
def test_no_span_ever_holds_more_than_the_allowance(calls: list[tuple[float, int]]) -> None:
    window, now_ns, made = RollingWindow(most=10, window_s=10), 0, []
    for gap_s, weight in calls:
        now_ns += round(gap_s * S)
        now_ns += math.ceil(window.room_s(weight, now_ns) * S)
        window.spend(weight, now_ns)
        made.append((now_ns, weight))
    for begun_ns, _ in made:
        assert sum(weight for at_ns, weight in made if begun_ns <= at_ns < begun_ns + 10 * S) <= 10


@pytest.mark.parametrize("spending", [RollingWindow(10, 60), DrainingCounter(10, 1)])
def test_fractions_leave_no_rest(spending: RollingWindow | DrainingCounter) -> None:
    for _ in range(1000):
        spending.spend(0.1, 0)
    assert spending.used(10_000 * S) == 0.0
