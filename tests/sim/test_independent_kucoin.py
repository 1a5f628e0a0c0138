"""An independent client reads the simulated KuCoin as it reads the real one, and finds the truth of the market."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.kucoin import KucoinSimulation, start
from support.independent import independent
from support.truths import Truth

NOW_MS = 1_790_000_010_000
FRAMES = {"1m": 1, "5m": 5, "1h": 60, "1d": 1_440}


@pytest.fixture
async def venue() -> AsyncIterator[KucoinSimulation]:
    async with start(ManualClock(NOW_MS * 1_000_000), seed=7, instruments=24) as running:
        yield running


@pytest.fixture
async def client(venue: KucoinSimulation) -> AsyncIterator[Any]:
    async with independent("kucoin", venue.base_url) as found:
        yield found


def truth(venue: KucoinSimulation, base: str) -> Truth:
    listing = venue.model.find("spot", f"{base}-USDT")
    assert listing is not None
    return Truth(venue.model, listing, NOW_MS)


async def test_it_lists_every_symbol_with_its_steps(venue: KucoinSimulation, client: Any) -> None:
    assert set(client.symbols) == {f"{listing.base}/USDT" for listing in venue.model.listings}
    for listing in venue.model.listings:
        market = client.market(f"{listing.base}/USDT")
        assert (market["spot"], market["active"]) == (True, True)
        assert market["precision"]["price"] == pytest.approx(listing.tick)
        assert market["precision"]["amount"] == pytest.approx(listing.lot)
        assert (market["taker"], market["maker"]) == (0.001, 0.001)


async def test_it_reads_the_latest_facts(venue: KucoinSimulation, client: Any) -> None:
    every = await client.fetch_tickers()
    one = await client.fetch_ticker("ETH/USDT")
    for listing in venue.model.listings:
        assert every[f"{listing.base}/USDT"]["last"] == pytest.approx(truth(venue, listing.base).last())
    assert (one["last"], one["high"], one["baseVolume"]) == tuple(
        every["ETH/USDT"][name] for name in ("last", "high", "baseVolume")
    )
    assert one["timestamp"] == NOW_MS


async def test_it_reads_the_order_book(venue: KucoinSimulation, client: Any) -> None:
    for depth in (20, 100):
        found = await client.fetch_order_book("BTC/USDT", depth)
        levels = venue.book_at("BTC-USDT", found["nonce"])
        assert levels is not None
        truth(venue, "BTC").check_levels(found, (levels[0][:depth], levels[1][:depth]))


async def test_it_reads_bars(venue: KucoinSimulation, client: Any) -> None:
    for frame, minutes in FRAMES.items():
        first = NOW_MS // (minutes * 60_000) - 150
        found = await client.fetch_ohlcv("ETH/USDT", frame, since=first * minutes * 60_000, limit=100)
        assert len(found) == 100
        truth(venue, "ETH").check_bars(found, minutes, first)


async def test_it_reads_trades(venue: KucoinSimulation, client: Any) -> None:
    true = truth(venue, "SOL")
    found = await client.fetch_trades("SOL/USDT")
    told = true.tape.recent(NOW_MS, 100)[::-1]
    assert [row["price"] for row in found] == pytest.approx([one.ticks * true.listing.tick for one in told])
    assert [row["amount"] for row in found] == pytest.approx([one.lots * true.listing.lot for one in told])
    assert [(row["timestamp"], row["side"]) for row in found] == [
        (one.time_ms, "buy" if one.bought else "sell") for one in told
    ]


async def test_it_understands_the_venues_refusals(venue: KucoinSimulation, client: Any) -> None:
    with pytest.raises(Exception, match="900001"):
        await client.public_get_market_stats({"symbol": "NO-PE"})
    for _ in range(130):
        await client.public_get_market_alltickers()  # 15 each of 2,000
    with pytest.raises(Exception, match="429000"):
        await client.public_get_market_alltickers()
    assert venue.counters.after_retry_after == 0
