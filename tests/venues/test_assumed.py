from __future__ import annotations

import pytest

from sextant.errors import WireError
from sextant.venues.assumed import Shown, assumed_listing


def shown(prices: list[str], sizes: list[str], base: str = "BTC") -> Shown:
    return Shown("BTCUSD", base, "USD", "spot", prices, sizes)


def test_the_finest_digits_become_the_steps() -> None:
    listing = assumed_listing("kraken", "spot", shown(["10.5", "10.25"], ["1", "0.001"]), 7)
    assert listing is not None
    assert (str(listing.spec.tick), str(listing.spec.lot), listing.spec.as_of_ns) == ("0.01", "0.001", 7)
    assert (listing.category, listing.symbol, listing.spec.status) == ("spot", "BTCUSD", "trading")


def test_without_digits_or_instrument_nothing_is_assumed() -> None:
    assert assumed_listing("kraken", "spot", shown([], ["1"]), 7) is None
    assert assumed_listing("kraken", "spot", shown(["1"], []), 7) is None
    assert assumed_listing("kraken", "spot", shown(["1"], ["1"], "btc?"), 7) is None


def test_what_is_no_number_is_a_wire_error() -> None:
    with pytest.raises(WireError):
        assumed_listing("kraken", "spot", shown(["x"], ["1"]), 7)
