"""The rules of each host, its limits, refusals and prices, read by plain decoding."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.coingecko import CoinGeckoSimulation, start

NOW_S = 1_790_000_010
MARKETS = "/api/v3/coins/markets?vs_currency=usd"


@asynccontextmanager
async def asking(*faults: dict[str, Any]) -> AsyncIterator[tuple[CoinGeckoSimulation, ManualClock, Any]]:
    clock = ManualClock(NOW_S * 1_000_000_000)
    async with (
        start(clock, seed=7, instruments=24, faults=faults) as source,
        aiohttp.ClientSession() as http,
    ):

        async def ask(
            path: str = "/api/v3/ping", *, key: str = "", name: str = "demo", pro: bool = False
        ) -> Any:
            headers = {f"x-cg-{name}-api-key": key} if key else {}
            base = source.pro_url if pro else source.base_url
            async with http.get(base + path, headers=headers) as answer:
                body = await (answer.json() if "json" in answer.content_type else answer.text())
                return answer.status, body, answer.headers

        yield source, clock, ask


@pytest.mark.parametrize(
    ("key", "name", "pro", "status", "code"),
    [
        ("", "demo", False, 200, None),
        ("demo_key", "demo", False, 200, None),
        ("pro_key", "pro", True, 200, None),
        ("", "pro", True, 401, 10_002),
        ("pro_key", "pro", False, 400, 10_010),
        ("pro_key", "demo", False, 400, 10_010),
        ("demo_key", "demo", True, 400, 10_011),
        ("demo_key", "pro", True, 400, 10_011),
        ("wrong", "demo", False, 401, 10_002),
        ("wrong", "pro", True, 401, 10_002),
    ],
)
async def test_each_host_takes_its_own_key_in_its_own_header(
    key: str, name: str, pro: bool, status: int, code: int | None
) -> None:
    async with asking() as (source, _, ask):
        told, body, _ = await ask(key=getattr(source, key, key), name=name, pro=pro)
        assert told == status
        assert body.get("status", {}).get("error_code") == code


async def test_paths_of_paid_plans_are_refused_below_them() -> None:
    async with asking() as (source, _, ask):
        status, body, _ = await ask("/api/v3/coins/list/new", key=source.demo_key)
        assert (status, body["status"]["error_code"]) == (401, 10_005)
        status, _, _ = await ask("/api/v3/coins/list/new", key=source.pro_key, name="pro", pro=True)
        assert status == 200


@pytest.mark.parametrize(("plan", "most"), [("demo", 30), ("keyless", 5)])
async def test_every_call_counts_and_one_too_many_is_told_when_to_come_back(plan: str, most: int) -> None:
    async with asking() as (source, clock, ask):
        key = source.demo_key if plan == "demo" else ""
        for number in range(most):
            status, _, _ = await ask("/api/v3/nowhere" if number % 2 else "/api/v3/ping", key=key)
            assert status == (404 if number % 2 else 200)
            clock.advance(1)
        status, body, headers = await ask(key=key)
        assert (status, body["status"]["error_code"]) == (429, 429)
        assert headers["retry-after"] == str(60 - most)
        await ask(key=key)
        assert source.counters.after_retry_after == 1
        clock.advance(60 - most)
        assert (await ask(key=key))[0] == 200


async def test_the_front_may_block_an_address_or_answer_with_a_page() -> None:
    html = {"at": {"call": 2}, "fault": "html", "status": 429, "retry_after": 60}
    async with asking({"at": {"call": 3}, "fault": "banned"}, html) as (source, clock, ask):
        assert (await ask(key=source.demo_key))[0] == 200
        status, body, headers = await ask(key=source.demo_key)
        assert (status, headers["Retry-After"], "<html>" in body) == (429, "60", True)
        status, body, _ = await ask(key=source.demo_key)
        assert (status, "1020" in body) == (403, True)
        clock.advance(599)
        assert (await ask(key=source.demo_key))[0] == 403
        clock.advance(2)
        assert (await ask(key=source.demo_key))[0] == 200
        assert (source.counters.bans, source.counters.after_ban) == (1, 1)


async def test_a_limit_can_be_scripted() -> None:
    async with asking({"at": {"call": 1}, "fault": "limited"}) as (_, _, ask):
        status, _, headers = await ask()
        assert (status, headers["retry-after"]) == (429, "119")


async def test_markets_are_ordered_by_value_and_agree_with_simple_prices() -> None:
    async with asking() as (source, _, ask):
        _, rows, _ = await ask(MARKETS + "&per_page=250", key=source.demo_key)
        assert [row["market_cap_rank"] for row in rows] == list(range(1, len(source.assets) + 1))
        bitcoin = next(row for row in rows if row["id"] == "bitcoin")
        spot = source.model.find("spot", "BTCUSDT")
        assert spot is not None
        minute = source.model.minute_span(spot, NOW_S // 60 - 1, NOW_S // 60)
        assert bitcoin["current_price"] == pytest.approx(float(minute.close[0]) * spot.tick)
        assert bitcoin["last_updated"] == "2026-09-21T14:13:00.000Z"
        simple = "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd&include_last_updated_at=true"
        _, told, _ = await ask(simple, key=source.demo_key)
        assert told == {"bitcoin": {"usd": bitcoin["current_price"], "last_updated_at": NOW_S // 60 * 60}}


async def test_a_symbol_means_its_largest_asset_unless_all_are_wanted() -> None:
    async with asking() as (_, _, ask):
        _, rows, _ = await ask(MARKETS + "&symbols=btc,eth,none")
        assert [row["id"] for row in rows] == ["bitcoin", "ethereum"]
        _, rows, _ = await ask(MARKETS + "&symbols=btc&include_tokens=all")
        assert [row["id"] for row in rows] == ["bitcoin", "btc-two"]
        _, listed, _ = await ask("/api/v3/coins/list")
        assert sum(row["symbol"] == "btc" for row in listed) == 2


async def test_the_paid_host_is_fresher() -> None:
    async with asking() as (source, clock, ask):
        clock.advance(35)  # 14:14:05, so that both renew at the minute, and the paid one also at 14:14:30
        clock.advance(30)
        _, demo, _ = await ask(MARKETS + "&ids=bitcoin", key=source.demo_key)
        _, paid, _ = await ask(MARKETS + "&ids=bitcoin", key=source.pro_key, name="pro", pro=True)
        assert demo[0]["last_updated"] == "2026-09-21T14:14:00.000Z"
        assert paid[0]["last_updated"] == "2026-09-21T14:14:30.000Z"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v3/coins/markets",
        "/api/v3/coins/markets?vs_currency=zzz",
        MARKETS + "&per_page=251",
        "/api/v3/simple/price?vs_currencies=usd",
    ],
)
async def test_a_wrong_question_is_refused_in_words(path: str) -> None:
    async with asking() as (_, _, ask):
        status, body, _ = await ask(path)
        assert status == 422
        assert isinstance(body["error"], str)
