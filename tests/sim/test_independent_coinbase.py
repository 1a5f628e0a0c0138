"""An independent client reads the simulated Coinbase as it reads the real one, and finds the truth of the market."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.coinbase import CoinbaseSimulation, start
from sextant.sim.universe import Listing
from support.independent import independent

NOW_MS = 1_790_000_010_000


@pytest.fixture
async def venue() -> AsyncIterator[CoinbaseSimulation]:
    async with start(ManualClock(NOW_MS * 1_000_000), seed=7, instruments=24) as running:
        yield running


def listed(venue: CoinbaseSimulation, name: str) -> Listing:
    found = venue.model.find("spot", name)
    assert found is not None
    return found


async def test_it_lists_every_product_with_its_steps(venue: CoinbaseSimulation) -> None:
    async with independent("coinbase", venue.base_url) as client:
        for listing in venue.model.listings:
            market = client.market(f"{listing.base}/USD")
            assert market["precision"]["price"] == pytest.approx(listing.tick)
            assert market["precision"]["amount"] == pytest.approx(listing.lot)
            assert (market["spot"], market["active"]) == (True, True)
        assert f"{venue.model.listings[0].base}/USDC" in client.symbols


async def test_it_reads_the_latest_facts(venue: CoinbaseSimulation) -> None:
    async with independent("coinbase", venue.base_url) as client:
        every = await client.fetch_tickers()
        one = await client.fetch_ticker("BTC/USD")
    for listing in venue.model.listings:
        tape = venue.live.tape(listing)
        last = tape.trades(tape.due(NOW_MS))[-1].ticks * listing.tick
        assert every[f"{listing.base}/USD"]["last"] == pytest.approx(last)
    listing = listed(venue, "BTC-USD")
    bids, asks = venue.live.tape(listing).current(NOW_MS, 50).view(1)
    assert (one["bid"], one["ask"]) == pytest.approx((bids[0][0] * listing.tick, asks[0][0] * listing.tick))


async def test_it_reads_the_order_book(venue: CoinbaseSimulation) -> None:
    listing = listed(venue, "SOL-USD")
    async with independent("coinbase", venue.base_url) as client:
        found = await client.fetch_order_book("SOL/USD", 40)
    bids, asks = venue.live.tape(listing).current(NOW_MS, 50).view(40)
    for ours, truth in ((found["bids"], bids), (found["asks"], asks)):
        assert [row[0] for row in ours] == pytest.approx([ticks * listing.tick for ticks, _ in truth])
        assert [row[1] for row in ours] == pytest.approx([lots * listing.lot for _, lots in truth])


@pytest.mark.parametrize(("frame", "minutes"), [("1m", 1), ("5m", 5), ("1h", 60), ("1d", 1_440)])
async def test_it_reads_bars(venue: CoinbaseSimulation, frame: str, minutes: int) -> None:
    listing = listed(venue, "ETH-USD")
    step_ms = minutes * 60_000
    first = NOW_MS // step_ms - 150
    async with independent("coinbase", venue.base_url) as client:
        found = await client.fetch_ohlcv("ETH/USD", frame, since=first * step_ms, limit=100)
    assert [row[0] // step_ms for row in found] == list(range(first, first + 100))
    truth = venue.model.bars(listing, minutes, first, 100)
    for at, side in enumerate((truth.open, truth.high, truth.low, truth.close), 1):
        assert [row[at] for row in found] == pytest.approx((side * listing.tick).tolist())
    assert [row[5] for row in found] == pytest.approx((truth.lots * listing.lot).tolist())


async def test_it_reads_trades(venue: CoinbaseSimulation) -> None:
    listing = listed(venue, "BTC-USD")
    async with independent("coinbase", venue.base_url) as client:
        found = await client.fetch_trades("BTC/USD", limit=20)
    truth = venue.live.tape(listing).recent(NOW_MS, 20)[::-1]
    assert [row["price"] for row in found] == pytest.approx([each.ticks * listing.tick for each in truth])
    assert [row["amount"] for row in found] == pytest.approx([each.lots * listing.lot for each in truth])
    assert [row["timestamp"] for row in found] == [each.time_ms for each in truth]
