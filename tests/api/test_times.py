from __future__ import annotations

import pytest

from sextant.api.times import time_field
from sextant.errors import InputError


def test_a_stated_time_is_nanoseconds_and_an_absent_one_nothing() -> None:
    assert time_field("2026-03-01T12:00:00.000Z", "since") == 1_772_366_400_000_000_000
    assert time_field("2026-03-01T13:00:00+01:00", "since") == 1_772_366_400_000_000_000
    assert time_field(None, "since") is None


@pytest.mark.parametrize("text", ["yesterday", "", "2026-03-01T12:00:00", "9999999999"])
def test_what_is_no_time_points_at_its_field(text: str) -> None:
    with pytest.raises(InputError) as refused:
        time_field(text, "until")
    assert refused.value.facts["field"] == "until"
