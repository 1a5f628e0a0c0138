"""The API of a test: the real application on a real database, called over ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.api.origin import Origin
from sextant.api.server import Edge, Rooms
from sextant.errors import NotFound
from sextant.kit.clock import ManualClock
from sextant.kit.health import Health, LoopLag, database_probe, in_process
from sextant.kit.metrics import Metrics
from sextant.vault.records import Role, User
from support.people import HERE, KEY, PASSWORD, START_NS, People, people

ADDRESS: Final = "203.0.113.9"
ORIGIN: Final = Origin("demo", True, "0.1.0+test")


@dataclass(frozen=True)
class Api:
    """The application of a test with who may ask it."""

    edge: Edge
    app: Litestar
    vault: People
    client: httpx.AsyncClient
    rooms: Rooms

    @property
    def clock(self) -> ManualClock:
        """The clock of all rooms."""
        return self.vault.clock

    async def session(
        self, email: str = "ada@example.org", role: Role = "trader"
    ) -> tuple[User, dict[str, str]]:
        """A person with a session, and the header that shows it."""
        try:
            user = await self.vault.users.by_email(email)
        except NotFound:
            user = await self.vault.settled(email, role)
        tokens = await self.vault.sessions.login(email, PASSWORD, HERE)
        return user, {"Authorization": f"Bearer {tokens.access_token}"}

    def from_address(self, address: str) -> httpx.AsyncClient:
        """A client at another network address."""
        return client_of(self.app, address)


def client_of(app: Any, address: str = ADDRESS) -> httpx.AsyncClient:
    """A client that calls the application from an address."""
    transport = httpx.ASGITransport(app=app, client=(address, 50_000), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://sextant.test")


@asynccontextmanager
async def api_on(db: AsyncEngine, **extra: Any) -> AsyncIterator[Api]:
    """The application on a migrated database."""
    vault = people(db, ManualClock(START_NS))
    health = Health(vault.clock, {"database": database_probe(db), "shared_store": in_process})
    health.stage = "serving"
    rooms = Rooms(
        clock=vault.clock,
        users=vault.users,
        sessions=vault.sessions,
        keys=vault.keys,
        key=KEY,
        health=health,
        lag=LoopLag(vault.clock),
        metrics=Metrics(),
        origin=lambda: ORIGIN,
        **extra,
    )
    edge = Edge(rooms)
    app = edge.application()
    async with client_of(app) as client:
        yield Api(edge, app, vault, client, rooms)
