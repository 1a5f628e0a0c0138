"""An independent client reads the simulated Kraken as it reads the real one, and finds the truth of the market."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.kraken import KrakenSimulation, start
from sextant.sim.universe import Listing
from support.independent import independent

NOW_MS = 1_790_000_010_000


@pytest.fixture
async def venue() -> AsyncIterator[KrakenSimulation]:
    async with start(ManualClock(NOW_MS * 1_000_000), seed=7, instruments=24) as running:
        yield running


def listed(venue: KrakenSimulation, name: str) -> Listing:
    found = venue.model.find("spot", name)
    assert found is not None
    return found


async def test_it_lists_every_pair_with_its_steps(venue: KrakenSimulation) -> None:
    async with independent("kraken", venue.base_url) as client:
        assert set(client.symbols) == {listing.symbol for listing in venue.model.listings}
        for listing in venue.model.listings:
            market = client.market(listing.symbol)
            assert market["precision"]["price"] == pytest.approx(listing.tick)
            assert market["precision"]["amount"] == pytest.approx(1e-8)
            assert (market["spot"], market["active"]) == (True, True)


async def test_it_reads_the_latest_facts_of_all_pairs(venue: KrakenSimulation) -> None:
    async with independent("kraken", venue.base_url) as client:
        found = await client.fetch_tickers()
    assert len(found) == len(venue.model.listings)
    for listing in venue.model.listings:
        tape = venue.live.tape(listing)
        bids, asks = tape.current(NOW_MS, 50).view(1)
        row = found[listing.symbol]
        assert row["bid"] == pytest.approx(bids[0][0] * listing.tick)
        assert row["ask"] == pytest.approx(asks[0][0] * listing.tick)
        assert row["last"] == pytest.approx(tape.trades(tape.due(NOW_MS))[-1].ticks * listing.tick)
        minutes = venue.model.minute_span(listing, NOW_MS // 60_000 - 1_440, NOW_MS // 60_000)
        assert row["high"] >= float(minutes.high.max()) * listing.tick * (1 - 1e-9)
        whole = float(minutes.lots.sum()) * listing.lot
        assert whole * (1 - 1e-9) <= row["baseVolume"] <= whole * 1.01


async def test_it_reads_the_order_book(venue: KrakenSimulation) -> None:
    listing = listed(venue, "SOL/USD")
    async with independent("kraken", venue.base_url) as client:
        found = await client.fetch_order_book("SOL/USD", 25)
    bids, asks = venue.live.tape(listing).current(NOW_MS, 50).view(25)
    for ours, truth in ((found["bids"], bids), (found["asks"], asks)):
        assert [row[0] for row in ours] == pytest.approx([ticks * listing.tick for ticks, _ in truth])
        # Sizes have three decimals in this answer, and never less than one of the last.
        sizes = [max(lots * listing.lot, 0.001) for _, lots in truth]
        assert [row[1] for row in ours] == pytest.approx(sizes, abs=0.00051)


@pytest.mark.parametrize(("frame", "minutes"), [("1m", 1), ("1h", 60), ("1d", 1_440)])
async def test_it_reads_bars(venue: KrakenSimulation, frame: str, minutes: int) -> None:
    listing = listed(venue, "ETH/USD")
    async with independent("kraken", venue.base_url) as client:
        found = await client.fetch_ohlcv("ETH/USD", frame, limit=100)
    last = NOW_MS // (minutes * 60_000)
    assert [row[0] // (minutes * 60_000) for row in found] == list(range(last - 99, last + 1))
    truth = venue.model.bars(listing, minutes, last - 99, 99)
    sides = (truth.open, truth.high, truth.low, truth.close)
    for at, side in enumerate(sides, 1):
        assert [row[at] for row in found[:-1]] == pytest.approx((side * listing.tick).tolist())
    assert [row[5] for row in found[:-1]] == pytest.approx((truth.lots * listing.lot).tolist())


async def test_it_reads_trades(venue: KrakenSimulation) -> None:
    listing = listed(venue, "BTC/USD")
    async with independent("kraken", venue.base_url) as client:
        found = await client.fetch_trades("BTC/USD", limit=20)
    truth = venue.live.tape(listing).recent(NOW_MS, 20)[::-1]
    assert [row["price"] for row in found] == pytest.approx([each.ticks * listing.tick for each in truth])
    assert [row["amount"] for row in found] == pytest.approx([each.lots * listing.lot for each in truth])
    assert [row["side"] for row in found] == ["buy" if each.bought else "sell" for each in truth]
    assert [row["timestamp"] for row in found] == [each.time_ms for each in truth]
