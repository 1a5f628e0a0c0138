from __future__ import annotations

import numpy as np
import pytest

from sextant.indicators.references import centred, ranked, reference_state, scaled, take, taken

VALUES = [5.0, -1.0, 2.0, -3.0, 4.0, 0.0, 1.0, -2.0, 3.0]


def test_reference_of_the_specification() -> None:
    reference = reference_state(288, 1)
    for row, value in enumerate(VALUES):
        take(reference, row, 1, np.array([value]))
    assert taken(reference, 0) == 9
    assert scaled(reference, 0, 6.0, 1e-6) == pytest.approx(2.023472, abs=5e-7)
    assert centred(reference, 0, 6.0, 1e-6) == pytest.approx(1.686227, abs=5e-7)
    assert ranked(reference, 0, 2.5) == pytest.approx(0.333333, abs=5e-7)


def test_median_is_the_lower_of_two_and_never_their_mean() -> None:
    reference = reference_state(4, 1)
    for row, value in enumerate([4.0, 1.0, 3.0, 2.0]):
        take(reference, row, 1, np.array([value]))
    assert reference[2][0, 0] == 2.0


def test_value_is_taken_at_the_end_of_each_period_and_a_hole_is_not() -> None:
    reference = reference_state(4, 2)
    for row in range(8):
        take(reference, row, 4, np.array([float(row), np.nan]))
    assert [taken(reference, s) for s in range(2)] == [2, 0]
    assert ranked(reference, 0, 3.0) == -0.5  # half equal to one of two: 2*(.5)/2 - 1
    assert ranked(reference, 1, 3.0) == 0.0


@pytest.mark.parametrize("kept", [1, 2, 7, 96])
@pytest.mark.parametrize("steps", [0, 3])
def test_what_is_kept_in_order_equals_sorting_all_of_it_anew(kept: int, steps: int) -> None:
    """Values of few different sizes, of many, and of runs that rise and fall, with holes between them."""
    rng = np.random.default_rng(kept + steps)
    rows = rng.normal(size=(400, 3))
    rows[:, 0] = np.round(rows[:, 0]) if steps else rows[:, 0]
    rows[:, 1] = np.abs(np.arange(400) % 50 - 25.0)
    rows[rng.random((400, 3)) < 0.1] = np.nan
    reference = reference_state(kept, 3)
    for at, row in enumerate(rows):
        take(reference, at, 1, row)
        for s in range(3):
            known = rows[: at + 1, s][~np.isnan(rows[: at + 1, s])][-kept:]
            if not len(known):
                continue
            middle = (len(known) - 1) // 2
            centre = np.sort(known)[middle]
            expected = [centre, np.sort(np.abs(known))[middle], np.sort(np.abs(known - centre))[middle]]
            assert reference[2][:, s].tolist() == expected
            probe = known[len(known) // 2]
            below = np.count_nonzero(known < probe) + 0.5 * np.count_nonzero(known == probe)
            assert ranked(reference, s, probe) == 2.0 * below / len(known) - 1.0
