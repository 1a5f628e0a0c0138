"""Prices and sizes are spelt with the instrument's own decimals, as recorded frames show."""

from __future__ import annotations

import pytest

from sextant.sim.market_model import MarketModel
from sextant.sim.universe import Listing
from sextant.sim.wire import INTERVALS, WEEK_SHIFT_MINUTES, price_text, rate_text, size_text, trimmed


def _listing(category: str) -> Listing:
    found = MarketModel(7, 12).find(category, "BTCUSDT")
    assert found is not None
    return found


def test_derivatives_keep_trailing_zeros_and_spot_drops_them() -> None:
    # As recorded on 2026-08-09: linear "65114.20" and "6.054", spot "65140" and "1.17".
    assert price_text(_listing("linear"), 651_142) == "65114.20"
    assert price_text(_listing("spot"), 651_400) == "65140"
    assert size_text(_listing("linear"), 6_050) == "6.050"
    spot = _listing("spot")
    assert size_text(spot, round(1.17 / spot.lot)) == "1.17"


def test_gone_is_a_bare_zero() -> None:
    assert size_text(_listing("linear"), 0) == "0"


@pytest.mark.parametrize(
    ("value", "decimals", "text"), [(1922.5, 2, "1922.5"), (30.0, 0, "30"), (100.0, 2, "100")]
)
def test_trimmed_numbers(value: float, decimals: int, text: str) -> None:
    assert trimmed(value, decimals) == text


@pytest.mark.parametrize(("rate", "text"), [(0.0001, "0.0001"), (-0.00000001, "-0.00000001"), (0.0, "0")])
def test_rates_have_no_exponent(rate: float, text: str) -> None:
    assert rate_text(rate) == text


def test_weeks_open_on_monday() -> None:
    # 2026-01-05 was a Monday.
    monday_ms = 1_767_571_200_000
    assert (monday_ms // 60_000 - WEEK_SHIFT_MINUTES) % INTERVALS["W"] == 0
