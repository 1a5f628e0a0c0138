"""What all simulated spot venues do: the truth of their books, and faults of the whole venue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.sim.coinbase import made as coinbase
from sextant.sim.coinbase import start as coinbase_started
from sextant.sim.kraken import made as kraken
from sextant.sim.kraken import start as kraken_started
from sextant.sim.spot_venue import SpotVenue

NOW_NS = 1_790_000_010_000_000_000
SCRIPT = [
    {"at": {"after_s": 1}, "fault": "delist", "symbol": "BTC/USD"},
    {"at": {"after_s": 1}, "fault": "delist", "symbol": "BTC-USD"},
    {"at": {"after_s": 1}, "fault": "retick", "symbol": "ETH/USD"},
    {"at": {"after_s": 1}, "fault": "retick", "symbol": "ETH-USD"},
    {"at": {"after_s": 2}, "fault": "maintenance", "seconds": 5},
    {"at": {"after_s": 3}, "fault": "skew", "seconds": -2},
]


@pytest.mark.parametrize(("made", "joint"), [(kraken, "/"), (coinbase, "-")])
def test_moments_of_a_script_befall_the_venue(made: Callable[..., Any], joint: str) -> None:
    clock = ManualClock(NOW_NS)
    venue: SpotVenue = made(clock, {"instruments": 24, "faults": SCRIPT})
    before = venue.live.find("spot", f"ETH{joint}USD")
    clock.advance(1.5)
    venue.pump()
    after = venue.live.find("spot", f"ETH{joint}USD")
    assert before is not None
    assert after is not None
    assert after.tick == pytest.approx(before.tick * 10)
    assert venue.live.find("spot", f"BTC{joint}USD") is None
    resting = [venue.resting]
    clock.advance(1)
    venue.pump()
    resting.append(venue.resting)
    clock.advance(1)
    venue.pump()
    assert venue.now_ms() == NOW_NS // 1_000_000 + 3_500 - 2_000
    clock.advance(7)
    venue.pump()
    assert [*resting, venue.resting] == [False, True, False]


@pytest.mark.parametrize("made", [kraken, coinbase])
def test_a_book_nobody_has_asked_for_is_not_known(made: Callable[..., Any]) -> None:
    venue = made(ManualClock(NOW_NS), {"instruments": 12})
    with pytest.raises(InputError, match="No push"):
        venue.book("BTC/USD", 10)


@pytest.mark.parametrize("started", [kraken_started, coinbase_started])
async def test_a_venue_that_is_away_answers_nobody_and_comes_back(started: Callable[..., Any]) -> None:
    clock = ManualClock(NOW_NS)
    script = [{"at": {"after_s": 1}, "fault": "away", "seconds": 5}]
    async with (
        started(clock, seed=7, instruments=12, faults=script) as venue,
        aiohttp.ClientSession() as http,
        http.ws_connect(venue.socket_url) as socket,
    ):
        clock.advance(2)
        venue.pump()
        while (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
            pass
        for address in (venue.base_url + "/0/public/Time", venue.socket_url.replace("ws", "http", 1)):
            with pytest.raises(aiohttp.ClientError):
                await http.get(address)
        assert venue.counters.while_away >= 2  # the client tries a read that was cut once more
        clock.advance(5)
        async with http.ws_connect(venue.socket_url):
            assert venue.counters.connections == 2
