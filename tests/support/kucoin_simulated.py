"""The simulated KuCoin on loopback, a clock that tests drive, and a minimal reader of its sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp

from sextant.kit.clock import ManualClock
from sextant.sim.kucoin import KucoinSimulation, start

NOW_NS = 1_790_000_010_000_000_000  # half a minute after a whole one
NOW_MS = NOW_NS // 1_000_000


class Ladder:
    """A book as the documentation says to keep it: begun by REST, numbers in order, size 0 deletes, price 0 is skipped."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.number = int(data["sequence"])
        self.bids = {Decimal(price): Decimal(size) for price, size in data["bids"]}
        self.asks = {Decimal(price): Decimal(size) for price, size in data["asks"]}
        self.applied = 0
        self.gaps = 0

    def apply(self, data: dict[str, Any]) -> None:
        if data["sequenceEnd"] <= self.number:
            return
        self.gaps += data["sequenceStart"] > self.number + 1
        self.number = data["sequenceEnd"]
        self.applied += 1
        for side, rows in ((self.bids, data["changes"]["bids"]), (self.asks, data["changes"]["asks"])):
            for price, size, _ in sorted(rows, key=lambda row: int(row[2])):
                if Decimal(price) == 0:
                    continue
                if Decimal(size) == 0:
                    side.pop(Decimal(price), None)
                else:
                    side[Decimal(price)] = Decimal(size)


@dataclass
class Asking:
    """A running simulation and a client of it."""

    venue: KucoinSimulation
    clock: ManualClock
    http: aiohttp.ClientSession

    async def reply(
        self, path: str, method: str = "GET", **asked: object
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Status, body and headers of an answer."""
        params = {name: str(value) for name, value in asked.items()}
        async with self.http.request(method, self.venue.base_url + path, params=params) as answer:
            plain = answer.content_type != "application/json"
            return answer.status, await (answer.text() if plain else answer.json()), answer.headers

    async def ask(self, path: str, **asked: object) -> Any:
        """The data of an answer that must be good."""
        _, body, _ = await self.reply(path, "GET", **asked)
        assert body["code"] == "200000", body
        return body["data"]

    async def address(self) -> str:
        """Where a socket may be opened, token and all."""
        _, body, _ = await self.reply("/api/v1/bullet-public", "POST")
        server = body["data"]["instanceServers"][0]
        return f"{server['endpoint']}?token={body['data']['token']}&connectId=mine"

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A welcome session."""
        async with self.http.ws_connect(await self.address(), max_msg_size=0) as socket:
            assert await socket.receive_json(timeout=5) == {"id": "mine", "type": "welcome"}
            yield socket


async def subscribe(socket: aiohttp.ClientWebSocketResponse, topic: str) -> Any:
    """Ask for a topic and give the venue's answer, which comes before the first push."""
    await socket.send_json(
        {"id": "7", "type": "subscribe", "topic": topic, "privateChannel": False, "response": True}
    )
    return await socket.receive_json(timeout=5)


async def drain(socket: aiohttp.ClientWebSocketResponse) -> list[dict[str, Any]]:
    """Everything that has been sent before now: a ping is answered after it."""
    await socket.send_json({"id": "987", "type": "ping"})
    found: list[dict[str, Any]] = []
    while True:
        frame = json.loads(await socket.receive_str(timeout=5))
        if frame.get("id") == "987":
            return found
        found.append(frame)


@asynccontextmanager
async def asking(*faults: Mapping[str, Any], instruments: int = 12) -> AsyncIterator[Asking]:
    """A simulation of few instruments until the block ends."""
    clock = ManualClock(NOW_NS)
    async with (
        start(clock, seed=7, instruments=instruments, faults=faults) as venue,
        aiohttp.ClientSession() as http,
    ):
        yield Asking(venue, clock, http)
