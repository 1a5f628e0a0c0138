"""Limits, bans and faults of the simulated Coinbase."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.sim.coinbase import CoinbaseSimulation, made, start

NOW_NS = 1_790_000_010_000_000_000
TIME = "/api/v3/brokerage/time"


@asynccontextmanager
async def asking(*faults: dict[str, Any]) -> AsyncIterator[tuple[CoinbaseSimulation, ManualClock, Any]]:
    clock = ManualClock(NOW_NS)
    async with (
        start(clock, seed=7, instruments=12, faults=faults) as venue,
        aiohttp.ClientSession() as http,
    ):

        async def ask(path: str = TIME, method: str = "GET") -> tuple[int, str]:
            async with http.request(method, venue.base_url + path) as answer:
                return answer.status, answer.content_type

        yield venue, clock, ask


async def test_an_eleventh_read_within_a_second_gets_a_page() -> None:
    async with asking() as (venue, clock, ask):
        assert [await ask() for _ in range(10)] == [(200, "application/json")] * 10
        assert await ask() == (429, "text/html")
        assert venue.counters.limited == 1
        clock.advance(1)
        assert (await ask())[0] == 200


async def test_what_needs_a_key_is_refused_and_counted() -> None:
    async with asking() as (venue, _, ask):
        assert (await ask("/api/v3/brokerage/accounts"))[0] == 401
        assert (await ask("/api/v3/brokerage/market/products", "POST"))[0] == 401
        assert venue.counters.forbidden == 2


async def test_a_banned_address_sees_a_page_for_ten_minutes() -> None:
    async with asking({"at": {"call": 1}, "fault": "banned"}) as (venue, clock, ask):
        assert await ask() == (403, "text/html")
        clock.advance(599)
        assert await ask() == (403, "text/html")
        clock.advance(2)
        assert (await ask())[0] == 200
        assert (venue.counters.bans, venue.counters.after_ban) == (1, 1)


async def test_calls_before_the_time_asked_for_are_counted() -> None:
    async with asking({"at": {"call": 1}, "fault": "html", "status": 429, "retry_after": 30}) as (
        venue,
        clock,
        ask,
    ):
        assert await ask() == (429, "text/html")
        clock.advance(29)
        assert (await ask())[0] == 200
        clock.advance(2)
        assert (await ask())[0] == 200
        assert venue.counters.after_retry_after == 1


async def test_maintenance_is_a_503_and_ends() -> None:
    async with asking({"at": {"after_s": 1}, "fault": "maintenance", "seconds": 30}) as (venue, clock, ask):
        clock.advance(2)
        venue.pump()
        assert (await ask())[0] == 503
        clock.advance(30)
        venue.pump()
        assert (await ask())[0] == 200


async def test_a_skew_of_the_clock_is_told() -> None:
    async with asking({"at": {"after_s": 1}, "fault": "skew", "seconds": 600}) as (venue, clock, _):
        clock.advance(2)
        venue.pump()
        assert venue.now_ms() == (NOW_NS + 602_000_000_000) // 1_000_000


def test_a_pace_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"outside 0\.05"):
        made(ManualClock(NOW_NS), {"pace": 9.0})
