"""How the simulated KuCoin spells what it lists."""

from __future__ import annotations

import pytest

from sextant.sim.kucoin_wire import (
    bar_row,
    changes_text,
    market_of,
    price_text,
    size_text,
    symbol_row,
    trade_number,
)
from sextant.sim.market_model import MarketModel
from sextant.sim.tape import Forming, Tape
from sextant.sim.universe import Listing


@pytest.fixture(scope="module")
def market() -> MarketModel:
    return market_of(MarketModel(7, 60))


@pytest.fixture(scope="module")
def btc(market: MarketModel) -> Listing:
    found = market.find("spot", "BTC-USDT")
    assert found is not None
    return found


def test_it_lists_the_spot_pairs_with_their_steps(market: MarketModel, btc: Listing) -> None:
    assert len(market.listings) == 10
    assert {listing.category for listing in market.listings} == {"spot"}
    row = symbol_row(btc)
    assert (row["symbol"], row["baseCurrency"], row["quoteCurrency"]) == ("BTC-USDT", "BTC", "USDT")
    assert (float(row["priceIncrement"]), float(row["baseIncrement"])) == (btc.tick, btc.lot)


def test_numbers_have_no_trailing_zeros(btc: Listing) -> None:
    assert [price_text(btc, ticks) for ticks in (482_200, 482_207)] == ["48220", "48220.7"]
    assert size_text(btc, 0) == "0"
    assert not size_text(btc, 10).endswith("0")


def test_bars_say_open_close_high_low_in_this_order(btc: Listing) -> None:
    row = bar_row(btc, 1_790_000_000_000, Forming(10, 40, 5, 20, 0, 1.5))
    assert row == ["1790000000", "1", "2", "4", "0.5", "0", "1.5"]


def test_changes_stand_in_the_order_of_their_numbers(btc: Listing) -> None:
    rows = changes_text(btc, [(30, 0, 12), (20, 0, 11)])
    assert rows == [["2", "0", "11"], ["3", "0", "12"]]


def test_numbers_of_trades_rise(market: MarketModel, btc: Listing) -> None:
    tape = Tape(market, btc, 1.0)
    slot = tape.due(1_790_000_010_000)
    numbers = [
        trade_number(tape, each, row)
        for each in range(slot, slot + 20)
        for row, _ in enumerate(tape.trades(each))
    ]
    assert numbers == sorted(set(numbers))
