from __future__ import annotations

import pytest

from sextant.kit.ids import is_id, new_id


def test_a_new_id_has_its_own_shape_and_is_new() -> None:
    assert is_id(new_id("scan"), "scan")
    assert new_id("scan") != new_id("scan")


@pytest.mark.parametrize(
    "text",
    ["latest", "scan_", "scan_" + "g" * 32, "scan_" + "a" * 31, "plan_" + "a" * 32, "scan_" + "a" * 33],
)
def test_other_text_is_no_scan_id(text: str) -> None:
    assert not is_id(text, "scan")
