"""The market paths of the simulated Binance: shapes of recorded answers, pages, and one truth behind all."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.binance_simulated import NOW_MS, asking
from support.shapes import shape

ROOTS = {"spot": "/api/v3", "linear": "/fapi/v1"}
ADDED = {
    "/fapi/v1/ticker/bookTicker": {"lastUpdateId"},  # the venue added it after the recording
    "/fapi/v1/fundingRate": {"markPrice"},
}


def recorded(data_dir: Path) -> dict[str, Any]:
    with gzip.open(data_dir / "rest" / "gocryptotrader_binance_http.json.gz") as file:
        routes: dict[str, Any] = json.load(file)["routes"]
    return routes


def row_of(body: Any) -> Any:
    """The shape of an answer, or of the first of its rows."""
    return shape(body[0] if isinstance(body, list) else body)


PATHS = [
    ("/api/v3/depth", {"symbol": "BTCUSDT"}),
    ("/api/v3/trades", {"symbol": "BTCUSDT"}),
    ("/api/v3/aggTrades", {"symbol": "BTCUSDT"}),
    ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "5m"}),
    ("/api/v3/ticker/24hr", {"symbols": '["BTCUSDT","ETHUSDT"]'}),
    ("/api/v3/ticker/bookTicker", {"symbol": "BTCUSDT"}),
    ("/api/v3/ticker/price", {"symbol": "BTCUSDT"}),
    ("/fapi/v1/time", {}),
    ("/fapi/v1/depth", {"symbol": "BTCUSDT"}),
    ("/fapi/v1/trades", {"symbol": "BTCUSDT"}),
    ("/fapi/v1/aggTrades", {"symbol": "BTCUSDT"}),
    ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "5m"}),
    ("/fapi/v1/ticker/24hr", {}),
    ("/fapi/v1/ticker/price", {}),
    ("/fapi/v1/ticker/bookTicker", {"symbol": "BTCUSDT"}),
    ("/fapi/v1/premiumIndex", {}),
    ("/fapi/v1/fundingRate", {"symbol": "BTCUSDT"}),
    ("/fapi/v1/fundingInfo", {}),
    ("/fapi/v1/openInterest", {"symbol": "BTCUSDT"}),
    ("/futures/data/globalLongShortAccountRatio", {"symbol": "BTCUSDT", "period": "5m"}),
]


@pytest.mark.data
async def test_answers_have_the_shape_of_recorded_ones(data_dir: Path) -> None:
    routes = recorded(data_dir)
    async with asking() as there:
        for path, params in PATHS:
            theirs = max(
                (row_of(each["data"]) for each in routes[path]["GET"]), key=lambda row: len(str(row))
            )
            ours = row_of(await there.ask(path, **params))
            for name in ADDED.get(path, ()):
                ours.pop(name)
            assert ours == theirs, path


@pytest.mark.data
@pytest.mark.parametrize("root", ["/api/v3", "/fapi/v1"])
async def test_the_list_of_instruments_has_every_field_and_filter_of_a_recorded_one(
    data_dir: Path, root: str
) -> None:
    theirs = recorded(data_dir)[f"{root}/exchangeInfo"]["GET"][0]["data"]
    async with asking() as there:
        ours = await there.ask(f"{root}/exchangeInfo")
    assert set(theirs) <= set(ours)
    assert ours["rateLimits"] == theirs["rateLimits"]
    known, made = theirs["symbols"][0], ours["symbols"][0]
    assert {name: type(value) for name, value in known.items()}.items() <= {
        name: type(value) for name, value in made.items()
    }.items()
    filters = {row["filterType"]: set(row) for row in made["filters"]}
    assert {row["filterType"]: set(row) for row in known["filters"]} == filters


@pytest.mark.data
async def test_open_interest_is_of_the_recorded_shape_and_one_sided(data_dir: Path) -> None:
    theirs = recorded(data_dir)["/futures/data/openInterestHist"]["GET"][0]["data"]
    async with asking() as there:
        rows = await there.ask("/futures/data/openInterestHist", symbol="BTCUSDT", period="5m", limit=3)
        now = await there.ask("/fapi/v1/openInterest", symbol="BTCUSDT")
    assert shape(rows) == shape(theirs)
    assert [row["timestamp"] for row in rows] == [
        NOW_MS // 300_000 * 300_000 - back for back in (600_000, 300_000, 0)
    ]
    assert float(rows[-1]["sumOpenInterest"]) == pytest.approx(float(now["openInterest"]), rel=1e-6)


@pytest.mark.parametrize("category", ["spot", "linear"])
async def test_bars_of_an_hour_are_the_fold_of_its_minutes(category: str) -> None:
    root = ROOTS[category]
    async with asking() as there:
        end = NOW_MS // 3_600_000 * 3_600_000
        asked = {"symbol": "BTCUSDT", "startTime": end - 3_600_000, "endTime": end - 1}
        minutes = await there.ask(f"{root}/klines", interval="1m", **asked)
        [hour] = await there.ask(f"{root}/klines", interval="1h", **asked)
    assert len(minutes) == 60
    assert (hour[0], hour[6]) == (minutes[0][0], minutes[-1][6])
    assert (hour[1], hour[4]) == (minutes[0][1], minutes[-1][4])
    assert Decimal(hour[2]) == max(Decimal(row[2]) for row in minutes)
    assert Decimal(hour[3]) == min(Decimal(row[3]) for row in minutes)
    assert Decimal(hour[5]) == sum(Decimal(row[5]) for row in minutes)
    assert hour[8] == sum(row[8] for row in minutes)
    assert float(hour[7]) == pytest.approx(sum(float(row[7]) for row in minutes), rel=1e-6)
    assert all(0 <= Decimal(row[9]) <= Decimal(row[5]) for row in minutes)


async def test_pages_of_bars_begin_and_end_where_the_question_says() -> None:
    async with asking() as there:

        async def opens(**asked: object) -> list[int]:
            rows = await there.ask("/fapi/v1/klines", symbol="BTCUSDT", interval="1m", **asked)
            return [row[0] // 60_000 - NOW_MS // 60_000 for row in rows]

        assert await opens(limit=3) == [-2, -1, 0]
        assert len(await opens()) == 500
        assert len(await opens(limit=5_000)) == 1_500
        back = NOW_MS - 60_000 * 10
        assert await opens(startTime=back, limit=2) == [-9, -8]
        assert await opens(endTime=back, limit=2) == [-11, -10]
        assert await opens(startTime=back, endTime=NOW_MS, limit=1_000) == list(range(-9, 1))
        assert await opens(startTime=NOW_MS + 600_000) == []
        [week] = await there.ask("/fapi/v1/klines", symbol="BTCUSDT", interval="1w", limit=1)
    assert week[0] % (7 * 86_400_000) == 4 * 86_400_000


@pytest.mark.parametrize("category", ["spot", "linear"])
async def test_trades_are_numbered_without_gaps_and_fold_to_the_bar_of_their_minute(category: str) -> None:
    root = ROOTS[category]
    async with asking() as there:
        minute = NOW_MS // 60_000 * 60_000 - 60_000
        rows = await there.ask(
            f"{root}/aggTrades", symbol="BTCUSDT", startTime=minute, endTime=minute + 59_999, limit=1_000
        )
        [bar] = await there.ask(f"{root}/klines", symbol="BTCUSDT", interval="1m", startTime=minute, limit=1)
        after = await there.ask(f"{root}/aggTrades", symbol="BTCUSDT", fromId=rows[5]["a"], limit=4)
        last = await there.ask(f"{root}/trades", symbol="BTCUSDT", limit=5)
        assert there.venue.model.find(category, "BTCUSDT") is not None
    assert [row["a"] for row in rows] == list(range(rows[0]["a"], rows[0]["a"] + bar[8]))
    prices = [Decimal(row["p"]) for row in rows]
    assert (max(prices), min(prices), prices[-1]) == tuple(Decimal(bar[place]) for place in (2, 3, 4))
    assert sum(Decimal(row["q"]) for row in rows) == Decimal(bar[5])
    assert [row["a"] for row in after] == [row["a"] for row in rows[5:9]]
    assert [row["id"] for row in last] == list(range(last[0]["id"], last[0]["id"] + 5))
    assert last[-1]["time"] <= NOW_MS


async def test_the_summary_of_a_day_agrees_with_bars_trades_and_the_book() -> None:
    async with asking() as there:
        day = await there.ask("/api/v3/ticker/24hr", symbol="ETHUSDT")
        [trade] = await there.ask("/api/v3/trades", symbol="ETHUSDT", limit=1)
        book = await there.ask("/api/v3/depth", symbol="ETHUSDT", limit=5)
        best = await there.ask("/api/v3/ticker/bookTicker", symbol="ETHUSDT")
        mean = await there.ask("/api/v3/avgPrice", symbol="ETHUSDT")
        bars = await there.ask("/api/v3/klines", symbol="ETHUSDT", interval="1h", limit=24)
        every = await there.ask("/api/v3/ticker/24hr")
    assert (day["lastPrice"], day["lastQty"], day["lastId"]) == (trade["price"], trade["qty"], trade["id"])
    assert [day["bidPrice"], day["bidQty"]] == book["bids"][0] == [best["bidPrice"], best["bidQty"]]
    assert [day["askPrice"], day["askQty"]] == book["asks"][0]
    assert day["count"] == day["lastId"] - day["firstId"] + 1
    assert float(day["highPrice"]) >= max(float(bar[2]) for bar in bars)
    assert float(day["priceChange"]) == pytest.approx(float(day["lastPrice"]) - float(day["openPrice"]))
    assert float(day["lowPrice"]) <= float(day["weightedAvgPrice"]) <= float(day["highPrice"])
    assert float(mean["price"]) == pytest.approx(float(day["lastPrice"]), rel=0.01)
    assert [row["symbol"] for row in every] == ["BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize(
    ("path", "asked", "code"),
    [
        ("/api/v3/depth", {}, -1102),
        ("/api/v3/depth", {"symbol": "NOPE"}, -1121),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "many"}, -1100),
        ("/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": "7"}, -4021),
        ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("/api/v3/ticker/24hr", {"symbols": "BTCUSDT"}, -1100),
        ("/api/v3/ticker/24hr", {"symbols": '["NOPE"]'}, -1121),
    ],
)
async def test_wrong_questions_are_refused_with_the_venues_code(
    path: str, asked: dict[str, str], code: int
) -> None:
    async with asking() as there:
        status, body, _ = await there.reply(path, **asked)
    assert (status, body["code"]) == (400, code)
