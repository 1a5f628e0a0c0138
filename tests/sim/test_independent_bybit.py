"""An independent client reads the simulated Bybit as it reads the real one, and finds the truth of the market."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.bybit import INVERSE_BASES, Simulation, start
from sextant.sim.universe import Category
from support.independent import independent
from support.truths import Truth

NOW_MS = 1_790_000_010_000
FRAMES = {"1m": 1, "5m": 5, "1h": 60, "1d": 1_440}
NAMES: dict[str, Category] = {"BTC/USDT": "spot", "BTC/USDT:USDT": "linear", "BTC/USD:BTC": "inverse"}
SYMBOLS = {"spot": "BTCUSDT", "linear": "BTCUSDT", "inverse": "BTCUSD"}


@pytest.fixture
async def venue() -> AsyncIterator[Simulation]:
    async with start(ManualClock(NOW_MS * 1_000_000), seed=7, instruments=12) as running:
        yield running


@pytest.fixture
async def client(venue: Simulation) -> AsyncIterator[Any]:
    async with independent("bybit", venue.base_url) as found:
        yield found


def truth(venue: Simulation, name: str) -> Truth:
    listing = venue.model.find(NAMES[name], SYMBOLS[NAMES[name]])
    assert listing is not None
    return Truth(venue.model, listing, NOW_MS)


async def test_it_lists_every_instrument_with_its_steps(venue: Simulation, client: Any) -> None:
    assert len(client.symbols) == 12 + len(INVERSE_BASES)
    for listing in venue.model.listings:
        spot = listing.category == "spot"
        inverse = listing.category == "inverse"
        coins = f"{listing.base}/USD:{listing.base}" if inverse else f"{listing.base}/USDT"
        market = client.market(coins + (":USDT" if listing.category == "linear" else ""))
        assert (market["spot"], market["swap"], market["active"]) == (spot, not spot, True)
        assert (market["linear"], market["inverse"]) == ((None, None) if spot else (not inverse, inverse))
        assert market["precision"]["price"] == pytest.approx(listing.tick)
        assert market["precision"]["amount"] == pytest.approx(listing.lot)


async def test_it_reads_the_latest_facts_and_the_order_book(venue: Simulation, client: Any) -> None:
    for name, category in NAMES.items():
        true = truth(venue, name)
        book = await client.fetch_order_book(name, 50)
        one = await client.fetch_ticker(name)
        every = await client.fetch_tickers([name])
        assert one["last"] == every[name]["last"] == pytest.approx(true.last())
        _, bids, asks = venue.book(SYMBOLS[category], 1_000, category)
        true.check_levels(book, (bids[:50], asks[:50]))
        assert (one["bid"], one["ask"]) == (book["bids"][0][0], book["asks"][0][0])


async def test_it_reads_bars(venue: Simulation, client: Any) -> None:
    for name in NAMES:
        for frame, minutes in FRAMES.items():
            first = NOW_MS // (minutes * 60_000) - 150
            found = await client.fetch_ohlcv(name, frame, since=first * minutes * 60_000, limit=100)
            assert len(found) == 100
            truth(venue, name).check_bars(found, minutes, first)


async def test_it_reads_trades(venue: Simulation, client: Any) -> None:
    for name in NAMES:
        true = truth(venue, name)
        found = await client.fetch_trades(name, limit=30)
        told = true.tape.recent(NOW_MS, 30)[::-1]
        assert [row["id"] for row in found] == [one.id for one in told]
        assert [row["price"] for row in found] == pytest.approx(
            [one.ticks * true.listing.tick for one in told]
        )
        assert [(row["timestamp"], row["side"]) for row in found] == [
            (one.time_ms, "buy" if one.bought else "sell") for one in told
        ]


@pytest.mark.parametrize("name", ["BTC/USDT:USDT", "BTC/USD:BTC"])
async def test_it_reads_funding_and_open_interest(venue: Simulation, client: Any, name: str) -> None:
    true = truth(venue, name)
    now = await client.fetch_funding_rate(name)
    following = NOW_MS // 28_800_000 + 1
    assert now["fundingRate"] == pytest.approx(true.model.funding_rate(true.listing, following), abs=1e-8)
    past = await client.fetch_funding_rate_history(name, since=NOW_MS - 86_400_000 * 5, limit=10)
    true.check_funding(past)
    history = await client.fetch_open_interest_history(name, "5m", limit=12)
    assert [row["timestamp"] for row in history] == sorted(row["timestamp"] for row in history)
    assert len(history) == 12
