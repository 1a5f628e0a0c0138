from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.errors import InputError
from sextant.model.times import MILLISECOND_NS, iso_ms, parse_time_ns


@given(st.integers(0, 4_000_000_000_000))
def test_a_time_written_with_milliseconds_reads_back(time_ms: int) -> None:
    assert parse_time_ns(iso_ms(time_ms * MILLISECOND_NS)) == time_ms * MILLISECOND_NS


@pytest.mark.parametrize("text", ["2024-06-01T00:00", "yesterday", "", "2024-13-01T00:00Z"])
def test_a_time_without_offset_or_sense_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_time_ns(text)


def test_offsets_are_honoured() -> None:
    assert parse_time_ns("2024-06-01T03:00+03:00") == parse_time_ns("2024-06-01T00:00Z")
