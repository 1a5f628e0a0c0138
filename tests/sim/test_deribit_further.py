"""Order books, past trades and funding over a span of the simulated Deribit agree with everything else it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.deribit import DeribitSimulation, start

NOW_MS = 1_790_000_010_000
PERPETUAL = "BTC-PERPETUAL"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS * 1_000_000)


@pytest.fixture
async def venue(clock: ManualClock) -> AsyncIterator[DeribitSimulation]:
    async with start(clock, seed=7, instruments=24) as running:
        yield running


async def ask(venue: DeribitSimulation, name: str, **params: object) -> Any:
    query = {key: str(value) for key, value in params.items()}
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{venue.base_url}/api/v2/public/{name}", params=query) as reply,
    ):
        return (await reply.json())["result"]


async def test_the_book_is_that_of_the_socket_and_its_best_prices_are_its_own(
    venue: DeribitSimulation, clock: ManualClock
) -> None:
    alone = await ask(venue, "get_order_book", instrument_name=PERPETUAL, depth=20)
    assert len(alone["bids"]) == 20
    assert [alone["best_bid_price"], alone["best_bid_amount"]] == alone["bids"][0]
    assert alone["bids"][0][0] < alone["asks"][0][0]
    async with aiohttp.ClientSession() as http, http.ws_connect(venue.socket_url) as socket:
        channels = {"channels": [f"book.{PERPETUAL}.100ms"]}
        await socket.send_json({"id": 1, "method": "public/subscribe", "params": channels})
        await socket.receive_json(timeout=5)
        told = (await socket.receive_json(timeout=5))["params"]["data"]
        clock.advance(0.05)
        now = await ask(venue, "get_order_book", instrument_name=PERPETUAL, depth=20)
    assert now["change_id"] == told["change_id"]
    assert now["bids"] == [level[1:] for level in told["bids"]][:20]


async def test_an_option_has_its_best_prices_and_no_trades(venue: DeribitSimulation) -> None:
    rows = await ask(venue, "get_book_summary_by_currency", currency="BTC", kind="option")
    name = next(row["instrument_name"] for row in rows if row["bid_price"] is not None)
    book = await ask(venue, "get_order_book", instrument_name=name)
    assert (book["bids"][0][0], book["asks"][0][0]) == (book["best_bid_price"], book["best_ask_price"])
    assert "greeks" in book
    assert await ask(venue, "get_last_trades_by_instrument", instrument_name=name) == {
        "trades": [],
        "has_more": False,
    }


async def test_trades_come_newest_first_or_of_a_span_oldest_first(venue: DeribitSimulation) -> None:
    last = await ask(venue, "get_last_trades_by_instrument", instrument_name=PERPETUAL, count=30)
    times = [row["timestamp"] for row in last["trades"]]
    assert (len(times), times) == (30, sorted(times, reverse=True))
    assert last["has_more"] is True
    span = {"start_timestamp": times[20], "end_timestamp": times[5]}
    some = await ask(
        venue, "get_last_trades_by_instrument_and_time", instrument_name=PERPETUAL, count=100, **span
    )
    assert [row["trade_id"] for row in some["trades"]] == [row["trade_id"] for row in last["trades"]][20:4:-1]
    assert some["has_more"] is False
    assert all(row["amount"] == row["contracts"] * 10 for row in some["trades"])


async def test_funding_over_a_span_is_the_sum_of_its_hours(venue: DeribitSimulation) -> None:
    span = {"start_timestamp": NOW_MS - 8 * 3_600_000, "end_timestamp": NOW_MS}
    rows = await ask(venue, "get_funding_rate_history", instrument_name=PERPETUAL, **span)
    value = await ask(venue, "get_funding_rate_value", instrument_name=PERPETUAL, **span)
    assert len(rows) == 9  # the hour that had begun before the span is told, too
    assert value == pytest.approx(sum(row["interest_1h"] for row in rows[1:]))


async def test_currencies_and_indices_are_told(venue: DeribitSimulation) -> None:
    assert [row["currency"] for row in await ask(venue, "get_currencies")] == ["BTC", "ETH"]
    index = await ask(venue, "get_index_price", index_name="btc_usd")
    facts = await ask(venue, "ticker", instrument_name=PERPETUAL)
    assert index["index_price"] == facts["index_price"]
    every = await ask(venue, "get_instruments")
    assert {row["base_currency"] for row in every} == {"BTC", "ETH"}
