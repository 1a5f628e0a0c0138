"""Parameters of Binance's paths."""

from __future__ import annotations

import pytest

from sextant.errors import Rejected
from sextant.sim.binance_asked import moment, named, whole
from sextant.sim.binance_wire import market_of
from sextant.sim.live import Live
from sextant.sim.market_model import MarketModel


def code_of(error: pytest.ExceptionInfo[Rejected]) -> int:
    return int(error.value.facts["ret_code"])


def test_whole_numbers_are_read_cut_and_refused() -> None:
    assert whole({}, "limit", 500, 1_000) == 500
    assert whole({"limit": "7"}, "limit", 500, 1_000) == 7
    assert whole({"limit": "70000"}, "limit", 500, 1_000) == 1_000
    for text, code in (("x", -1100), ("-1", -1100), ("1.5", -1100), ("9" * 19, -1100), ("0", -1130)):
        with pytest.raises(Rejected) as error:
            whole({"limit": text}, "limit", 500, 1_000)
        assert code_of(error) == code
    assert moment({"startTime": "0"}, "startTime") == 0
    assert moment({}, "startTime") is None


def test_a_symbol_must_be_said_and_listed() -> None:
    live = Live(market_of(MarketModel(7, 12)), 1.0)
    assert named(live, "linear", {"symbol": "ETHUSDT"}).base == "ETH"
    for asked, code in (({}, -1102), ({"symbol": "btcusdt"}, -1121), ({"symbol": "NOPE"}, -1121)):
        with pytest.raises(Rejected) as error:
            named(live, "linear", asked)
        assert code_of(error) == code
