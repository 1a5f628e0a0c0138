"""Spoilt answers: bombs and drifted bodies arrive as told."""

from __future__ import annotations

import json
import zlib

import aiohttp

from sextant.kit.clock import ManualClock
from sextant.sim.bybit import start

START_NS = 1_790_000_010_000_000_000


async def test_a_bomb_is_small_on_the_wire_and_large_once_unpacked() -> None:
    script = [{"at": {"call": 1}, "fault": "bomb", "megabytes": 16}]
    async with (
        start(ManualClock(START_NS), instruments=4, faults=script) as venue,
        aiohttp.ClientSession(auto_decompress=False) as http,
        http.get(f"{venue.base_url}/v5/market/time") as reply,
    ):
        packed = await reply.read()
        assert reply.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 64 * 1024
    assert len(zlib.decompress(packed, wbits=31)) == 16 << 20


async def test_a_drifted_answer_is_valid_json_without_its_field() -> None:
    script = [{"at": {"call": 1}, "fault": "drift", "field": "result.timeNano"}]
    async with (
        start(ManualClock(START_NS), instruments=4, faults=script) as venue,
        aiohttp.ClientSession() as http,
        http.get(f"{venue.base_url}/v5/market/time") as reply,
    ):
        assert set(json.loads(await reply.text())["result"]) == {"timeSecond"}
