"""What the simulated Deribit lists and quotes; numbers by hand or against scipy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import norm

from sextant.sim.deribit_market import (
    COARSE_TICK,
    CURRENCIES,
    DAY_MS,
    TICK,
    Contract,
    DerivativesModel,
    OptionQuote,
    black,
    expiries,
)
from sextant.sim.market_model import MarketModel

NOW_MS = 1_782_552_420_000  # 2026-06-27T09:27:00Z, a Saturday


@pytest.fixture(scope="module")
def market() -> DerivativesModel:
    return DerivativesModel(MarketModel(7, 24), 1.0)


def options(market: DerivativesModel, currency: str) -> list[Contract]:
    return [one for one in market.contracts(currency, NOW_MS) if one.kind == "option"]


def test_expiries_are_at_eight_and_mostly_fridays() -> None:
    found = expiries(NOW_MS)
    days = [(time - 8 * 3_600_000) // DAY_MS for time, _ in found]
    assert all(time % DAY_MS == 8 * 3_600_000 for time, _ in found)
    assert [kind for _, kind in found].count("day") == 2
    assert [day % 7 for day, (_, kind) in zip(days, found, strict=True) if kind != "day"] == [1] * (
        len(found) - 2
    )
    assert [time for time, _ in found] == sorted(time for time, _ in found)
    assert found[0][0] > NOW_MS


def test_a_settlement_leaves_the_list_at_its_instant() -> None:
    first = expiries(NOW_MS)[0][0]
    assert expiries(first - 1)[0][0] == first
    assert expiries(first)[0][0] == first + DAY_MS


def test_names_are_spelt_as_the_venue_does(market: DerivativesModel) -> None:
    names = {one.name for one in market.contracts("ETH", NOW_MS)}
    assert {"ETH-PERPETUAL", "ETH-31JUL26"} <= names
    assert any(name.startswith("ETH-3JUL26-") and name.endswith("-P") for name in names)
    assert not any("-0" in name for name in names)
    assert list(market.contracts("SOL", NOW_MS)) == []


def test_the_index_is_the_price_of_the_market_without_its_basis(market: DerivativesModel) -> None:
    for currency in CURRENCIES:
        listing = market.listing(currency)
        minute = market.model.minute_span(listing, NOW_MS // 60_000, NOW_MS // 60_000 + 1)
        low, high = (float(side[0]) * listing.tick for side in (minute.low, minute.high))
        assert low <= market.price(currency, NOW_MS + 1_000) <= high
        basis = market.model.basis(listing, NOW_MS / DAY_MS)
        assert market.index(currency, NOW_MS) == pytest.approx(
            market.price(currency, NOW_MS) / (1 + basis), abs=0.01
        )


@pytest.mark.parametrize(
    ("strike", "call"), [(50_000, True), (50_000, False), (60_000, True), (70_000, False)]
)
def test_values_equal_those_of_another_implementation(strike: float, call: bool) -> None:
    forward, iv, years = 60_000.0, 0.62, 14 / 365
    value, (delta, *_) = black(forward, strike, iv, years, call=call)
    d1 = math.log(forward / strike) / (iv * math.sqrt(years)) + iv * math.sqrt(years) / 2
    d2 = d1 - iv * math.sqrt(years)
    expected = forward * norm.cdf(d1) - strike * norm.cdf(d2)
    assert value == pytest.approx(expected if call else expected - forward + strike)
    assert delta == pytest.approx(norm.cdf(d1) - (0 if call else 1))


def test_calls_and_puts_obey_parity_at_their_marks(market: DerivativesModel) -> None:
    couples: dict[tuple[int | None, float], dict[bool, OptionQuote]] = {}
    for one in options(market, "BTC"):
        couples.setdefault((one.expiry_ms, one.strike), {})[one.call] = market.option(one, NOW_MS)
    for (_, strike), both in couples.items():
        forward = both[True].forward
        assert both[True].mark - both[False].mark == pytest.approx(1 - strike / forward, abs=2e-6)


def test_quotes_stand_around_the_mark_on_ticks(market: DerivativesModel) -> None:
    for currency in CURRENCIES:
        for one in options(market, currency):
            quote = market.option(one, NOW_MS)
            assert quote.ask > quote.mark
            assert quote.bid is None or 0 < quote.bid < quote.mark
            for price in (quote.bid, quote.ask):
                if price is not None:
                    tick = COARSE_TICK if price > 0.0051 else TICK
                    assert price / tick == pytest.approx(round(price / tick), abs=1e-6)


def test_nothing_is_free_among_the_quotes(market: DerivativesModel) -> None:
    """Calls fall with the strike at executable prices, in every expiry."""
    calls = [one for one in options(market, "ETH") if one.call]
    for _, some in itertools.groupby(calls, key=lambda one: one.expiry_ms):
        for low, high in itertools.pairwise(sorted(some, key=lambda one: one.strike)):
            sold = market.option(high, NOW_MS).bid
            assert sold is None or sold < market.option(low, NOW_MS).ask


def test_one_base_is_dear_and_the_other_cheap_against_what_they_moved(market: DerivativesModel) -> None:
    for currency, low, high in (("BTC", 1.2, 1.7), ("ETH", 0.55, 0.85)):
        listing = market.listing(currency)
        day = NOW_MS // DAY_MS
        closes = market.model.bars(listing, 1_440, day - 45, 45).close.astype(np.float64)
        moved = float(np.std(np.diff(np.log(closes)), ddof=1)) * math.sqrt(365)
        month = market.volatility(currency, expiries(NOW_MS)[-2][0], NOW_MS)
        assert low < month / moved < high


def test_the_same_seed_quotes_the_same(market: DerivativesModel) -> None:
    again = DerivativesModel(MarketModel(7, 24), 1.0)
    other = DerivativesModel(MarketModel(8, 24), 1.0)
    one = options(market, "BTC")[20]
    assert again.option(one, NOW_MS) == market.option(one, NOW_MS)
    assert other.option(one, NOW_MS) != market.option(one, NOW_MS)


def test_strikes_follow_the_price_and_none_leaves_within_a_day(market: DerivativesModel) -> None:
    today = NOW_MS - NOW_MS % DAY_MS
    assert market.strikes("BTC", today) == market.strikes("BTC", today + DAY_MS - 1)
    strikes = market.strikes("BTC", NOW_MS)
    assert strikes[0] < market.index("BTC", NOW_MS) < strikes[-1]
    steps = {round(high - low, 6) for low, high in itertools.pairwise(strikes)}
    assert min(steps) in (500, 1_000, 2_000, 5_000)
