"""A minimal reader of Coinbase's sockets, written from its documentation; shares nothing with the simulator."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import aiohttp


class Ladder:
    """A book as the documentation says to keep it: a snapshot replaces, later updates overwrite, quantity 0 deletes."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bid": {}, "offer": {}}

    def apply(self, frame: dict[str, Any]) -> None:
        for event in frame["events"]:
            if event["type"] == "snapshot":
                self.sides = {"bid": {}, "offer": {}}
            for change in event["updates"]:
                side, price = self.sides[change["side"]], Decimal(change["price_level"])
                if Decimal(change["new_quantity"]) == 0:
                    side.pop(price, None)
                else:
                    side[price] = Decimal(change["new_quantity"])


async def subscribe(socket: aiohttp.ClientWebSocketResponse, channel: str, *names: str) -> None:
    """Ask for one channel of some products."""
    await socket.send_json({"type": "subscribe", "product_ids": list(names), "channel": channel})


async def drain(socket: aiohttp.ClientWebSocketResponse) -> list[dict[str, Any]]:
    """Everything that has been sent before now: a message that means nothing is refused after it."""
    await socket.send_str("?")
    found: list[dict[str, Any]] = []
    while True:
        frame = json.loads(await socket.receive_str(timeout=5))
        if frame.get("message") == "failure to parse message":
            return found
        found.append(frame)
