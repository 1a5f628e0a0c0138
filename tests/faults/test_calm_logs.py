"""How much is written in an hour, healthy or not: changes of state are told, repetitions are not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from sextant.kit.clock import ManualClock
from sextant.model.event_block import Events
from sextant.model.instrument import Instrument
from sextant.venues.feed import Feed, Wanted, at
from sextant.venues.library.bybit import VENUE
from support.loopback import advance_until, serving
from support.whole_venue import NOW_NS, Whole

HOUR_S = 3_600
STEP_S = 5.0
HEALTHY_LINES = 12
OUTAGE_LINES = 20


class Away(Whole):
    """The venue, which can be made to cut every connection and to refuse every call."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.away and request.path.startswith("/v5/public"):
            return web.Response(status=503)
        return await super().serve(request)

    def leave(self) -> None:
        self.away = True
        for socket in self.spoken.open:
            socket.reset()


async def pass_time(clock: ManualClock, seconds: float) -> None:
    """Let virtual time pass, with turns of the loop between the steps for real sockets to speak."""
    for _ in range(int(seconds / STEP_S)):
        for _ in range(20):
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        clock.advance(STEP_S)


def learn(_: Events) -> Sequence[Instrument]:
    return []


@pytest.mark.parametrize(("outage", "most"), [(False, HEALTHY_LINES), (True, OUTAGE_LINES)])
async def test_an_hour_is_told_in_a_few_lines(outage: bool, most: int) -> None:  # a case of the table
    venue, clock = Away(), ManualClock(NOW_NS)
    async with serving(venue.serve) as host:
        feed = Feed(at(VENUE, f"http://{host}", f"ws://{host}"), clock, learn, Wanted(most=2))
        running = asyncio.ensure_future(feed.run())
        with capture_logs() as lines:
            await advance_until(clock, 0.1, lambda: any(line["event"] == "feed.up" for line in lines))
            if outage:
                venue.leave()
            attempts = venue.spoken.attempts
            await pass_time(clock, HOUR_S)
            if outage:
                assert venue.spoken.open == []
                venue.away = False
                await advance_until(clock, 1.0, lambda: sum(line["event"] == "feed.up" for line in lines) > 1)
            else:
                assert len(venue.spoken.open) == 1
                assert venue.spoken.attempts == attempts
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    told = [f"{line.get('event')} {line.get('link', '')}" for line in lines]
    assert len(told) <= most, told
