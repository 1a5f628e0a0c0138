"""How Kraken spells pairs, sizes and checksums, against its documentation's example."""

from __future__ import annotations

import dataclasses
import zlib

import pytest

from sextant.sim.kraken_wire import (
    asset_key,
    checksum,
    market_of,
    mean_price,
    moment_text,
    pair_key,
    pair_names,
    size_text,
    trade_count,
)
from sextant.sim.market_model import MarketModel
from sextant.sim.tape import Forming
from sextant.sim.universe import Listing


@pytest.fixture(scope="module")
def pairs() -> dict[str, Listing]:
    return {listing.base: listing for listing in market_of(MarketModel(7, 240)).listings}


def test_pairs_of_the_first_years_carry_a_letter_for_their_class(pairs: dict[str, Listing]) -> None:
    assert pair_names(pairs["BTC"]) == ("XXBTZUSD", "XBTUSD", "XBT/USD", "BTC/USD")
    assert pair_key(pairs["ETH"]) == "XETHZUSD"
    assert (pair_key(pairs["DOGE"]), asset_key("DOGE")) == ("XDGUSD", "XXDG")
    assert (pair_key(pairs["SOL"]), asset_key("SOL")) == ("SOLUSD", "SOL")
    assert len({pair_key(listing) for listing in pairs.values()}) == len(pairs) == 40


def test_the_checksum_is_of_asks_then_bids_without_points_and_leading_noughts(
    pairs: dict[str, Listing],
) -> None:
    # The guide to the checksum: 45285.2 and 0.00100000 become 452852 and 100000.
    btc = dataclasses.replace(pairs["BTC"], tick=0.1, tick_decimals=1, lot=1e-8, lot_decimals=8)
    assert checksum(btc, [(452_835, 10_000_000)], [(452_852, 100_000)]) == zlib.crc32(
        b"45285210000045283510000000"
    )


def test_only_ten_levels_a_side_are_checked(pairs: dict[str, Listing]) -> None:
    levels = [(1_000 + row, 5) for row in range(12)]
    assert checksum(pairs["BTC"], levels, levels) == checksum(pairs["BTC"], levels[:10], levels[:10])


def test_sizes_and_moments_have_all_their_digits(pairs: dict[str, Listing]) -> None:
    btc = pairs["BTC"]
    assert btc.lot_decimals == 8
    assert size_text(btc, 1) == "0.00000001"
    assert moment_text(1_690_731_058_343) == "2023-07-30T15:30:58.343000Z"
    assert moment_text(1_690_731_058_343, 9) == "2023-07-30T15:30:58.343000000Z"


def test_steps_of_size_stay_exact_numbers(pairs: dict[str, Listing]) -> None:
    for listing in pairs.values():
        assert 1e9 < listing.turnover / listing.price / listing.lot < 1e13


def test_the_mean_price_lies_within_the_bar_and_is_the_close_of_an_empty_one(
    pairs: dict[str, Listing],
) -> None:
    btc = pairs["BTC"]
    traded = Forming(10, 30, 10, 20, 4, 4 * btc.lot * 15 * btc.tick)
    assert mean_price(btc, traded) == pytest.approx(15 * btc.tick)
    assert mean_price(btc, dataclasses.replace(traded, turnover=1e9)) == pytest.approx(30 * btc.tick)
    assert mean_price(btc, Forming(20, 20, 20, 20, 0, 0.0)) == 20 * btc.tick


def test_trades_are_counted_by_volume(pairs: dict[str, Listing]) -> None:
    btc = pairs["BTC"]
    a_day = round(btc.turnover / btc.price / btc.lot)
    bars = [Forming(1, 1, 1, 1, lots, 1.0) for lots in (0, 1, a_day)]
    none, one, day = (trade_count(btc, 1.0, bar) for bar in bars)
    assert (none, one) == (0, 1)
    assert day == pytest.approx(1_440 * 60 * 2.5, rel=0.01)
