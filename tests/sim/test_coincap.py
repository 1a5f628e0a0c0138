"""Version 3 asks for a key and takes credits; version 2 says that it is no more."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.coincap import CoinCapSimulation, start

NOW_S = 1_790_000_010


@asynccontextmanager
async def asking(*faults: dict[str, Any]) -> AsyncIterator[tuple[CoinCapSimulation, ManualClock, Any]]:
    clock = ManualClock(NOW_S * 1_000_000_000)
    async with (
        start(clock, seed=7, instruments=24, faults=faults) as source,
        aiohttp.ClientSession() as http,
    ):

        async def ask(path: str, key: str | None = None) -> Any:
            headers = {"Authorization": f"Bearer {source.key if key is None else key}"} if key != "" else {}
            async with http.get(source.base_url + path, headers=headers) as answer:
                return answer.status, await (
                    answer.json() if "json" in answer.content_type else answer.text()
                )

        yield source, clock, ask


@pytest.mark.data
async def test_an_asset_has_the_fields_of_a_recorded_one_and_the_price_of_the_market(data_dir: Path) -> None:
    recorded = json.loads((data_dir / "coingecko" / "coincap_v2_assets_20211027.json").read_text())
    async with asking() as (source, _, ask):
        status, answer = await ask("/v3/assets?ids=bitcoin")
        spot = source.model.find("spot", "BTCUSDT")
        assert spot is not None
        truth = source.model.minute_span(spot, NOW_S // 60 - 1, NOW_S // 60).close[0] * spot.tick
    [row] = answer["data"]
    assert (status, set(answer)) == (200, set(recorded))
    assert list(row) == list(recorded["data"][0])
    assert (row["id"], row["symbol"]) == ("bitcoin", "BTC")
    assert float(row["priceUsd"]) == pytest.approx(truth)
    assert len(row["priceUsd"].partition(".")[2]) == 16
    assert answer["timestamp"] == NOW_S // 60 * 60_000


@pytest.mark.parametrize(("key", "words"), [("", "No API key"), ("wrong", "Invalid API key")])
async def test_without_the_key_there_is_no_answer(key: str, words: str) -> None:
    async with asking() as (source, _, ask):
        status, answer = await ask("/v3/assets", key)
        assert (status, words in answer["error"]) == (401, True)
        assert source.credits == 4_000


async def test_an_answer_costs_a_credit_and_one_for_each_two_and_a_half_kilobytes() -> None:
    async with asking() as (source, _, ask):
        await ask("/v3/assets?ids=bitcoin")
        assert source.credits == 4_000 - 2
        _, answer = await ask("/v3/assets?limit=20")
        size = len(json.dumps(answer, separators=(",", ":")))
        assert source.credits == 3_998 - 1 - -(-size // 2_500)
        source.credits = 0
        status, answer = await ask("/v3/assets?ids=bitcoin")
        assert (status, answer["error"]) == (403, "Credit limit exceeded")


async def test_assets_are_paged_searched_and_asked_for_by_identity() -> None:
    async with asking() as (_, _, ask):
        _, every = await ask("/v3/assets")
        ranks = [int(row["rank"]) for row in every["data"]]
        assert ranks == list(range(1, 26))
        _, part = await ask("/v3/assets?limit=5&offset=5")
        assert [row["id"] for row in part["data"]] == [row["id"] for row in every["data"][5:10]]
        _, found = await ask("/v3/assets?search=btc")
        assert [row["id"] for row in found["data"]] == ["bitcoin", "btc-two"]
        _, one = await ask("/v3/assets/ethereum")
        assert one["data"]["symbol"] == "ETH"
        assert (await ask("/v3/assets/nothing"))[0] == 404
        assert await ask("/v3/assets?limit=2001") == (
            400,
            {"error": "limit exceeds 2000", "timestamp": NOW_S * 1_000},
        )


async def test_version_2_says_that_it_is_no_more_and_is_counted() -> None:
    async with asking() as (source, _, ask):
        status, answer = await ask("/v2/assets", "")
        assert status == 200
        assert "deprecating this version" in answer["data"]["message"]
        assert source.retired_calls == 1


async def test_faults_of_a_script_hit_it() -> None:
    status = {"at": {"call": 1}, "fault": "status", "status": 503}
    async with asking(status, {"at": {"call": 2}, "fault": "banned"}) as (_, _, ask):
        assert (await ask("/v3/assets"))[0] == 503
        assert (await ask("/v3/assets"))[0] == 403


async def test_six_hundred_calls_a_minute_are_answered() -> None:
    async with asking() as (source, clock, ask):
        source.credits = 10_000
        for _ in range(600):
            assert (await ask("/v3/assets/nothing"))[0] == 404
        assert (await ask("/v3/assets/nothing"))[0] == 429
        clock.advance(61)
        assert (await ask("/v3/assets/nothing"))[0] == 404
