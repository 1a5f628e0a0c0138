from __future__ import annotations

from support.cards import proven
from support.judging import only
from support.markets import breakout_market


def test_reasons_name_value_threshold_and_since_when() -> None:
    row = only(breakout_market(), proven())
    assert "volume is 4, at least 1.8 is asked." in row.reasons
    assert any(reason.startswith("All gates have passed together since 20") for reason in row.reasons)
    assert any("120.0 bps gross after shrinkage; costs are 22.0 bps" in reason for reason in row.reasons)
