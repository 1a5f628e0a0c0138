"""Limits, bans and faults of the simulated Kraken, and the market that it shares with others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.sim import bybit
from sextant.sim.hosting import hosted
from sextant.sim.kraken import PATHS, KrakenSimulation, made, start

NOW_NS = 1_790_000_010_000_000_000


@asynccontextmanager
async def asking(*faults: dict[str, Any]) -> AsyncIterator[tuple[KrakenSimulation, ManualClock, Any]]:
    clock = ManualClock(NOW_NS)
    async with (
        start(clock, seed=7, instruments=12, faults=faults) as venue,
        aiohttp.ClientSession() as http,
    ):

        async def ask(path: str = "/0/public/Time", method: str = "GET") -> Any:
            async with http.request(method, venue.base_url + path) as answer:
                assert answer.status == 200
                return (await answer.json())["error"]

        yield venue, clock, ask


async def test_a_sixteenth_call_at_once_is_one_too_many_and_a_second_later_one_more_is_let_through() -> None:
    async with asking() as (venue, clock, ask):
        assert [await ask() for _ in range(15)] == [[]] * 15
        assert await ask() == ["EAPI:Rate limit exceeded"]
        clock.advance(1)
        assert await ask() == []
        assert await ask() == ["EAPI:Rate limit exceeded"]
        assert venue.counters.limited == 2


async def test_private_paths_are_refused_and_counted() -> None:
    async with asking() as (venue, _, ask):
        assert await ask("/0/private/AddOrder", "POST") == ["EAPI:Invalid key"]
        assert venue.counters.forbidden == 1


async def test_a_lockout_lasts_a_quarter_of_an_hour_from_the_last_try() -> None:
    async with asking({"at": {"call": 2}, "fault": "banned"}) as (venue, clock, ask):
        assert await ask() == []
        assert await ask() == ["EGeneral:Temporary lockout"]
        clock.advance(899)
        assert await ask() == ["EGeneral:Temporary lockout"]
        clock.advance(899)
        assert await ask() == ["EGeneral:Temporary lockout"]
        clock.advance(901)
        assert await ask() == []
        assert (venue.counters.bans, venue.counters.after_ban) == (1, 3)


async def test_too_many_at_once_are_told_when_to_come_back() -> None:
    async with asking({"at": {"call": 1}, "fault": "limited", "retry_after": 30}) as (venue, clock, ask):
        assert await ask() == ["EService: Throttled: 1790000040"]
        clock.advance(10)
        assert await ask() == []
        assert venue.counters.after_retry_after == 1


async def test_maintenance_leaves_time_and_status_only() -> None:
    async with asking({"at": {"after_s": 1}, "fault": "maintenance", "seconds": 60}) as (venue, clock, ask):
        clock.advance(2)
        venue.pump()
        assert await ask("/0/public/SystemStatus") == []
        assert await ask() == []
        assert await ask("/0/public/Ticker") == ["EService:Unavailable"]
        clock.advance(60)
        venue.pump()
        assert await ask("/0/public/Ticker") == []


async def test_a_page_of_the_front_can_take_the_place_of_an_answer() -> None:
    fault = {"at": {"call": 1, "path": "/0/public/Time"}, "fault": "html", "status": 503}
    async with (
        start(ManualClock(NOW_NS), seed=7, instruments=12, faults=[fault]) as venue,
        aiohttp.ClientSession() as http,
        http.get(venue.base_url + "/0/public/Time") as answer,
    ):
        assert (answer.status, answer.content_type) == (503, "text/html")


async def test_it_quotes_the_market_of_the_other_venues() -> None:
    clock = ManualClock(NOW_NS)
    first, second = bybit.made(clock, {"instruments": 12}), made(clock, {"instruments": 12})
    async with (
        hosted({"/": first, **dict.fromkeys(PATHS, second)}, 0) as address,
        aiohttp.ClientSession() as http,
    ):
        async with http.get(f"{address}/v5/market/tickers?category=spot&symbol=BTCUSDT") as answer:
            theirs = float((await answer.json())["result"]["list"][0]["lastPrice"])
        async with http.get(f"{address}/0/public/Ticker?pair=XBTUSD") as answer:
            ours = float((await answer.json())["result"]["XXBTZUSD"]["c"][0])
    assert ours == pytest.approx(theirs, rel=2e-3)
    assert ours != theirs


def test_a_pace_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"outside 0\.05"):
        made(ManualClock(NOW_NS), {"pace": 9.0})
