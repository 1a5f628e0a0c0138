"""The public paths answer as documented, and say of the market what the model says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.kraken import KrakenSimulation, start

NOW_S = 1_790_000_010

Ask = Any


@asynccontextmanager
async def asking() -> AsyncIterator[tuple[KrakenSimulation, Ask]]:
    async with (
        start(ManualClock(NOW_S * 1_000_000_000), seed=7, instruments=24) as venue,
        aiohttp.ClientSession() as http,
    ):

        async def ask(path: str, **query: str) -> Any:
            async with http.get(f"{venue.base_url}/0/public/{path}", params=query) as answer:
                assert answer.status == 200
                return await answer.json()

        yield venue, ask


async def test_time_and_status() -> None:
    async with asking() as (_, ask):
        told = (await ask("Time"))["result"]
        assert told == {"unixtime": NOW_S, "rfc1123": "Mon, 21 Sep 2026 14:13:30 +0000"}
        status = (await ask("SystemStatus"))["result"]
        assert status == {"status": "online", "timestamp": "2026-09-21T14:13:30Z"}


async def test_assets_and_pairs_name_each_other() -> None:
    async with asking() as (_, ask):
        pairs = (await ask("AssetPairs"))["result"]
        assets = (await ask("Assets"))["result"]
        assert {"XXBT", "XETH", "ZUSD"} <= set(assets)
        assert all(row["base"] in assets and row["quote"] == "ZUSD" for row in pairs.values())
        assert (pairs["XXBTZUSD"]["wsname"], pairs["XXBTZUSD"]["tick_size"]) == ("XBT/USD", "0.1")
        for name in ("XXBTZUSD", "XBTUSD", "XBT/USD"):
            assert list((await ask("AssetPairs", pair=name))["result"]) == ["XXBTZUSD"]
        assert list((await ask("Assets", asset="XBT"))["result"]) == ["XXBT"]
        assert (await ask("Assets", asset="NONE"))["error"] == ["EQuery:Unknown asset"]


async def test_the_latest_facts_agree_with_book_trades_and_bars() -> None:
    async with asking() as (_, ask):
        row = (await ask("Ticker", pair="XBTUSD"))["result"]["XXBTZUSD"]
        book = (await ask("Depth", pair="XBTUSD", count="3"))["result"]["XXBTZUSD"]
        trades = (await ask("Trades", pair="XBTUSD", count="5"))["result"]["XXBTZUSD"]
        day = (await ask("OHLC", pair="XBTUSD", interval="1440"))["result"]["XXBTZUSD"][-1]
        assert (row["a"][0], row["b"][0]) == (book["asks"][0][0], book["bids"][0][0])
        assert (len(book["asks"]), len(book["bids"]), len(trades)) == (3, 3, 5)
        assert row["c"] == trades[-1][:2]
        today = [float(row[name][0]) for name in ("h", "l", "p", "v")]
        assert [float(row["o"]), *today] == pytest.approx(
            [float(day[at]) for at in (1, 2, 3, 5, 6)], rel=1e-6
        )
        assert (row["t"][0], float(row["c"][0])) == (day[7], float(day[4]))
        assert float(row["v"][1]) > float(row["v"][0])


@pytest.mark.parametrize("minutes", [1, 5, 60, 1_440, 10_080])
async def test_bars_are_the_last_720_and_the_last_one_forms(minutes: int) -> None:
    async with asking() as (venue, ask):
        answer = (await ask("OHLC", pair="ETHUSD", interval=str(minutes)))["result"]
        rows = answer["XETHZUSD"]
        assert len(rows) == 720 if minutes < 10_080 else 200 < len(rows) < 720
        assert rows[-1][0] == NOW_S // (minutes * 60) * minutes * 60
        assert answer["last"] == rows[-2][0]
        listing = venue.model.find("spot", "ETH/USD")
        assert listing is not None
        truth = venue.model.bars(listing, minutes, rows[-3][0] // (minutes * 60), 2)
        ticks = [[round(float(row[at]) / listing.tick) for at in range(1, 5)] for row in rows[-3:-1]]
        sides = (truth.open, truth.high, truth.low, truth.close)
        assert ticks == [[int(side[row]) for side in sides] for row in range(2)]
        later = (await ask("OHLC", pair="ETHUSD", interval=str(minutes), since=str(rows[-3][0])))["result"]
        assert later["XETHZUSD"] == rows[-2:]


async def test_trades_can_be_paged_by_their_last() -> None:
    async with asking() as (_, ask):
        first = (await ask("Trades", pair="SOLUSD", since=str(NOW_S - 60), count="10"))["result"]
        following = (await ask("Trades", pair="SOLUSD", since=first["last"], count="10"))["result"]
        every = (await ask("Trades", pair="SOLUSD", since=str(NOW_S - 60)))["result"]
        assert first["SOLUSD"] + following["SOLUSD"] == every["SOLUSD"][:20]
        assert first["SOLUSD"][0][2] > NOW_S - 60


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("Depth", {"pair": "NOPE"}, "EQuery:Unknown asset pair"),
        ("Depth", {}, "EGeneral:Invalid arguments"),
        ("Depth", {"pair": "XBTUSD", "count": "501"}, "EGeneral:Invalid arguments"),
        ("OHLC", {"pair": "XBTUSD", "interval": "2"}, "EGeneral:Invalid arguments"),
        ("Trades", {"pair": "XBTUSD", "since": "x"}, "EGeneral:Invalid arguments"),
        ("Nothing", {}, "EGeneral:Unknown method"),
    ],
)
async def test_a_wrong_question_is_refused_with_status_200(
    path: str, query: dict[str, str], words: str
) -> None:
    async with asking() as (_, ask):
        assert await ask(path, **query) == {"error": [words]}
