"""A venue's own statement that it rests, over loopback."""

from __future__ import annotations

import asyncio

from aiohttp import web
from structlog.testing import capture_logs

from sextant.kit.clock import ManualClock
from sextant.kit.http import HttpSettings, RestClient
from sextant.kit.rate_limit import Silence
from sextant.kit.retry import Retrying
from sextant.venues.library.kraken.rest import LOCKOUT_S, STATUS_REQUEST, parse_status, refusal
from sextant.venues.maintenance import EVERY_S, Maintenance
from sextant.venues.port import StatusPage
from support.loopback import advance_until, serving

NOW_NS = 1_790_000_010_000_000_000


async def test_a_venue_that_rests_is_left_alone_until_it_says_otherwise() -> None:
    clock, told, looks = ManualClock(NOW_NS), ["maintenance"], [0]

    async def answer(_: web.Request) -> web.StreamResponse:
        looks[0] += 1
        return web.json_response(
            {"error": [], "result": {"status": told[0], "timestamp": "2026-09-21T14:13:30Z"}}
        )

    silence = Silence(clock)
    resting = Maintenance("kraken", StatusPage(STATUS_REQUEST, parse_status), clock, silence)
    async with serving(answer) as host:
        retrying = Retrying(clock, lambda: 0.5)
        with capture_logs() as lines:
            async with RestClient(f"http://{host}", retrying) as client:
                watching = asyncio.ensure_future(resting.watch(client))
                await advance_until(clock, 1.0, lambda: silence.remaining_s() > 0)
                assert silence.reason == "maintenance: maintenance"
                await advance_until(clock, 5.0, lambda: looks[0] >= 4)
                assert silence.remaining_s() > 0
                told[0] = "cancel_only"
                await advance_until(clock, 5.0, lambda: silence.remaining_s() == 0)
                before = looks[0]
                silence.ask(10 * EVERY_S, "banned")
                await advance_until(clock, 5.0, lambda: silence.remaining_s() < 5 * EVERY_S)
                assert looks[0] == before
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
    told_of = [line["event"] for line in lines if line.get("kind") == "venue_maintenance"]
    assert told_of == ["condition.opened", "condition.closed"][: len(told_of)]
    assert told_of


async def test_a_refusal_of_the_page_asks_everybody_for_silence() -> None:
    clock, looks = ManualClock(NOW_NS), [0]

    async def answer(_: web.Request) -> web.StreamResponse:
        looks[0] += 1
        return web.json_response({"error": ["EGeneral:Temporary lockout"]})

    silence = Silence(clock)
    resting = Maintenance("kraken", StatusPage(STATUS_REQUEST, parse_status), clock, silence)
    async with serving(answer) as host:
        settings = HttpSettings(refusal=refusal)
        async with RestClient(f"http://{host}", Retrying(clock, lambda: 0.5), settings) as client:
            watching = asyncio.ensure_future(resting.watch(client))
            await advance_until(clock, 1.0, lambda: silence.remaining_s() > 0)
            assert silence.remaining_s() > LOCKOUT_S - 2
            assert "Temporary lockout" in silence.reason
            await advance_until(clock, 5.0, lambda: silence.remaining_s() < EVERY_S)
            assert looks[0] == 1
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
