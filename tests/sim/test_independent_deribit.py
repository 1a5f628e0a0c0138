"""An independent client reads the simulated Deribit as it reads the real one, and finds the truth of the market."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.deribit import DeribitSimulation, start
from support.independent import independent
from support.truths import Truth

NOW_MS = 1_790_000_010_000
FRAMES = {"1m": 1, "5m": 5, "1h": 60, "1d": 1_440}
PERPETUAL = "BTC/USD:BTC"


@pytest.fixture
async def venue() -> AsyncIterator[DeribitSimulation]:
    async with start(ManualClock(NOW_MS * 1_000_000), seed=7, instruments=12) as running:
        yield running


@pytest.fixture
async def client(venue: DeribitSimulation) -> AsyncIterator[Any]:
    async with independent("deribit", venue.base_url) as found:
        found.milliseconds = lambda: NOW_MS  # it asks for spans that end by its own clock
        yield found


def truth(venue: DeribitSimulation) -> Truth:
    derivatives = venue.derivatives
    return Truth(derivatives.model, derivatives.listing("BTC"), NOW_MS)


async def test_it_lists_options_futures_and_perpetuals(venue: DeribitSimulation, client: Any) -> None:
    told = [each for name in ("BTC", "ETH") for each in venue.derivatives.contracts(name, NOW_MS)]
    assert len(client.symbols) == len(told)
    kinds = {each.name: each for each in told}
    for market in client.markets.values():
        contract = kinds[market["id"]]
        assert (market["option"], market["swap"], market["future"]) == tuple(
            contract.kind == kind for kind in ("option", "perpetual", "future")
        )
        assert market["precision"]["price"] == pytest.approx(contract.tick)
        if contract.kind == "option":
            assert (market["strike"], market["expiry"]) == (contract.strike, contract.expiry_ms)
            assert market["optionType"] == ("call" if contract.call else "put")


async def test_it_reads_the_latest_facts_and_the_order_book(venue: DeribitSimulation, client: Any) -> None:
    book = await client.fetch_order_book(PERPETUAL, 20)
    one = await client.fetch_ticker(PERPETUAL)
    every = await client.fetch_tickers([PERPETUAL])
    contract = next(venue.derivatives.contracts("BTC", NOW_MS))
    bid, ask = venue.derivatives.touch(contract, NOW_MS)
    assert (one["bid"], one["ask"]) == (every[PERPETUAL]["bid"], every[PERPETUAL]["ask"]) == (bid, ask)
    assert (book["bids"][0][0], book["asks"][0][0]) == (bid, ask)
    assert (len(book["bids"]), len(book["asks"])) == (20, 20)
    assert one["bid"] == pytest.approx(truth(venue).last(), rel=1e-4)


async def test_it_reads_greeks_and_quotes_of_options(venue: DeribitSimulation, client: Any) -> None:
    contracts = [each for each in venue.derivatives.contracts("BTC", NOW_MS) if each.kind == "option"]
    names = {market["id"]: name for name, market in client.markets.items()}
    for contract in contracts[:: len(contracts) // 6]:
        quote = venue.derivatives.option(contract, NOW_MS)
        found = await client.fetch_greeks(names[contract.name])
        assert (found["delta"], found["vega"]) == (quote.delta, quote.vega)
        assert found["markImpliedVolatility"] == quote.mark_iv
        assert found["askPrice"] == quote.ask


async def test_it_reads_bars(venue: DeribitSimulation, client: Any) -> None:
    for frame, minutes in FRAMES.items():
        first = NOW_MS // (minutes * 60_000) - 150
        found = await client.fetch_ohlcv(PERPETUAL, frame, since=first * minutes * 60_000, limit=100)
        assert len(found) >= 100
        truth(venue).check_bars(found, minutes, first, volume=False)


async def test_it_reads_trades(venue: DeribitSimulation, client: Any) -> None:
    found = await client.fetch_trades(PERPETUAL, limit=30)
    told = truth(venue).tape.recent(NOW_MS, 30)[::-1]
    assert [row["id"] for row in found] == [one.id for one in told]
    assert [(row["timestamp"], row["side"]) for row in found] == [
        (one.time_ms, "buy" if one.bought else "sell") for one in told
    ]


async def test_it_reads_funding(venue: DeribitSimulation, client: Any) -> None:
    true = truth(venue)
    found = await client.fetch_funding_rate(PERPETUAL)
    hours = range(NOW_MS // 3_600_000 - 7, NOW_MS // 3_600_000 + 1)
    settled = [true.model.funding_rate(true.listing, hour * 60 // 480) / 8.0 for hour in hours]
    assert found["fundingRate"] == pytest.approx(sum(settled), abs=1e-8)
    past = await client.fetch_funding_rate_history(PERPETUAL, since=NOW_MS - 86_400_000, limit=24)
    assert len(past) >= 24
    assert {row["timestamp"] % 3_600_000 for row in past} == {0}
