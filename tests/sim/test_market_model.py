"""The market is one world for one seed, consistent across frames, and of varied character."""

from __future__ import annotations

import numpy as np
import pytest

from sextant.errors import InputError
from sextant.sim.market_model import DAY_MINUTES, FIRST_DAY, MarketModel
from sextant.sim.paths import Bars, fold
from sextant.sim.universe import Listing, Terms, relisted

DAY = 20_700


@pytest.fixture(scope="module")
def market() -> MarketModel:
    return MarketModel(7, 240)


def _listing(market: MarketModel, symbol: str, category: str = "linear") -> Listing:
    found = market.find(category, symbol)
    assert found is not None
    return found


def _same(left: Bars, right: Bars) -> bool:
    names = ("open", "high", "low", "close", "lots")
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in names)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "OPUSDT", "MASKUSDT"])
@pytest.mark.parametrize("minutes", [3, 5, 15, 30, 60, 120, 240, 360, 720, 1_440])
def test_a_larger_bar_is_the_fold_of_the_minutes(market: MarketModel, symbol: str, minutes: int) -> None:
    listing = _listing(market, symbol)
    one = market.bars(listing, 1, DAY * DAY_MINUTES, 2 * DAY_MINUTES)
    large = market.bars(listing, minutes, DAY * DAY_MINUTES // minutes, 2 * DAY_MINUTES // minutes)
    folded = fold(one, minutes)
    assert _same(large, folded)
    np.testing.assert_allclose(large.turnover, folded.turnover, rtol=1e-12)


def test_a_minute_is_the_fold_of_its_slots(market: MarketModel) -> None:
    listing = _listing(market, "ETHUSDT")
    minute = DAY * DAY_MINUTES + 777
    assert _same(fold(market.slots(listing, minute, 60), 60), market.minute_span(listing, minute, minute + 1))


def test_one_seed_is_one_world_and_another_seed_is_another(market: MarketModel) -> None:
    listing = _listing(market, "SOLUSDT")
    again, other = MarketModel(7, 240), MarketModel(8, 240)
    span = (60, DAY * 24, 500)
    assert _same(market.bars(listing, *span), again.bars(_listing(again, "SOLUSDT"), *span))
    assert not _same(market.bars(listing, *span), other.bars(_listing(other, "SOLUSDT"), *span))


def test_history_does_not_depend_on_the_span_asked(market: MarketModel) -> None:
    listing = _listing(market, "XRPUSDT")
    long = market.bars(listing, 60, DAY * 24 - 900, 1_000)
    short = market.bars(listing, 60, DAY * 24 + 50, 50)
    assert _same(long.slice(950, 1_000), short)


def test_bars_are_possible_and_follow_each_other(market: MarketModel) -> None:
    for listing in market.listings[::11]:
        bars = market.bars(listing, 60, DAY * 24, 200)
        assert np.all(bars.low > 0)
        assert np.all(bars.low <= np.minimum(bars.open, bars.close))
        assert np.all(bars.high >= np.maximum(bars.open, bars.close))
        assert np.array_equal(bars.open[1:], bars.close[:-1])
        assert np.all(bars.lots > 0)


def test_spot_and_perpetual_of_a_base_stay_within_half_a_percent(market: MarketModel) -> None:
    spot, perpetual = _listing(market, "BTCUSDT", "spot"), _listing(market, "BTCUSDT")
    left = market.bars(spot, 60, DAY * 24, 500).close * spot.tick
    right = market.bars(perpetual, 60, DAY * 24, 500).close * perpetual.tick
    distance = np.abs(right / left - 1.0)
    assert float(distance.max()) < 0.005
    assert float(distance.max()) > 0.0


def test_returns_of_different_bases_are_correlated_but_not_the_same(market: MarketModel) -> None:
    closes = [
        market.bars(_listing(market, symbol), 240, DAY * 6 - 900, 900).close
        for symbol in ("BTCUSDT", "ETHUSDT")
    ]
    left, right = (np.diff(np.log(close)) for close in closes)
    assert 0.3 < float(np.corrcoef(left, right)[0, 1]) < 0.95


def test_the_cointegrated_pair_stays_together_while_others_drift(market: MarketModel) -> None:
    def spread(one: str, two: str) -> float:
        left, right = (
            np.log(market.bars(_listing(market, name), 1_440, DAY - 700, 700).close) for name in (one, two)
        )
        return float(np.std(left - right))

    assert spread("ARBUSDT", "OPUSDT") < 0.05
    assert spread("ARBUSDT", "LTCUSDT") > 0.15


def test_volume_follows_the_day(market: MarketModel) -> None:
    bars = market.bars(_listing(market, "ETHUSDT"), 60, DAY * 24 - 2_400, 2_400)
    by_hour = bars.lots.reshape(100, 24).mean(axis=0)
    assert by_hour[14:17].mean() > 1.3 * by_hour[2:5].mean()


def test_funding_settles_at_intervals_of_one_four_and_eight_hours(market: MarketModel) -> None:
    lengths = {listing.funding_minutes for listing in market.listings if listing.category == "linear"}
    assert lengths == {60, 240, 480}
    listing = _listing(market, "BTCUSDT")
    rates = [market.funding_rate(listing, DAY * 3 + row) for row in range(300)]
    assert all(-0.005 <= rate <= 0.005 for rate in rates)
    assert abs(float(np.mean(rates)) - 1e-4) < 1e-4


def test_turnover_spans_four_orders_of_magnitude(market: MarketModel) -> None:
    turnover = [float(market.bars(listing, 1_440, DAY, 1).turnover[0]) for listing in market.listings]
    assert min(turnover) < 3.0e6
    assert max(turnover) > 1.0e9


@pytest.mark.parametrize(("minutes", "least"), [(1, 0.99), (5, 1.0), (30, 1.0), (240, 1.0)])
def test_the_mean_price_of_a_bar_lies_within_its_range(
    market: MarketModel, minutes: int, least: float
) -> None:
    inside = total = 0
    for listing in market.listings[::8]:
        bars = market.bars(listing, minutes, DAY * DAY_MINUTES // minutes, DAY_MINUTES // minutes)
        mean = bars.turnover / (bars.lots * listing.lot)
        fits = (mean >= bars.low * listing.tick * (1 - 1e-9)) & (
            mean <= bars.high * listing.tick * (1 + 1e-9)
        )
        inside, total = inside + int(fits.sum()), total + len(bars)
    assert inside >= least * total


def test_moments_outside_the_known_days_are_refused(market: MarketModel) -> None:
    with pytest.raises(InputError, match="outside the simulated"):
        market.bars(_listing(market, "BTCUSDT"), 1_440, FIRST_DAY - 1, 2)


def test_one_market_listed_by_two_venues_has_near_prices_and_other_volumes() -> None:
    model = MarketModel(7, 12)
    terms = Terms(house=3, turnover=0.5, spread=1.0, away=3e-4)
    ours = model.listings[0]
    other = model.listed_as([relisted(ours, terms, 0, ours.base, "BTC-USDT")])
    assert other.find("linear", ours.symbol) is None
    theirs = other.find("linear", "BTC-USDT")
    assert theirs is not None
    first = 20_000 * 24
    here, there = model.bars(ours, 60, first, 480), other.bars(theirs, 60, first, 480)
    apart = np.log(there.close * theirs.tick) - np.log(here.close * ours.tick)
    assert 1e-4 < float(np.abs(apart).max()) < 2e-3
    assert float(np.abs(apart).mean()) < 6e-4
    ratio = (there.lots * theirs.lot) / (here.lots * ours.lot)
    assert 0.05 < float(np.median(ratio)) < 5.0
    assert float(np.std(ratio)) > 0.05
    rates = [
        (model.funding_rate(ours, number), other.funding_rate(theirs, number))
        for number in range(60_000, 60_060)
    ]
    assert 0.0 < max(abs(one - two) for one, two in rates) < 2e-4
    days = other.bars(theirs, 1_440, 20_000, 20)
    assert (days.high == there.high.reshape(20, 24).max(axis=1)).all()  # bars still fold exactly
    assert (days.lots == there.lots.reshape(20, 24).sum(axis=1)).all()


def test_a_market_that_moves_together_is_more_alike_and_otherwise_the_same_world() -> None:
    def alike(together: float) -> float:
        model = MarketModel(7, 24, together)
        listed = [one for one in model.listings if one.category == "linear" and one.character == "ordinary"]
        closes = np.column_stack([model.bars(one, 240, 20_000 * 6, 360).close for one in listed])
        correlation = np.corrcoef(np.diff(np.log(closes), axis=0).T)
        return float(correlation[np.triu_indices(len(listed), 1)].mean())

    assert MarketModel(7, 24, 0.6).listings == MarketModel(7, 24).listings
    assert alike(0.0) + 0.15 < alike(0.5) < alike(0.9)
