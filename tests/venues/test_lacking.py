from __future__ import annotations

import pytest

from sextant.errors import Rejected
from sextant.venues.lacking import lacking


def test_a_history_that_does_not_exist_is_refused_with_the_reason() -> None:
    with pytest.raises(Rejected) as raised:
        lacking(b"{}", 1, instrument=None)
    assert raised.value.reason == "unsupported"
