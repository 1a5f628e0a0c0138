from __future__ import annotations

import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.instrument import Instrument, Kind
from sextant.strategies.fees import delivery_bps, fee_tier


@pytest.mark.parametrize(
    ("venue", "kind", "maker_bps", "taker_bps"),
    [
        ("binance", "spot", 10.0, 10.0),
        ("binance", "perpetual", 2.0, 5.0),
        ("bybit", "spot", 10.0, 10.0),
        ("bybit", "perpetual", 2.0, 5.5),
        ("kraken", "spot", 25.0, 40.0),
        ("kraken", "perpetual", 2.0, 5.0),
        ("kucoin", "spot", 10.0, 10.0),
        ("kucoin", "perpetual", 2.0, 6.0),
        ("coinbase", "spot", 40.0, 60.0),
        ("deribit", "perpetual", 0.0, 5.0),
    ],
)
def test_entry_tiers_are_those_of_the_page_and_marked_assumed(
    venue: str, kind: Kind, maker_bps: float, taker_bps: float
) -> None:
    tier = fee_tier(Account(), Instrument(venue, "BTC", "USDT", kind))
    assert tier is not None
    assert (tier.maker_bps, tier.taker_bps, tier.assumed) == (maker_bps, taker_bps, True)


def test_the_accounts_own_tier_comes_first() -> None:
    own = FeeTier("bybit", "spot", "VIP 1", 6.75, 8.0, assumed=False, source="venue", read_on="2026-01-01")
    account = Account(fees={"bybit:spot": own})
    assert fee_tier(account, Instrument("bybit", "BTC", "USDT", "spot")) is own
    other = fee_tier(account, Instrument("bybit", "BTC", "USDT", "perpetual"))
    assert other is not None
    assert other.assumed


def test_fees_of_an_unknown_venue_are_unknown() -> None:
    assert fee_tier(Account(), Instrument("unheard_of", "BTC", "USDT", "spot")) is None


def test_settling_a_future_costs_what_its_venue_states_and_nothing_is_guessed() -> None:
    def future(venue: str) -> Instrument:
        return Instrument(venue, "BTC", "USD", "future", expiry_ns=1)

    assert delivery_bps(future("deribit")) == 2.5
    assert delivery_bps(future("bybit")) == 5.0
    assert delivery_bps(future("kraken")) is None
    assert delivery_bps(Instrument("deribit", "BTC", "USD", "perpetual")) is None
