"""Questions to a venue's REST interface, straight or through its broker under one priority."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from sextant.kit.clock import Clock, Deadline
from sextant.kit.http import Answer, RestClient
from sextant.kit.silences import Silences
from sextant.venues.broker import Broker, Call, Priority
from sextant.venues.port import Venue
from sextant.venues.shared_budgets import SharedBudgets

SILENCES: Final = "silences.json"
"""The file, in the folder of a program's data, in which bans are kept."""


def broker_of(venue: Venue, clock: Clock, folder: Path, shared: SharedBudgets | None = None) -> Broker | None:
    """The broker of a venue, None without a policy.

    Parameters
    ----------
    folder
        Where bans lie; they hold for all processes that name it.
    shared
        Where budgets are spent together with other processes.
    """
    policy = venue.variations.policy
    if policy is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    broker = Broker(policy, clock, Silences(folder / SILENCES, clock))
    broker.share(shared)
    return broker


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
