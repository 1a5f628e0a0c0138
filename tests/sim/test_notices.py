"""Maintenance is announced when it begins and when it has ended, each once."""

from __future__ import annotations

import aiohttp

from sextant.kit.clock import ManualClock
from sextant.sim.bybit import start
from sextant.sim.notices import Notices
from support.bybit_reading import drain, let_pass, subscribe

START_NS = 1_790_000_010_000_000_000

DOCUMENTED = {
    "id": str,
    "title": str,
    "state": str,
    "begin": str,
    "end": str,
    "href": str,
    "serviceTypes": list,
    "product": list,
    "uidSuffix": list,
    "maintainType": int,
    "env": int,
}
"""Fields of the example on the venue's page "System status"."""


def test_a_notice_has_the_documented_fields_and_is_told_once_a_state() -> None:
    notices = Notices()
    notices.announce(1_000, 5.0)
    first = notices.changed(1_000)
    assert [{name: type(value) for name, value in row.items()} for row in first] == [DOCUMENTED]
    assert first[0]["state"] == "ongoing"
    assert notices.changed(5_999) == []
    assert [row["state"] for row in notices.changed(6_000)] == ["completed"]
    assert notices.changed(7_000) == []
    assert notices.rows(7_000)[0]["id"] == first[0]["id"]


async def test_the_status_socket_and_the_status_path_tell_the_same() -> None:
    clock = ManualClock(START_NS)
    script = [{"at": {"after_s": 2}, "fault": "maintenance", "seconds": 10}]
    async with start(clock, instruments=4, faults=script) as venue, aiohttp.ClientSession() as http:
        async with http.ws_connect(f"{venue.base_url}/v5/public/misc/status") as socket:
            assert (await subscribe(socket, "publicTrade.BTCUSDT"))["success"] is False
            assert (await subscribe(socket, "system.status"))["success"] is True
            await let_pass(venue, clock, 20)
            frames = await drain(socket)
        assert [frame["topic"] for frame in frames] == ["system.status"] * 2
        assert [frame["data"][0]["state"] for frame in frames] == ["ongoing", "completed"]
        async with http.get(f"{venue.base_url}/v5/system/status") as reply:
            assert (await reply.json())["result"]["list"] == frames[1]["data"]
