"""The public paths answer as documented, and say of the market what the model says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import zstandard

from sextant.kit.clock import ManualClock
from sextant.sim.coinbase import CoinbaseSimulation, start

NOW_S = 1_790_000_010
PRODUCTS = "/api/v3/brokerage/market/products"


@asynccontextmanager
async def asking() -> AsyncIterator[tuple[CoinbaseSimulation, Any]]:
    async with (
        start(ManualClock(NOW_S * 1_000_000_000), seed=7, instruments=24) as venue,
        aiohttp.ClientSession() as http,
    ):

        async def ask(path: str, status: int = 200, **query: str) -> Any:
            async with http.get(venue.base_url + path, params=query) as answer:
                assert answer.status == status
                return await answer.json()

        yield venue, ask


@pytest.mark.data
async def test_a_product_has_the_fields_of_a_recorded_one(data_dir: Path) -> None:
    place = data_dir / "cryptofeed" / "v3" / "COINBASE.jsonl.zst"
    with place.open("rb") as raw:
        lines = zstandard.ZstdDecompressor().stream_reader(raw).read().decode().splitlines()
    body = next(json.loads(json.loads(line)["data"]) for line in lines if json.loads(line)["t"] == "http")
    theirs = {row["product_id"]: row for row in body["products"]}
    async with asking() as (_, ask):
        answer = await ask(PRODUCTS)
    ours = {row["product_id"]: row for row in answer["products"]}
    assert list(answer) == list(body)
    for name in ("BTC-USD", "BTC-USDC"):
        assert list(ours[name]) == list(theirs[name])
        assert [type(value) for value in ours[name].values()] == [
            type(value) for value in theirs[name].values()
        ]
        assert (ours[name]["alias"], ours[name]["alias_to"]) == (
            theirs[name]["alias"],
            theirs[name]["alias_to"],
        )


async def test_products_come_in_pages_and_only_of_the_kind_asked_for() -> None:
    async with asking() as (_, ask):
        every = (await ask(PRODUCTS))["products"]
        assert [row["product_id"] for row in every[:3]] == ["BTC-USD", "BTC-USDC", "ETH-USD"]
        found, cursor = [], ""
        for _ in range(3):
            answer = await ask(PRODUCTS, product_type="SPOT", limit="3", cursor=cursor)
            found += answer["products"]
            cursor = answer["pagination"]["next_cursor"]
        assert (found, cursor) == (every, "")
        assert (await ask(PRODUCTS, product_type="FUTURE"))["products"] == []
        assert (await ask(PRODUCTS + "/ETH-USD")) == every[2]


async def test_book_trades_and_facts_agree() -> None:
    async with asking() as (_, ask):
        book = await ask("/api/v3/brokerage/market/product_book", product_id="BTC-USD", limit="5")
        trades = await ask(PRODUCTS + "/BTC-USD/ticker", limit="7")
        row = await ask(PRODUCTS + "/BTC-USD")
        told = book["pricebook"]
        assert (told["product_id"], len(told["bids"]), len(told["asks"])) == ("BTC-USD", 5, 5)
        assert (told["bids"][0]["price"], told["asks"][0]["price"]) == (
            trades["best_bid"],
            trades["best_ask"],
        )
        assert len(trades["trades"]) == 7
        assert trades["trades"][0]["price"] == row["price"] == book["last"]
        names = [int(each["trade_id"]) for each in trades["trades"]]
        assert names == sorted(names, reverse=True)


@pytest.mark.parametrize(
    ("name", "minutes"), [("ONE_MINUTE", 1), ("FIVE_MINUTE", 5), ("ONE_HOUR", 60), ("ONE_DAY", 1_440)]
)
async def test_bars_are_of_the_span_asked_for_newest_first(name: str, minutes: int) -> None:
    step_s = minutes * 60
    end_s = NOW_S - 10 * step_s
    async with asking() as (venue, ask):
        span = {"start": str(end_s - 19 * step_s), "end": str(end_s), "granularity": name}
        found = (await ask(PRODUCTS + "/BTC-USD/candles", **span))["candles"]
        listing = venue.model.find("spot", "BTC-USD")
        assert listing is not None
        truth = venue.model.bars(listing, minutes, end_s // step_s - 18, 19)
        opens = [int(row["start"]) // step_s for row in found]
        assert opens == list(range(end_s // step_s, end_s // step_s - 19, -1))
        closes = [round(float(row["close"]) / listing.tick) for row in reversed(found)]
        lots = [round(float(row["volume"]) / listing.lot) for row in reversed(found)]
        assert (closes, lots) == (truth.close.tolist(), truth.lots.tolist())


async def test_a_span_ends_with_the_bar_that_forms() -> None:
    async with asking() as (_, ask):
        span = {"start": str(NOW_S - 300), "end": str(NOW_S + 900), "granularity": "ONE_MINUTE"}
        found = (await ask(PRODUCTS + "/BTC-USD/candles", **span))["candles"]
        assert [int(row["start"]) // 60 - NOW_S // 60 for row in found] == [0, -1, -2, -3, -4]


@pytest.mark.parametrize(
    ("path", "query", "status", "name"),
    [
        (PRODUCTS + "/NONE-USD", {}, 404, "NOT_FOUND"),
        (PRODUCTS + "/BTC-USD/other", {}, 404, "NOT_FOUND"),
        (PRODUCTS + "/BTC-USD/candles", {"granularity": "TWO_MINUTE"}, 400, "INVALID_ARGUMENT"),
        (
            PRODUCTS + "/BTC-USD/candles",
            {"granularity": "ONE_MINUTE", "start": "0", "end": "60000"},
            400,
            "INVALID_ARGUMENT",
        ),
        (PRODUCTS + "/BTC-USD/candles", {"granularity": "ONE_MINUTE"}, 400, "INVALID_ARGUMENT"),
        ("/api/v3/brokerage/market/product_book", {"product_id": "X"}, 404, "NOT_FOUND"),
        (PRODUCTS, {"limit": "x"}, 400, "INVALID_ARGUMENT"),
    ],
)
async def test_a_wrong_question_is_refused(path: str, query: dict[str, str], status: int, name: str) -> None:
    async with asking() as (_, ask):
        answer = await ask(path, status, **query)
        assert answer["error"] == name
        assert answer["message"] == answer["error_details"] != ""


async def test_time_assets_and_rates_are_told() -> None:
    async with asking() as (_, ask):
        assert (await ask("/api/v3/brokerage/time"))["epochSeconds"] == str(NOW_S)
        assert (await ask("/v2/time"))["data"]["epoch"] == NOW_S
        assert [row["id"] for row in (await ask("/v2/currencies"))["data"]] == ["USD"]
        assert [row["code"] for row in (await ask("/v2/currencies/crypto"))["data"]][:2] == ["BTC", "ETH"]
        rate = float((await ask("/v2/exchange-rates"))["data"]["rates"]["BTC"])
        price = float((await ask(PRODUCTS + "/BTC-USD"))["price"])
        assert rate * price == pytest.approx(1.0)
