from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from sextant.model.account import Account
from sextant.strategies.sizing import (
    PROFILES,
    Idea,
    Means,
    gap_of,
    least_usd,
    means_of,
    on_tick,
    quantity_of,
    size_usd,
)
from support.views import spec

BALANCED = Means(100_000.0, 100_000.0, PROFILES["balanced"], illustrative=False)


def idea(**changes: float | None) -> Idea:
    facts: dict[str, float | None] = {
        "stop_frac": 0.03,
        "es99_frac": 0.10,
        "exit_cost_frac": 0.001,
        "volume_24h_usd": 1e8,
        "capacity_usd": 1e6,
        "edge_lcb_frac": 0.004,
        "variance_frac": 0.0025,
    }
    return Idea(**(facts | changes))  # type: ignore[arg-type]  # names are those above


def assert_size(candidate: Idea, usd: float, why: str) -> None:
    size, bound_by = size_usd(candidate, BALANCED)
    assert size == pytest.approx(usd)
    assert bound_by == why


def test_kelly_takes_the_cautious_edge_over_the_variance() -> None:
    # 100,000 x 0.25 x 0.004/0.0025 = 40,000; risk 500/(0.03 x 1.5 + 0.001) = 10,869.57; cap 10,000.
    assert size_usd(idea(), BALANCED) == (10_000.0, "position_cap")
    small, why = size_usd(idea(variance_frac=0.02), BALANCED)
    assert small == pytest.approx(5_000.0)
    assert why == "kelly"


def test_risk_bounds_the_loss_at_the_stop_beyond_its_gap() -> None:
    size, why = size_usd(idea(stop_frac=0.05), BALANCED)
    assert size == pytest.approx(500.0 / (0.05 * 1.5 + 0.001))
    assert why == "risk"


def test_thin_instruments_gap_further() -> None:
    assert (gap_of(4.9e6), gap_of(5e6)) == (2.5, 1.5)
    size, _ = size_usd(idea(volume_24h_usd=1e6), BALANCED)
    assert size == pytest.approx(500.0 / (0.03 * 2.5 + 0.001))


def test_unproven_ideas_and_edges_not_shown_to_be_positive_get_a_quarter_of_the_risk() -> None:
    quarter = 125.0 / (0.03 * 1.5 + 0.001)
    assert_size(idea(edge_lcb_frac=None, variance_frac=None), quarter, "risk")
    assert_size(idea(edge_lcb_frac=-0.001), quarter, "risk")


def test_without_a_stop_the_shortfall_of_the_horizon_bounds_the_risk() -> None:
    assert_size(idea(stop_frac=None), 5_000.0, "risk")


def test_capital_and_half_the_capacity_bind() -> None:
    poor = Means(100_000.0, 700.0, PROFILES["balanced"], illustrative=False)
    assert size_usd(idea(), poor) == (700.0, "capital")
    assert size_usd(idea(capacity_usd=3_000.0), BALANCED) == (1_500.0, "capacity")


def test_only_the_balance_at_the_venue_of_the_leg_counts() -> None:
    account = Account(equity_usd=5_000.0, coverage_frac=1.0, free_usd={"kraken": 5_000.0})
    assert means_of(account, "kraken").free_usd == 5_000.0
    assert means_of(account, "binance").free_usd == 0.0


def test_without_an_account_sizes_are_for_a_thousand_dollars_and_say_so() -> None:
    means = means_of(Account(profile="aggressive"), "binance")
    assert (means.equity_usd, means.illustrative) == (1_000.0, True)
    assert means.profile == PROFILES["aggressive"]


def test_profiles_are_those_of_the_page() -> None:
    rows = {name: tuple(vars(profile).values()) for name, profile in PROFILES.items()}
    assert rows == {
        "conservative": (0.0025, 0.15, 0.10, 1.0, 0.05, 0.03),
        "balanced": (0.005, 0.25, 0.05, 3.0, 0.10, 0.05),
        "aggressive": (0.01, 0.35, 0.03, 5.0, 0.20, 0.08),
        "beast_mode": (0.015, 0.50, 0.02, 10.0, 0.25, 0.12),
    }


def test_quantities_are_rounded_down_to_the_lot_and_prices_to_the_tick() -> None:
    rules = msgspec.structs.replace(spec("BTC"), lot=Decimal("0.001"), tick=Decimal("0.5"))
    assert quantity_of(1_000.0, 60_000.0, 1.0, rules) == Decimal("0.016")
    assert quantity_of(59.0, 60_000.0, 1.0, rules) == 0
    assert quantity_of(1_000.0, 60_000.0, 2.0, rules) == Decimal("0.008")
    assert on_tick(60_000.3, rules, "up") == Decimal("60000.5")
    assert on_tick(60_000.3, rules, "down") == Decimal("60000.0")
    assert on_tick(60_000.3, rules) == Decimal("60000.5")
    assert on_tick(0.1, rules, "down") == Decimal("0.5")


def test_the_least_order_is_the_venues_notional_or_one_lot() -> None:
    rules = msgspec.structs.replace(spec("BTC"), lot=Decimal("0.001"))
    assert least_usd(rules, 60_000.0, 1.0) == 60.0
    assert least_usd(rules, 1_000.0, 1.0) == 5.0
    assert least_usd(msgspec.structs.replace(rules, min_notional=None), 1_000.0, 1.0) == 1.0


def test_a_price_that_is_a_multiple_of_its_tick_stays_what_it_is() -> None:
    """99.99 as a binary number is a little less than 9,999 ticks of 0.01."""
    hundredths = msgspec.structs.replace(spec("BTC"), tick=Decimal("0.01"))
    assert on_tick(99.99, hundredths, "down") == Decimal("99.99")
    assert on_tick(99.994, hundredths, "down") == Decimal("99.99")
    assert on_tick(99.991, hundredths, "up") == Decimal("100.00")
