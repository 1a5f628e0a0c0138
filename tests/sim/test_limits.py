"""Too many requests lead to a ban that outlives connections and counts who ignores it."""

from __future__ import annotations

import aiohttp

from sextant.kit.clock import ManualClock
from sextant.sim.bybit import start
from sextant.sim.limits import Counters, Limits

START_NS = 1_790_000_010_000_000_000


def test_six_hundred_within_five_seconds_are_admitted_and_one_more_bans_for_ten_minutes() -> None:
    counters = Counters()
    limits = Limits(counters)
    assert all(limits.admit("a", 1_000 + row) for row in range(600))
    assert limits.left("a", 1_600) == 0
    assert not limits.admit("a", 1_700)
    assert counters.bans == 1
    assert limits.admit("b", 1_700)
    assert not limits.admit("a", 601_699)
    assert counters.after_ban == 1
    assert limits.admit("a", 601_700)


def test_the_window_rolls() -> None:
    limits = Limits(Counters())
    assert all(limits.admit("a", row * 9) for row in range(2_000))


def test_five_hundred_sockets_within_five_minutes_are_accepted() -> None:
    limits = Limits(Counters())
    assert all(limits.connect("a", row) for row in range(500))
    assert not limits.connect("a", 501)
    assert limits.connect("a", 300_001)


async def test_the_ban_is_http_403_for_rest_and_sockets_and_ends() -> None:
    clock = ManualClock(START_NS)
    async with start(clock, seed=7, instruments=4) as venue, aiohttp.ClientSession() as http:
        url = f"{venue.base_url}/v5/market/time"
        for number in range(600):
            async with http.get(url) as reply:
                assert reply.status == 200
                assert reply.headers["X-Bapi-Limit-Status"] == str(599 - number)
        async with http.get(url) as reply:
            assert reply.status == 403
            assert "access too frequent" in await reply.text()
        async with http.get(venue.base_url + "/v5/public/linear") as reply:
            assert reply.status == 403
        clock.advance(599)
        async with http.get(url) as reply:
            assert reply.status == 403
        assert (venue.counters.bans, venue.counters.after_ban) == (1, 2)
        clock.advance(2)
        async with http.get(url) as reply:
            assert reply.status == 200


async def test_paths_that_move_money_are_refused_and_counted() -> None:
    async with start(ManualClock(START_NS), instruments=4) as venue, aiohttp.ClientSession() as http:
        async with http.post(f"{venue.base_url}/v5/order/create", json={}) as reply:
            assert (await reply.json())["retCode"] == 10_005
        assert venue.counters.forbidden == 1


async def test_a_get_that_carries_a_body_is_refused() -> None:
    async with start(ManualClock(START_NS), instruments=4) as venue, aiohttp.ClientSession() as http:
        reply = await http.get(f"{venue.base_url}/v5/market/time", json={})
        assert reply.status == 403
