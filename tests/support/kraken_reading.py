"""A minimal reader of Kraken's sockets, written from its documentation; shares nothing with the simulator."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any, Protocol

import aiohttp

from sextant.kit.clock import ManualClock


class Text(float):
    """A JSON number that remembers its digits."""

    text: str

    @staticmethod
    def read(text: str) -> Text:
        number = Text(text)
        number.text = text
        return number


class Ladder:
    """A book as the documentation says to keep it: cut to its depth, checked by the sum over its ten best levels."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.bids: dict[float, tuple[str, str]] = {}
        self.asks: dict[float, tuple[str, str]] = {}
        self.checked = 0
        self.wrong = 0

    def apply(self, frame: dict[str, Any]) -> None:
        [row] = frame["data"]
        if frame["type"] == "snapshot":
            self.bids, self.asks = {}, {}
        for side, levels in ((self.bids, row["bids"]), (self.asks, row["asks"])):
            for level in levels:
                if float(level["qty"]) == 0.0:
                    side.pop(float(level["price"]), None)
                else:
                    side[float(level["price"])] = (level["price"].text, level["qty"].text)
        for side, downward in ((self.bids, True), (self.asks, False)):
            for price in sorted(side, reverse=downward)[self.depth :]:
                del side[price]
        best = [self.asks[price] for price in sorted(self.asks)[:10]]
        best += [self.bids[price] for price in sorted(self.bids, reverse=True)[:10]]
        digits = "".join(part.replace(".", "").lstrip("0") for level in best for part in level)
        self.checked += 1
        self.wrong += zlib.crc32(digits.encode()) != row["checksum"]


class Pumped(Protocol):
    """A simulated venue whose time a test drives."""

    def pump(self) -> None: ...


def decoded(text: str) -> Any:
    """A frame whose decimal numbers remember their digits."""
    return json.loads(text, parse_float=Text.read)


async def drain(socket: aiohttp.ClientWebSocketResponse) -> list[dict[str, Any]]:
    """Everything that has been sent before now: a ping is answered after it."""
    await socket.send_json({"method": "ping", "req_id": 987})
    found: list[dict[str, Any]] = []
    while True:
        frame = decoded(await socket.receive_str(timeout=5))
        if frame.get("req_id") == 987:
            return found
        found.append(frame)


async def subscribe(
    socket: aiohttp.ClientWebSocketResponse, channel: str, *names: str, **more: object
) -> None:
    """Ask for a channel of some pairs."""
    params = {"channel": channel, "symbol": list(names), **more}
    await socket.send_json({"method": "subscribe", "params": params, "req_id": 1})


async def let_pass(venue: Pumped, clock: ManualClock, seconds: float, step: float = 0.25) -> None:
    """Let the market live for a while."""
    for _ in range(round(seconds / step)):
        clock.advance(step)
        venue.pump()
        await asyncio.sleep(0)
