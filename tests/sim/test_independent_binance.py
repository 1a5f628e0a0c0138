"""An independent client reads both simulated markets of Binance as it reads the real ones, and finds the truth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.binance import BinanceSimulation, start
from sextant.sim.binance_wire import trades_of
from sextant.sim.universe import Category
from support.independent import independent
from support.truths import Truth

NOW_MS = 1_790_000_010_000
FRAMES = {"1m": 1, "5m": 5, "1h": 60, "1d": 1_440}
CATEGORIES: dict[str, Category] = {
    "BTC/USDT": "spot",
    "ETH/USDT": "spot",
    "BTC/USDT:USDT": "linear",
    "ETH/USDT:USDT": "linear",
}


@pytest.fixture
async def venue() -> AsyncIterator[BinanceSimulation]:
    async with start(ManualClock(NOW_MS * 1_000_000), seed=7, instruments=12) as running:
        yield running


@pytest.fixture
async def client(venue: BinanceSimulation) -> AsyncIterator[Any]:
    async with independent("binance", venue.base_url) as found:
        yield found


def truth(venue: BinanceSimulation, name: str) -> Truth:
    listing = venue.model.find(CATEGORIES[name], name.partition("/")[0] + "USDT")
    assert listing is not None
    return Truth(venue.model, listing, NOW_MS)


async def test_it_lists_every_instrument_with_its_steps(venue: BinanceSimulation, client: Any) -> None:
    assert len(client.symbols) == len(venue.model.listings) == 12
    for listing in venue.model.listings:
        spot = listing.category == "spot"
        market = client.market(f"{listing.base}/USDT" + ("" if spot else ":USDT"))
        assert (market["spot"], market["swap"], market["active"]) == (spot, not spot, True)
        assert market["precision"]["price"] == pytest.approx(listing.tick)
        assert market["precision"]["amount"] == pytest.approx(listing.lot)


async def test_it_reads_the_latest_facts(venue: BinanceSimulation, client: Any) -> None:
    for name in CATEGORIES:
        one = await client.fetch_ticker(name)
        every = await client.fetch_tickers([name])
        true = truth(venue, name)
        assert one["last"] == every[name]["last"] == pytest.approx(true.last())
        day = true.model.minute_span(true.listing, NOW_MS // 60_000 - 1_440, NOW_MS // 60_000)
        assert one["high"] >= int(day.high.max()) * true.listing.tick - 1e-6
        assert one["baseVolume"] == pytest.approx(int(day.lots.sum()) * true.listing.lot, rel=1e-2)


async def test_it_reads_the_order_book(venue: BinanceSimulation, client: Any) -> None:
    for name, category in CATEGORIES.items():
        found = await client.fetch_order_book(name, 50)
        true = truth(venue, name)
        levels = venue.book_at(true.listing.symbol, found["nonce"], category)
        assert levels is not None
        true.check_levels(found, (levels[0][:50], levels[1][:50]))


async def test_it_reads_bars(venue: BinanceSimulation, client: Any) -> None:
    for name in ("ETH/USDT", "ETH/USDT:USDT"):
        for frame, minutes in FRAMES.items():
            first = NOW_MS // (minutes * 60_000) - 150
            found = await client.fetch_ohlcv(name, frame, since=first * minutes * 60_000, limit=100)
            assert len(found) == 100
            truth(venue, name).check_bars(found, minutes, first)


async def test_it_reads_trades(venue: BinanceSimulation, client: Any) -> None:
    for name in ("BTC/USDT", "BTC/USDT:USDT"):
        found = await client.fetch_trades(name, limit=20)
        true = truth(venue, name)
        tape, listing = true.tape, true.listing
        slots = range(tape.due(NOW_MS) - 8, tape.due(NOW_MS) + 1)
        told = [each for slot in slots for each in trades_of(tape, slot)][-20:]
        assert [int(row["id"]) for row in found] == [number for number, _ in told]
        assert [row["price"] for row in found] == pytest.approx([one.ticks * listing.tick for _, one in told])
        assert [row["amount"] for row in found] == pytest.approx([one.lots * listing.lot for _, one in told])
        assert [(row["timestamp"], row["side"]) for row in found] == [
            (one.time_ms, "buy" if one.bought else "sell") for _, one in told
        ]


async def test_it_reads_funding_and_open_interest(venue: BinanceSimulation, client: Any) -> None:
    true = truth(venue, "BTC/USDT:USDT")
    now = await client.fetch_funding_rate("BTC/USDT:USDT")
    following = NOW_MS // 28_800_000 + 1
    assert now["fundingRate"] == pytest.approx(true.model.funding_rate(true.listing, following), abs=1e-8)
    assert now["fundingTimestamp"] == following * 28_800_000
    past = await client.fetch_funding_rate_history("BTC/USDT:USDT", since=NOW_MS - 10 * 86_400_000, limit=30)
    assert len(past) == 30
    true.check_funding(past)
    interest = await client.fetch_open_interest("BTC/USDT:USDT")
    history = await client.fetch_open_interest_history("BTC/USDT:USDT", "5m", limit=12)
    assert history[-1]["openInterestAmount"] == pytest.approx(interest["openInterestAmount"], rel=0.02)


async def test_it_understands_the_venues_refusals(venue: BinanceSimulation, client: Any) -> None:
    with pytest.raises(Exception, match="-1121") as raised:
        await client.public_get_depth({"symbol": "NOPE"})
    assert type(raised.value).__name__ == "BadSymbol"
    for _ in range(23):  # 250 each of 6,000, of which the list of instruments took 20
        await client.public_get_depth({"symbol": "BTCUSDT", "limit": 5_000})
    with pytest.raises(Exception, match="-1003") as raised:
        await client.public_get_depth({"symbol": "BTCUSDT", "limit": 5_000})
    assert type(raised.value).__name__ == "DDoSProtection"
    assert venue.counters.bans == 0
