"""A recording played by the command, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp

from sextant.kit.clock import ManualClock
from sextant.kit.frames import Frame, FrameLog

T = 1_700_000_000_000_000_000


def recorded(folder: Path) -> Path:
    """A recording of one answer and one frame."""
    with FrameLog(folder, "binance", ManualClock(T)) as log:
        log.write(
            Frame(T, "binance.http", "http", "https://api.binance.com/api/v3/time", b'{"serverTime":1}')
        )
        log.write(Frame(T, "binance.0", "open", "wss://stream.binance.com:9443/stream", b""))
        log.write(Frame(T + 1_000_000, "binance.0", "received", "", b'{"stream":"a@trade","data":{}}'))
    [place] = folder.iterdir()
    return place


async def test_the_command_plays_a_recording_until_its_input_ends(tmp_path: Path) -> None:
    place = recorded(tmp_path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sextant", "simulate", "--recording", str(place)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    address = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{address}/api/v3/time") as answer:
            assert await answer.json() == {"serverTime": 1}
        async with http.ws_connect(address.replace("http", "ws", 1) + "/stream") as socket:
            assert await socket.receive_json(timeout=30) == {"stream": "a@trade", "data": {}}
            await socket.send_json({"method": "SUBSCRIBE", "params": ["b@trade"], "id": 1})
            assert await socket.receive_json(timeout=30) == {"result": None, "id": 1}
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 30) == 0
