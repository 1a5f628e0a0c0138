"""A minimal reader of Bybit v5's sockets, written from its documentation; shares nothing with the simulator."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import aiohttp

from sextant.kit.clock import ManualClock
from sextant.sim.bybit import Simulation


class Ladder:
    """A book as the documentation says to keep it: a snapshot replaces, size 0 deletes, u counts."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.u = 0
        self.gaps = 0

    def apply(self, frame: dict[str, Any]) -> None:
        data = frame["data"]
        if frame["type"] == "snapshot":
            self.bids, self.asks = {}, {}
        elif data["u"] != self.u + 1:
            self.gaps += 1
        self.u = data["u"]
        for side, rows in ((self.bids, data["b"]), (self.asks, data["a"])):
            for price, size in rows:
                if size == "0":
                    side.pop(Decimal(price), None)
                else:
                    side[Decimal(price)] = Decimal(size)


async def subscribe(socket: aiohttp.ClientWebSocketResponse, *topics: str) -> dict[str, Any]:
    """Ask for topics and give the venue's answer, which comes before the first push."""
    await socket.send_json({"op": "subscribe", "args": list(topics), "req_id": "7"})
    answer: dict[str, Any] = await socket.receive_json(timeout=5)
    return answer


async def drain(socket: aiohttp.ClientWebSocketResponse) -> list[dict[str, Any]]:
    """Everything that has been sent before now: a ping is answered after it."""
    await socket.send_json({"op": "ping", "req_id": "drain"})
    found: list[dict[str, Any]] = []
    while True:
        frame = json.loads(await socket.receive_str(timeout=5))
        if frame.get("op") == "ping":
            return found
        found.append(frame)


async def let_pass(venue: Simulation, clock: ManualClock, seconds: float, step: float = 0.25) -> None:
    """Let the market live for a while."""
    for _ in range(round(seconds / step)):
        clock.advance(step)
        venue.pump()
        await asyncio.sleep(0)
