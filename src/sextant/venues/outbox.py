"""What a connection still has to say to a venue that counts the messages of an address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from sextant.kit.rate_limit import CallBudget

MOST: Final = 1_000  # messages that wait; whoever has more to say begins anew, with one subscription for all


class Speaks(Protocol):
    """The end of a connection that messages are given to."""

    def send(self, message: bytes) -> None:
        """Send one message."""
        ...

    def abort(self) -> None:
        """End the connection at once."""
        ...


class Outbox:
    """Messages of one connection, in order and no faster than the budget that all connections of the venue share.

    Parameters
    ----------
    connection
        Sends them.
    budget
        Of the venue's messages; None where it does not count them.

    Notes
    -----
    The first message passes at once: it is paid for before the connection is opened, because a venue may cut a
    connection that says nothing for a few seconds.
    """

    def __init__(self, connection: Speaks, budget: CallBudget | None) -> None:
        self._connection = connection
        self._budget = budget
        self._paid = True
        self._waiting: asyncio.Queue[tuple[bytes, Callable[[], None]]] = asyncio.Queue(MOST)

    def put(self, message: bytes, sent: Callable[[], None] = lambda: None) -> None:
        """Send a message now, or when its turn comes; ``sent`` is called once it is on its way."""
        if self._budget is None or self._paid:
            self._paid = False
            self._connection.send(message)
            sent()
        elif self._waiting.full():
            self._connection.abort()
        else:
            self._waiting.put_nowait((message, sent))

    async def run(self) -> None:
        """Send what waits until cancelled."""
        while True:
            message, sent = await self._waiting.get()
            if self._budget is not None:
                await self._budget.spend()
            self._connection.send(message)
            sent()
