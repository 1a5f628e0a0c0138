from __future__ import annotations

import dataclasses

from support.cards import proven
from support.judging import only
from support.markets import breakout_market


def test_reasons_name_value_threshold_and_since_when() -> None:
    row = only(breakout_market(), proven())
    assert "volume is 4, at least 1.8 is asked." in row.reasons
    assert any(reason.startswith("All gates have passed together since 20") for reason in row.reasons)
    assert any("120.0 bps gross after shrinkage; costs are 22.0 bps" in reason for reason in row.reasons)


def test_warnings_say_what_is_assumed_modelled_simulated_or_left_out() -> None:
    row = only(dataclasses.replace(breakout_market(), simulated=True), proven())
    assert row.warnings == (
        "Slippage beyond the touch is modelled by the square-root law: no book is known.",
        "Fees are the binance entry tier (10 bps taker), assumed.",
        "Evidence is computed without status, spread_bps, room_to_stop, room_to_target: they have no history.",
        "The market is simulated.",
    )
