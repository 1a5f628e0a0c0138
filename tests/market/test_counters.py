from __future__ import annotations

import pytest

from sextant.errors import InputError
from sextant.market.counters import NAMES, Counters


def test_every_count_starts_at_zero_and_rises() -> None:
    counters = Counters()
    counters.add("book_gaps")
    counters.add("book_gaps", 2)
    assert counters.get("book_gaps") == 3
    assert counters.copy() == dict.fromkeys(NAMES, 0) | {"book_gaps": 3}


def test_unknown_count_is_refused() -> None:
    with pytest.raises(InputError, match="'bokk_gaps' is not a count"):
        Counters().add("bokk_gaps")
