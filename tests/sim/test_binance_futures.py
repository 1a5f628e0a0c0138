"""Marks, funding and open interest of the simulated Binance."""

from __future__ import annotations

import pytest

from sextant.sim import bybit
from support.binance_simulated import NOW_MS, asking

EIGHT_HOURS_MS = 8 * 3_600_000


async def test_settlements_come_oldest_first_in_pages_that_a_client_can_walk() -> None:
    async with asking() as there:

        async def times(**asked: object) -> list[int]:
            rows = await there.ask("/fapi/v1/fundingRate", symbol="BTCUSDT", **asked)
            return [row["fundingTime"] // EIGHT_HOURS_MS - NOW_MS // EIGHT_HOURS_MS for row in rows]

        assert await times(limit=3) == [-2, -1, 0]
        assert len(await times()) == 100
        assert await times(endTime=NOW_MS - EIGHT_HOURS_MS, limit=2) == [-2, -1]
        assert await times(startTime=NOW_MS - 4 * EIGHT_HOURS_MS, limit=2) == [-3, -2]
        assert await times(startTime=NOW_MS + 1) == []


async def test_the_rate_told_beforehand_is_the_rate_settled_and_near_that_of_bybit() -> None:
    async with (
        asking() as there,
        bybit.start(there.clock, seed=7, instruments=12) as other,
        there.http.get(f"{other.base_url}/v5/market/tickers?category=linear&symbol=BTCUSDT") as answer,
    ):
        told = await there.ask("/fapi/v1/premiumIndex", symbol="BTCUSDT")
        [theirs] = (await answer.json())["result"]["list"]
        due_ms = told["nextFundingTime"]
        assert due_ms == int(theirs["nextFundingTime"])
        there.clock.advance((due_ms - NOW_MS) / 1_000 + 1)
        [settled] = await there.ask("/fapi/v1/fundingRate", symbol="BTCUSDT", limit=1)
    assert (settled["fundingTime"], settled["fundingRate"]) == (due_ms, told["lastFundingRate"])
    assert float(told["lastFundingRate"]) == pytest.approx(float(theirs["fundingRate"]), abs=1e-4)
    assert float(told["markPrice"]) == pytest.approx(float(theirs["markPrice"]), rel=1e-3)
    assert float(told["indexPrice"]) == pytest.approx(float(theirs["indexPrice"]), rel=1e-3)


async def test_statistics_reach_thirty_days_back_and_shares_add_up() -> None:
    async with asking() as there:
        rows = await there.ask(
            "/futures/data/globalLongShortAccountRatio", symbol="ETHUSDT", period="1d", limit=500
        )
        assert 29 <= len(rows) <= 31
        for row in rows:
            assert float(row["longAccount"]) + float(row["shortAccount"]) == pytest.approx(1.0)
            ratio = float(row["longAccount"]) / float(row["shortAccount"])
            assert float(row["longShortRatio"]) == pytest.approx(ratio, abs=1e-3)
        status, body, _ = await there.reply("/futures/data/openInterestHist", symbol="ETHUSDT", period="7m")
    assert (status, body["code"]) == (400, -1130)


async def test_every_perpetual_has_a_mark_and_terms_of_funding() -> None:
    async with asking() as there:
        marks = await there.ask("/fapi/v1/premiumIndex")
        terms = await there.ask("/fapi/v1/fundingInfo")
        book = await there.ask("/fapi/v1/ticker/bookTicker", symbol="SOLUSDT")
    assert [row["symbol"] for row in marks] == [row["symbol"] for row in terms]
    assert len(marks) == 10
    assert {row["fundingIntervalHours"] for row in terms} <= {1, 4, 8}
    [sol] = [row for row in marks if row["symbol"] == "SOLUSDT"]
    assert float(sol["markPrice"]) == pytest.approx(float(book["bidPrice"]), rel=2e-3)
