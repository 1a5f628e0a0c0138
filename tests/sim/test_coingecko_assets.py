"""Reference prices are those of the market, and symbols alone name no asset."""

from __future__ import annotations

import pytest

from sextant.sim.coingecko_assets import assets, quote
from sextant.sim.market_model import MarketModel

MINUTE = 20_700 * 1_440 + 100


@pytest.fixture(scope="module")
def model() -> MarketModel:
    return MarketModel(7, 24)


def test_ranks_are_counted_and_the_largest_symbols_are_carried_twice(model: MarketModel) -> None:
    found = assets(model)
    assert [each.rank for each in found] == list(range(1, len(found) + 1))
    assert [each.symbol for each in found[:4]] == ["USDT", "USDC", "BTC", "ETH"]
    twice = [each for each in found if each.symbol == "BTC"]
    assert [each.name for each in twice] == ["Btc", "Btc Two"]
    assert len(found) == 2 + 20 + 3


def test_a_price_is_the_close_of_the_last_whole_minute(model: MarketModel) -> None:
    btc = assets(model)[2]
    spot = model.find("spot", "BTCUSDT")
    assert spot is not None
    bars = model.minute_span(spot, MINUTE - 1_440, MINUTE)
    told = quote(model, btc, MINUTE)
    assert told.price == pytest.approx(bars.close[-1] * spot.tick)
    assert (told.high, told.low) == pytest.approx((bars.high.max() * spot.tick, bars.low.min() * spot.tick))
    assert told.volume == pytest.approx(bars.turnover.sum())


def test_a_dollar_is_near_one_and_a_lookalike_near_nothing(model: MarketModel) -> None:
    found = assets(model)
    assert quote(model, found[0], MINUTE).price == pytest.approx(1.0, abs=2e-3)
    assert 0 < quote(model, found[-1], MINUTE).price < 1e-6
