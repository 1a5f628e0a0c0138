from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sextant.errors import InputError
from sextant.model.bar import Bar, BarBlock
from sextant.model.instrument import Instrument
from sextant.model.times import HOUR_NS

_GOOD: dict[str, Any] = {"open_ns": 0, "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 3.0}


@pytest.mark.parametrize(
    "changes",
    [
        {"high": 10.5},
        {"low": 10.5},
        {"open": 0.0, "low": 0.0},
        {"close": float("nan")},
        {"high": float("inf")},
        {"volume": -1.0},
        {"volume": float("nan")},
        {"quote_volume": -1.0},
        {"taker_buy_volume": -0.5},
    ],
)
def test_a_bar_that_no_market_can_have_traded_is_refused(changes: dict[str, Any]) -> None:
    assert Bar(**_GOOD).volume == 3.0
    with pytest.raises(InputError):
        Bar(**(_GOOD | changes))


def _block(**changes: Any) -> BarBlock:
    column = np.ones((2, 1))
    facts: dict[str, Any] = {
        "interval": "1h",
        "instruments": (Instrument("binance", "BTC", "USDT", "spot"),),
        "open_ns": np.array([0, HOUR_NS]),
        **dict.fromkeys(
            ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume"), column
        ),
        "event_ns": 0,
        "receive_ns": 0,
    }
    return BarBlock(**(facts | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"open_ns": np.array([0, 1])},
        {"open_ns": np.array([HOUR_NS, 0])},
        {"open_ns": np.array([0, 0])},
        {"close": np.ones((2, 2))},
        {"close": np.ones((2, 1), dtype=np.float32)},
    ],
)
def test_a_block_whose_shapes_or_times_disagree_is_refused(changes: dict[str, Any]) -> None:
    assert _block().interval == "1h"
    with pytest.raises(InputError):
        _block(**changes)


def test_a_block_may_skip_hours_that_never_came() -> None:
    assert len(_block(open_ns=np.array([0, 5 * HOUR_NS])).open_ns) == 2
