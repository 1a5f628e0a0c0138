from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sextant.confluence.nodes import Column, How, Rolled
from sextant.confluence.rolls import advance, roll_state
from sextant.model.bar import Floats

N = np.nan
X = Column("x")


def rolled(how: How, values: list[float], **what: Any) -> list[float]:
    """The roll of one column, whole and, to the same bits, row by row."""
    first = what.pop("first", 0)
    roll = Rolled(how, X, **what)
    x = np.array(values)[:, None]
    out = np.empty(x.shape)
    advance(roll, roll_state(roll, 1), (first, what.get("day", 1440)), x, out)
    state, row = roll_state(roll, 1), np.empty((1, 1))
    for t in range(len(x)):
        advance(roll, state, (first + t, 1440), x[t : t + 1], row)
        assert np.array_equal(row[0], out[t], equal_nan=True)
    found: list[float] = out[:, 0].tolist()
    return found


def equal(one: list[float], other: list[float]) -> None:
    assert one == pytest.approx(other, nan_ok=True)


def test_lag_waits_for_its_rows_and_again_after_a_hole() -> None:
    equal(rolled("lag", [1, 2, 3, 4, N, 6, 7, 8], rows=2), [N, N, 1, 2, N, N, N, 6])


def test_sum_and_mean_want_whole_windows() -> None:
    equal(rolled("sum", [1, 2, 3, N, 5, 6, 7], rows=3), [N, N, 6, N, N, N, 18])
    equal(rolled("mean", [1, 2, 3, N, 5, 6, 7], rows=3), [N, N, 2, N, N, N, 6])


def test_exponential_mean_begins_with_the_mean() -> None:
    # v = 2, then 2 + (2/4)*(6-2) = 4
    equal(rolled("ema", [1, 2, 3, 6], rows=3), [N, N, 2, 4])


def test_recent_counts_what_there_is() -> None:
    equal(rolled("recent", [N, 1, N, 2, 4, 8], rows=3), [N, 1, 1, 3, 6, 14])


def test_counters_of_rows() -> None:
    values = [N, 1, 2, N, 3]
    equal(rolled("run", values), [0, 1, 2, 0, 1])
    equal(rolled("age", values), [0, 1, 2, 3, 4])
    equal(rolled("idle", values), [N, 0, 0, 1, 0])
    equal(rolled("hold", values), [N, 1, 2, 2, 3])


def test_days_begin_at_midnight() -> None:
    values = [1.0, 2.0, N, 4.0, 5.0]
    equal(rolled("day_sum", values, first=1438), [1, 3, N, 4, 9])
    equal(rolled("day_before", values, first=1438), [N, N, 2, 2, 2])


REFERENCE = [5.0, -1.0, 2.0, -3.0, 4.0, 0.0, 1.0, -2.0, 3.0]
EACH_ROW = (1, 288, 4)


@pytest.mark.parametrize(
    ("how", "value", "told"),
    [("scale", 6.0, 2.023472), ("centred", 6.0, 1.686227), ("rank", 2.5, 0.333333), ("usual", 6.0, 1.0)],
)
def test_reference_of_the_specification(how: How, value: float, told: float) -> None:
    found = rolled(how, [*REFERENCE, value], floor=1e-6, schedule=EACH_ROW)
    assert found[-1] == pytest.approx(told, abs=5e-7)
    assert np.isnan(found[:2]).all()  # a quarter of the need is not enough


def test_reference_takes_a_value_at_the_end_of_its_period_and_after_scoring() -> None:
    found = rolled("filled", [1.0] * 8, schedule=(4, 96, 32), first=1)
    equal(found, [0, 0, 0, 1, 1, 1, 1, 2])


def test_reference_forgets_the_oldest_and_skips_holes() -> None:
    # The ring of three holds 2, 3, 4 when 9 is measured: the middle is 3.
    equal(rolled("usual", [1.0, N, 2.0, 3.0, 4.0, 9.0], schedule=(1, 3, 1))[-1:], [3.0])


def test_floor_bounds_what_is_usual() -> None:
    equal(rolled("scale", [0.0, 0.0, 0.0, 0.1], floor=0.05, schedule=(1, 9, 3))[-1:], [2.0])


def test_columns_do_not_meet() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 7))
    x[rng.random(x.shape) < 0.02] = N
    for how in ("sum", "ema", "recent", "scale", "rank", "day_before"):
        roll = Rolled(how, X, rows=40, floor=0.1, schedule=(2, 20, 8))
        out = np.empty(x.shape)
        advance(roll, roll_state(roll, 7), (1300, 1440), x, out)
        for s in range(7):
            alone: Floats = np.empty((200, 1))
            advance(roll, roll_state(roll, 1), (1300, 1440), np.ascontiguousarray(x[:, s : s + 1]), alone)
            assert np.array_equal(alone[:, 0], out[:, s], equal_nan=True)
