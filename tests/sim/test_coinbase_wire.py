"""How Coinbase spells products, sizes and moments."""

from __future__ import annotations

import pytest

from sextant.sim.coinbase_wire import (
    bar_row,
    change_text,
    changes,
    market_of,
    moment_text,
    price_text,
    size_text,
    trade_row,
)
from sextant.sim.day import DayFacts
from sextant.sim.market_model import MarketModel
from sextant.sim.tape import Forming, Print
from sextant.sim.universe import Listing


@pytest.fixture(scope="module")
def btc() -> Listing:
    found = market_of(MarketModel(7, 240)).find("spot", "BTC-USD")
    assert found is not None
    return found


def test_numbers_have_no_trailing_noughts(btc: Listing) -> None:
    assert (btc.tick, btc.lot) == (0.01, 1e-8)
    assert [price_text(btc, ticks) for ticks in (6_508_367, 6_508_300)] == ["65083.67", "65083"]
    assert [size_text(btc, lots) for lots in (34_500_000, 1, 0)] == ["0.345", "0.00000001", "0"]


def test_moments_have_nanoseconds_or_microseconds() -> None:
    assert moment_text(1_786_309_548_228) == "2026-08-09T21:05:48.228000000Z"
    assert moment_text(1_786_309_548_228, 6) == "2026-08-09T21:05:48.228000Z"


def test_a_change_names_its_side_price_and_what_is_left(btc: Listing) -> None:
    [row] = changes(btc, "offer", [(6_508_367, 0)], 1_786_309_548_228)
    assert row == {
        "side": "offer",
        "event_time": "2026-08-09T21:05:48.228000Z",
        "price_level": "65083.67",
        "new_quantity": "0",
    }


@pytest.mark.parametrize(("bought", "side"), [(True, "SELL"), (False, "BUY")])
def test_a_trade_states_the_side_of_its_maker(btc: Listing, bought: bool, side: str) -> None:
    row = trade_row(btc, Print(1_786_309_548_228, bought, 6_508_367, 5, 1, "x"), 12)
    assert (row["side"], row["trade_id"], row["size"]) == (side, "12", "0.00000005")


def test_a_bar_is_named_by_its_open_in_seconds(btc: Listing) -> None:
    row = bar_row(btc, 1_786_309_500_000, Forming(2, 4, 1, 3, 5, 1.0))
    assert [row[name] for name in ("start", "open", "high", "low", "close")] == [
        "1786309500",
        "0.02",
        "0.04",
        "0.01",
        "0.03",
    ]


def test_the_change_of_a_day_is_in_per_cent() -> None:
    bar = Forming(200, 300, 100, 250, 1, 1.0)
    assert change_text(DayFacts(250, bar, bar)) == "25"
