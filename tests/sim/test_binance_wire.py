"""How the simulated Binance spells what it lists."""

from __future__ import annotations

import pytest

from sextant.sim.binance_wire import (
    INTERVALS,
    bought_lots,
    first_trade,
    market_of,
    price_text,
    shift_of,
    size_text,
    slot_of,
    spot_row,
    trades_of,
    usdm_row,
)
from sextant.sim.market_model import MarketModel
from sextant.sim.tape import Forming, Tape
from sextant.sim.universe import Listing

SLOT = 1_790_000_010_000 // 500


@pytest.fixture(scope="module")
def market() -> MarketModel:
    return market_of(MarketModel(7, 240))


def listed(market: MarketModel, category: str, symbol: str = "BTCUSDT") -> Listing:
    found = market.find(category, symbol)
    assert found is not None
    return found


def test_it_lists_what_bybit_lists_in_its_own_spelling(market: MarketModel) -> None:
    spelt = {listing.symbol for listing in market.listings if listing.category == "linear"}
    assert {"BTCUSDT", "1000PEPEUSDT", "1000SHIBUSDT"} <= spelt
    assert not {"SHIB1000USDT", "10000SATSUSDT"} & spelt
    assert [listing.position for listing in market.listings] == list(range(len(market.listings)))


def test_spot_prints_eight_decimals_and_futures_those_of_their_steps(market: MarketModel) -> None:
    spot, perpetual = listed(market, "spot"), listed(market, "linear")
    assert (spot.tick, perpetual.tick) == (0.01, 0.1)
    assert (price_text(spot, 4_822_070), price_text(perpetual, 482_207)) == ("48220.70000000", "48220.7")
    assert size_text(spot, 0) == "0.00000000"
    assert float(size_text(perpetual, 3)) == pytest.approx(3 * perpetual.lot)
    assert len(size_text(perpetual, 3).partition(".")[2]) == perpetual.lot_decimals


def test_steps_are_stated_in_the_filters(market: MarketModel) -> None:
    spot, perpetual = listed(market, "spot"), listed(market, "linear")
    filters = {row["filterType"]: row for row in spot_row(spot, sets=False)["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert float(filters["LOT_SIZE"]["stepSize"]) == spot.lot
    assert (spot_row(spot, sets=True)["permissionSets"], spot_row(spot, sets=False)["permissionSets"]) == (
        [["SPOT", "MARGIN"]],
        [],
    )
    row = usdm_row(perpetual)
    filters = {item["filterType"]: item for item in row["filters"]}
    assert (filters["PRICE_FILTER"]["tickSize"], row["pricePrecision"]) == ("0.1", 1)
    assert (row["contractType"], row["deliveryDate"]) == ("PERPETUAL", 4_133_404_800_000)


def test_every_slot_has_three_trades_whose_numbers_leave_none_out(market: MarketModel) -> None:
    tape = Tape(market, listed(market, "linear"), 1.0)
    numbers = []
    for slot in range(SLOT, SLOT + 40):
        trades = trades_of(tape, slot)
        numbers += [number for number, _ in trades]
        plain = tape.trades(slot)
        assert len(trades) == 3
        assert sum(trade.lots for _, trade in trades) == sum(trade.lots for trade in plain)
        assert min(trade.lots for _, trade in trades) >= 1
        assert [trade.ticks for _, trade in trades][-1] == plain[-1].ticks
        assert {slot_of(tape, number) for number, _ in trades} == {slot}
    assert numbers == list(range(first_trade(tape, SLOT), first_trade(tape, SLOT) + 120))


def test_takers_buy_more_as_the_price_rises(market: MarketModel) -> None:
    listing = listed(market, "linear")
    shares = [
        bought_lots(listing, Forming(480_000, 490_000, 470_000, close, 20_000, 1.0))
        for close in (475_000, 480_000, 485_000)
    ]
    assert shares[0] < shares[1] == 10_000 < shares[2]
    assert bought_lots(listing, Forming(480_000, 900_000, 470_000, 900_000, 10, 1.0)) == 10
    assert bought_lots(listing, Forming(480_000, 480_000, 480_000, 480_000, 0, 0.0)) == 0


def test_weeks_open_on_monday() -> None:
    assert (INTERVALS["4h"], INTERVALS["1w"]) == (240, 10_080)
    assert (shift_of(1_440), shift_of(10_080)) == (0, 4 * 1_440)  # 1970-01-01 was a Thursday
