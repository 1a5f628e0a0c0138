"""The public paths of the simulated KuCoin: shapes of known answers, and one truth behind all."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.kucoin_simulated import NOW_MS, asking
from support.shapes import shape

PATHS = {
    "/api/v1/market/stats": {"symbol": "BTC-USDT"},
    "/api/v1/market/orderbook/level2_20": {"symbol": "BTC-USDT"},
    "/api/v1/market/candles": {"symbol": "BTC-USDT", "type": "1min"},
    "/api/v1/market/orderbook/level1": {"symbol": "BTC-USDT"},
    "/api/v1/market/allTickers": {},
    "/api/v1/market/histories": {"symbol": "BTC-USDT"},
    "/api/v2/symbols": {},
}


def examples(data_dir: Path) -> dict[str, Any]:
    """Documented answers by path."""
    with gzip.open(data_dir / "rest" / "jkorf_kucoin_payloads.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    return {row["path"]: row["response"] for row in rows if row["kind"] == "rest" and "Spot" in row["file"]}


@pytest.mark.data
async def test_answers_have_the_shape_of_documented_ones(data_dir: Path) -> None:
    known = examples(data_dir)
    async with asking() as there:
        for path, asked in PATHS.items():
            theirs, ours = shape(known[path]), shape((await there.reply(path, **asked))[1])
            if path == "/api/v2/symbols":
                [row] = ours["data"]
                assert theirs["data"][0].items() <= row.items()
            else:
                assert ours == theirs, path


@pytest.mark.data
async def test_books_have_the_shape_of_recorded_ones(data_dir: Path) -> None:
    with gzip.open(data_dir / "cryptofeed" / "v1" / "KUCOIN.http.0.0.gz", "rt") as file:
        theirs = json.loads(file.readline().partition(" -> ")[2].partition(": ")[2])
    async with asking() as there:
        _, ours, _ = await there.reply("/api/v1/market/orderbook/level2_100", symbol="BTC-USDT")
    assert shape(ours) == shape(theirs)
    assert [len(ours["data"][side]) for side in ("bids", "asks")] == [100, 100]


async def test_bars_come_newest_first_within_the_span_asked_for() -> None:
    async with asking() as there:

        async def minutes(**asked: object) -> list[int]:
            rows = await there.ask("/api/v1/market/candles", symbol="BTC-USDT", type="1min", **asked)
            return [int(row[0]) // 60 - NOW_MS // 60_000 for row in rows]

        now_s = NOW_MS // 1_000
        assert len(await minutes()) == 100
        assert await minutes(startAt=now_s - 150, endAt=now_s) == [0, -1, -2]
        assert await minutes(startAt=now_s // 60 * 60 - 120, endAt=now_s // 60 * 60) == [-1, -2]
        assert len(await minutes(startAt=1, endAt=now_s)) == 1_500
        assert await minutes(startAt=now_s + 600, endAt=now_s + 900) == []
        hour = await there.ask("/api/v1/market/candles", symbol="BTC-USDT", type="1hour")
        start = int(hour[1][0])
        rows = await there.ask(
            "/api/v1/market/candles", symbol="BTC-USDT", type="1min", startAt=start, endAt=start + 3_600
        )
    assert len(rows) == 60
    assert (hour[1][1], hour[1][2]) == (rows[-1][1], rows[0][2])
    assert Decimal(hour[1][3]) == max(Decimal(row[3]) for row in rows)
    assert Decimal(hour[1][4]) == min(Decimal(row[4]) for row in rows)
    assert Decimal(hour[1][5]) == sum(Decimal(row[5]) for row in rows)


async def test_summaries_agree_with_trades_and_the_book() -> None:
    async with asking() as there:
        day = await there.ask("/api/v1/market/stats", symbol="ETH-USDT")
        every = await there.ask("/api/v1/market/allTickers")
        book = await there.ask("/api/v1/market/orderbook/level2_20", symbol="ETH-USDT")
        best = await there.ask("/api/v1/market/orderbook/level1", symbol="ETH-USDT")
        trades = await there.ask("/api/v1/market/histories", symbol="ETH-USDT")
        assert await there.ask("/api/v1/timestamp") == NOW_MS
        assert (await there.ask("/api/v3/currencies"))[-1]["currency"] == "USDT"
        assert await there.ask("/api/v2/symbols", market="BTC") == []
    assert day["last"] == trades[-1]["price"] == best["price"]
    assert [day["buy"], best["bestBidSize"]] == book["bids"][0]
    assert [day["sell"], best["bestAskSize"]] == book["asks"][0]
    assert book["sequence"] == best["sequence"]
    [row] = [row for row in every["ticker"] if row["symbol"] == "ETH-USDT"]
    assert (row["buy"], row["sell"], row["vol"]) == (day["buy"], day["sell"], day["vol"])
    assert len(trades) == 100
    numbers = [int(trade["sequence"]) for trade in trades]
    assert numbers == sorted(set(numbers))
    assert float(day["low"]) <= float(day["averagePrice"]) <= float(day["high"])


@pytest.mark.parametrize(
    ("path", "asked", "told"),
    [
        ("/api/v1/market/stats", {}, (400, "400100")),
        ("/api/v1/market/stats", {"symbol": "NO-PE"}, (200, "900001")),
        ("/api/v1/market/candles", {"symbol": "BTC-USDT", "type": "7min"}, (400, "400100")),
        ("/api/v1/market/candles", {"symbol": "BTC-USDT", "type": "1min", "startAt": "x"}, (400, "400100")),
        ("/api/v9/nothing", {}, (404, "404000")),
        ("/api/v1/accounts", {}, (401, "400001")),
    ],
)
async def test_wrong_questions_are_refused_with_the_venues_code(
    path: str, asked: dict[str, str], told: tuple[int, str]
) -> None:
    async with asking() as there:
        status, body, _ = await there.reply(path, **asked)
    assert (status, body["code"]) == told
