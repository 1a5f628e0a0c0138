"""The listed instruments have real names and varied terms."""

from __future__ import annotations

import pytest

from sextant.errors import InputError
from sextant.sim.universe import Terms, listings, names, relisted


def test_240_listings_are_200_perpetuals_and_40_spot() -> None:
    found = listings(7, 240)
    assert [sum(1 for listing in found if listing.category == name) for name in ("linear", "spot")] == [
        200,
        40,
    ]
    assert len({(listing.category, listing.symbol) for listing in found}) == 240
    assert {"BTCUSDT", "ETHUSDT", "SOLUSDT"} <= {
        listing.symbol for listing in found if listing.category == "spot"
    }


def test_names_are_unique() -> None:
    assert len(set(names())) == len(names())


def test_terms_differ() -> None:
    found = listings(7, 240)
    assert len({listing.tick for listing in found}) >= 6
    assert len({listing.lot for listing in found}) >= 4
    assert min(listing.spread_ticks for listing in found) == 1
    assert max(listing.spread_ticks for listing in found) > 5
    assert len({listing.launch_day for listing in found}) > 10


@pytest.mark.parametrize("number", [0, 1, 1_201])
def test_a_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(InputError, match="the simulator lists"):
        listings(7, number)


def test_another_venue_lists_an_instrument_in_its_own_steps_and_draws_its_own_trades() -> None:
    btc = listings(7, 12)[0]
    theirs = relisted(btc, Terms(house=3, turnover=0.1, spread=2.0, away=2e-4, finer=1), 4, "XBT", "XBT-USD")
    assert (theirs.position, theirs.base, theirs.symbol) == (4, "XBT", "XBT-USD")
    assert theirs.tick == btc.tick / 10.0
    assert theirs.tick_decimals == btc.tick_decimals + 1
    assert theirs.spread_ticks * theirs.tick == pytest.approx(2.0 * btc.spread_ticks * btc.tick)
    assert theirs.turnover == pytest.approx(btc.turnover / 10.0)
    assert theirs.lot == 1.0 / 10**theirs.lot_decimals
    assert (btc.own_lane, btc.base_lane) == (btc.position, btc.lane)
    assert (theirs.own_lane, theirs.base_lane) == (30_004, 30_000 + btc.lane)


def test_a_thousand_are_listed_and_the_first_are_as_among_few() -> None:
    """A larger market has the same large instruments, and small ones besides."""
    many, few = listings(7, 1_000), listings(7, 240)
    perpetuals = [listing for listing in many if listing.category == "linear"]
    assert (len(perpetuals), len(many)) == (834, 1_000)
    assert perpetuals[:200] == list(few[:200])
    assert max(listing.turnover for listing in perpetuals[200:]) < 1e6 < perpetuals[0].turnover
