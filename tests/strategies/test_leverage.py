from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from sextant.strategies.leverage import leverage_of
from support.views import spec

PERPETUAL = msgspec.structs.replace(spec("BTC", "perpetual"), max_leverage=Decimal(50))


def times(profile_cap: float, stop_frac: float, largest: str = "50") -> float:
    rules = msgspec.structs.replace(PERPETUAL, max_leverage=Decimal(largest))
    found = leverage_of(rules, profile_cap, stop_frac)
    assert found is not None
    return found.times


def test_leverage_is_the_least_of_profile_venue_and_three_stops() -> None:
    assert times(3.0, 0.024) == 3.0
    # 1/(3 x 0.024 + 0.02) = 10.87
    assert times(20.0, 0.024) == 10.0
    # Maintenance is at most 1/5: 1/(0.003 + 0.2) = 4.9.
    assert times(20.0, 0.001, "5") == 4.0
    assert times(3.0, 0.5) == 1.0


def test_liquidation_lies_at_the_margin_less_what_must_be_maintained() -> None:
    found = leverage_of(PERPETUAL, 3.0, 0.024)
    assert found is not None
    # entry (1 - 1/L + mmr) long, entry (1 + 1/L - mmr) short.
    assert found.liquidation_price(100.0, 1) == pytest.approx(100.0 * (1 - 1 / 3 + 0.02))
    assert found.liquidation_price(100.0, -1) == pytest.approx(100.0 * (1 + 1 / 3 - 0.02))


@pytest.mark.parametrize("stop_frac", [0.001, 0.01, 0.03, 0.1])
def test_liquidation_stays_three_stops_away_wherever_leverage_is_used(stop_frac: float) -> None:
    found = leverage_of(PERPETUAL, 10.0, stop_frac)
    assert found is not None
    assert found.times == 1.0 or found.liquidation_frac >= 3.0 * stop_frac


def test_nothing_is_said_where_the_venue_states_no_largest_leverage() -> None:
    assert leverage_of(spec("BTC", "perpetual"), 3.0, 0.024) is None
