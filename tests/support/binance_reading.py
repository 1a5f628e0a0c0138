"""A minimal reader of Binance's sockets, written from its documentation; shares nothing with the simulator."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import aiohttp


class Ladder:
    """A book as the documentation says to keep it: begun by REST, changes in order, size 0 deletes.

    A change of spot follows when its ``U`` is the last ``u`` + 1; one of futures when its ``pu`` is the last ``u``.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        self.u: int = body["lastUpdateId"]
        self.bids = {Decimal(price): Decimal(size) for price, size in body["bids"]}
        self.asks = {Decimal(price): Decimal(size) for price, size in body["asks"]}
        self.begun = False
        self.applied = 0
        self.gaps = 0

    def apply(self, event: dict[str, Any]) -> None:
        if event["u"] <= self.u:
            return
        if self.begun:
            follows = event["pu"] == self.u if "pu" in event else event["U"] == self.u + 1
        else:
            follows = event["U"] <= self.u + 1 or event.get("pu") == self.u
        self.gaps += not follows
        self.begun, self.u = True, event["u"]
        self.applied += 1
        for side, rows in ((self.bids, event["b"]), (self.asks, event["a"])):
            for price, size in rows:
                if Decimal(size) == 0:
                    side.pop(Decimal(price), None)
                else:
                    side[Decimal(price)] = Decimal(size)


async def subscribe(socket: aiohttp.ClientWebSocketResponse, *names: str) -> Any:
    """Ask for streams and give the venue's answer, which comes before the first push."""
    await socket.send_json({"method": "SUBSCRIBE", "params": list(names), "id": 7})
    return await socket.receive_json(timeout=5)


async def drain(socket: aiohttp.ClientWebSocketResponse) -> list[dict[str, Any]]:
    """Everything that has been sent before now: a question is answered after it."""
    await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 987})
    found: list[dict[str, Any]] = []
    while True:
        frame = json.loads(await socket.receive_str(timeout=5))
        if frame.get("id") == 987:
            return found
        found.append(frame)
