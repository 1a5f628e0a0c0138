"""Questions to a venue's REST interface, straight or through its broker under one priority."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sextant.kit.clock import Deadline
from sextant.kit.http import Answer, RestClient
from sextant.venues.broker import Broker, Call, Priority


class Asks(Protocol):
    """Whoever brings answers: a client, or one that keeps the venue's budgets before it asks."""

    async def get(self, path: str, query: Sequence[tuple[str, str]], deadline: Deadline) -> Answer:
        """The whole answer to a read; raises ``VenueError``."""
        ...

    async def post(self, path: str, deadline: Deadline) -> Answer:
        """The whole answer to a question that is posted; raises ``VenueError``."""
        ...


class Asking:
    """Asks through a broker.

    Parameters
    ----------
    broker
        Keeps the budgets.
    client
        Asks, once it may.
    priority
        Of all questions asked here.

    Notes
    -----
    A client repeats a read that failed at most twice; the venue's own count, which its headers tell, covers what
    the broker did not see.
    """

    def __init__(self, broker: Broker, client: RestClient, priority: Priority) -> None:
        self._broker = broker
        self._client = client
        self._priority: Priority = priority

    async def get(self, path: str, query: Sequence[tuple[str, str]], deadline: Deadline) -> Answer:
        """The whole answer to a read, as :meth:`RestClient.get`, within the budgets as :meth:`Broker.run`."""
        call = Call(path, self._priority)
        return await self._broker.run(call, deadline, lambda: self._client.get(path, query, deadline))

    async def post(self, path: str, deadline: Deadline) -> Answer:
        """The whole answer to a question that is posted, within the budgets."""
        call = Call(path, self._priority)
        return await self._broker.run(call, deadline, lambda: self._client.post(path, deadline))
