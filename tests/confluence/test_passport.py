from __future__ import annotations

import numpy as np
import pytest

from sextant.confluence.passport import STREAMS, absent, q_age, q_gap, q_venue, soft


def test_quality_of_gaps_has_the_values_of_the_specification() -> None:
    assert q_gap(np.array([0.0, 0.005, 0.0095, 0.05, 0.5])) == pytest.approx([1, 1, 0.9, 0, 0])
    assert q_gap(np.array([np.nan])) == 1.0  # nothing can be counted


@pytest.mark.parametrize(
    ("stream", "full", "zero"),
    [
        ("bars", 70, 190),
        ("trades", 70, 190),
        ("book", 5, 30),
        ("quote", 30, 120),
        ("open_interest", 420, 1200),
        ("account_ratio", 900, 3600),
        ("liquidations", 30, 120),
    ],
)
def test_age_counts_in_full_then_fades_then_nothing(stream: str, full: float, zero: float) -> None:
    ages = np.array([0.0, full, (full + zero) / 2, zero, zero * 2, np.nan])
    assert q_age(stream, ages) == pytest.approx([1, 1, 0.5, 0, 0, 0])  # type: ignore[arg-type]  # each is one
    assert STREAMS[stream].full_s == full  # type: ignore[index]  # as above


def test_venue_that_stands_apart_loses_its_quality() -> None:
    assert q_venue(np.array([0.0, 15.0, 37.5, 60.0, np.nan])) == pytest.approx([1, 1, 0.5, 0, 1])


def test_soft_need_begins_at_a_quarter() -> None:
    assert soft(np.array([0.0, 50.0, 125.0, 200.0, 500.0]), 200) == pytest.approx([0, 0, 0.5, 1, 1])


def test_absence_is_told_with_its_numbers_or_its_input() -> None:
    assert absent("WARMING", 1310, 1440).text == "Too few rows since the last hole: 1310 of 1440."
    assert absent("UNSUPPORTED", of="buy_count").text == "No feed of this build gives the input: buy_count."
    assert absent("HOLE").text == "The newest bar is missing."
    assert absent("STALE").text == "The input is too old."
