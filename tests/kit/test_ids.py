from __future__ import annotations

import pytest

from sextant.kit.ids import is_id, new_fraction, new_id


def test_a_new_id_has_its_own_shape_and_is_new() -> None:
    assert is_id(new_id("scan"), "scan")
    assert new_id("scan") != new_id("scan")


@pytest.mark.parametrize(
    "text",
    ["latest", "scan_", "scan_" + "g" * 32, "scan_" + "a" * 31, "plan_" + "a" * 32, "scan_" + "a" * 33],
)
def test_other_text_is_no_scan_id(text: str) -> None:
    assert not is_id(text, "scan")


def test_fractions_are_evenly_drawn_from_nought_to_one() -> None:
    drawn = [new_fraction() for _ in range(2000)]
    assert 0 <= min(drawn) < 0.02
    assert 0.98 < max(drawn) < 1
    assert 0.45 < sum(drawn) / 2000 < 0.55  # the mean of 2000 draws strays by .0065; .05 is 7.7 of it
