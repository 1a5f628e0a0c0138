from __future__ import annotations

import pytest

from sextant.errors import Rejected
from sextant.venues.lacking import bars_only, lacking
from sextant.venues.port import Request


def test_a_history_that_does_not_exist_is_refused_with_the_reason() -> None:
    with pytest.raises(Rejected) as raised:
        lacking(b"{}", 1, instrument=None)
    assert raised.value.reason == "unsupported"


def test_a_venue_of_spot_has_bars_and_refuses_the_past_of_derivatives() -> None:
    def asked(*_: object) -> Request:
        return Request("/bars")

    past = bars_only(500, asked, lacking)
    assert (past.bars_rows, past.bars_request) == (500, asked)
    for question in (past.funding_request, past.open_interest_request, past.account_ratio_request):
        with pytest.raises(Rejected):
            question(None, 0, 1)  # type: ignore[arg-type]  # refused before anything is looked at
