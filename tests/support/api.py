"""The API of a test: the real application on a real database, called over ASGI."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.api.hot_door import HotDoor
from sextant.api.server import Edge, Rooms
from sextant.confluence.market_wide import Held
from sextant.confluence.scorer import evaluate
from sextant.errors import NotFound
from sextant.kit.clock import ManualClock
from sextant.kit.db_timing import pool_use, time_statements
from sextant.kit.health import Health, LoopLag, database_probe, in_process
from sextant.kit.metrics import Metrics
from sextant.market.state import MarketState
from sextant.model.events import QuoteUpdate, StreamDown
from sextant.model.times import MINUTE_NS
from sextant.monitoring.gauges import add_gauges
from sextant.monitoring.incidents import Incidents
from sextant.monitoring.machine import Machine
from sextant.monitoring.store import IncidentRows
from sextant.monitoring.watch import Watch
from sextant.scans.archive import ViewArchive
from sextant.scans.beside import Sight
from sextant.scans.details import ScanDetails
from sextant.scans.diagnostics import ScanDiagnostics
from sextant.scans.ledger import open_ledger
from sextant.scans.lifecycle import Origin, Scans
from sextant.scans.overview import overview
from sextant.scans.replaying import Replayer
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.scans.scoring import Scored, Scoring
from sextant.scans.source import MarketSource
from sextant.scans.store import ScanRows
from sextant.scans.strategy_runs import StrategyRuns
from sextant.scans.stream_ages import StreamAges
from sextant.scans.worker import ScanWorker
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from sextant.vault.audit import AuditTrail
from sextant.vault.records import Role, User
from support.indicators import walk
from support.market import delta, instrument, listed, snapshot
from support.markets import momentum_market
from support.minutes import perpetuals, view_of
from support.people import HERE, KEY, PASSWORD, START_NS, People, people

HERE_FOLDER: Final = Path(__file__).parent
ADDRESS: Final = "203.0.113.9"
SCORED_ROWS: Final = 420
ORIGIN: Final = Origin("demo", True, "0.1.0+test")
NO_VIEWS: Final = Path("no-folder-of-views")


@dataclass(frozen=True)
class Api:
    """The application of a test with who may ask it."""

    edge: Edge
    app: HotDoor
    vault: People
    client: httpx.AsyncClient
    rooms: Rooms
    rows: ScanRows
    details: ScanDetails

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

    async def onboarded(
        self, email: str = "ada@example.org", role: Role = "trader"
    ) -> tuple[User, dict[str, str]]:
        """A person with a session to whom every strategy is granted."""
        user, bearer = await self.session(email, role)
        await self.vault.users.grant(user.user_id, list(strategies()), by="test")
        return user, bearer

    async def discover(self, bearer: dict[str, str], **filters: Any) -> str:
        """The id of a scan that was just accepted."""
        answer = await self.client.post("/api/v1/opportunities/discover", json=filters, headers=bearer)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["scan_id"])

    async def ended(self, user: User, scan_id: str) -> None:
        """Wait until a scan has ended."""
        async with asyncio.timeout(30):
            async for _ in await self.rooms.scans.events(user.user_id, scan_id, 0):
                pass

    def from_address(self, address: str) -> httpx.AsyncClient:
        """A client at another network address."""
        return client_of(self.app, address)


def filled(path: str, **given: str) -> str:
    """A path with its parameters replaced: given ones, else ids that nobody has."""
    unknown = {
        "key_id": "key_" + "0" * 32,
        "scan_id": "scan_" + "0" * 32,
        "opportunity_id": "opp_" + "0" * 32,
        "instrument": "nowhere:NONE-USDT:spot",
        "strategy_id": "no_such_strategy",
        "user_id": "00000000-0000-4000-8000-000000000000",
    }
    return path.format(**unknown | given)


def client_of(app: Any, address: str = ADDRESS) -> httpx.AsyncClient:
    """A client that calls the application from an address."""
    transport = httpx.ASGITransport(app=app, client=(address, 50_000), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://sextant.test")


@functools.cache
def market() -> MarketPart:
    """A market in which momentum finds something; made once, read by all."""
    view = replace(momentum_market(), feed="demo", simulated=True)
    return MarketPart(view, CostAssumptions(), EvidenceShelf())


@functools.cache
def scored_market() -> MarketPart:
    """Minutes of a dozen perpetuals that ended a second before the tests begin; made once, read by all."""
    first = START_NS // MINUTE_NS - SCORED_ROWS
    view = view_of(walk(SCORED_ROWS, 12, 3), perpetuals(12), first)
    return MarketPart(
        replace(view, as_of_ns=START_NS, feed="demo", simulated=True), CostAssumptions(), EvidenceShelf()
    )


@functools.cache
def scored() -> Scored:
    """The scores of that market; computed once, as the loop of a server does each minute."""
    view = scored_market().view
    found = evaluate(view)
    return Scored(found, view.feed, view.simulated, overview(view, found, Held("unknown", 0)))


def streams(clock: ManualClock) -> StreamAges:
    """One instrument whose quote is live, whose book lost a message, and whose trades ended."""
    source = MarketSource(MarketState("demo", simulated=True), clock, CostAssumptions())
    now, btc = clock.now_ns(), instrument("BTC")
    source.learn(
        [
            listed("BTC"),
            QuoteUpdate(btc, now, now, bid=99.5, ask=100.5),
            snapshot(1, [(99.5, 1.0)], [(100.5, 1.0)], event_ns=now),
            delta(3, event_ns=now),
            StreamDown((btc,), ("trades",), now, now, "closed_1006"),
        ]
    )
    return StreamAges(source, clock)


@asynccontextmanager
async def api_on(
    db: AsyncEngine,
    *,
    working: bool = False,
    shown: Callable[[], MarketPart] = market,
    views: Path = NO_VIEWS,
    **extra: Any,
) -> AsyncIterator[Api]:
    """The application on a migrated database; accepted scans are run over what is shown if it is working."""
    vault = people(db, ManualClock(START_NS))
    ledger = open_ledger(db)
    rows, details = ledger.rows, ledger.details
    worker = ScanWorker(ledger, vault.clock, strategies(), shown)
    scoring = Scoring(lambda: Sight(scored_market().view), vault.clock)
    scoring._kept.append(scored())
    health = Health(vault.clock, {"database": database_probe(db), "shared_store": in_process})
    health.stage = "serving"
    metrics, lag = Metrics(vault.clock), LoopLag(vault.clock)
    time_statements(db, vault.clock, metrics.queried)
    worker.observer = metrics
    incidents = Incidents(IncidentRows(db), vault.clock)
    watch = Watch(metrics, (health, lag), Machine(HERE_FOLDER, HERE_FOLDER / "none"), incidents, vault.clock)
    diagnostics = ScanDiagnostics(rows, details, vault.clock)
    watch.attach(still_scans=diagnostics.still_s)
    add_gauges(metrics, watch, lag, vault.clock, lambda: pool_use(db))
    rooms = Rooms(
        clock=vault.clock,
        users=vault.users,
        sessions=vault.sessions,
        keys=vault.keys,
        trail=AuditTrail(db, vault.clock),
        key=KEY,
        health=health,
        lag=lag,
        metrics=metrics,
        watch=watch,
        origin=lambda: ORIGIN,
        scans=Scans(ledger, worker, vault.clock, lambda: ORIGIN),
        runs=StrategyRuns(db),
        board=worker.keeper.board,
        replayer=Replayer(ledger, ViewArchive(views), strategies(), vault.clock, ORIGIN.code_version),
        diagnostics=diagnostics,
        scoring=scoring,
        **{"streams": streams(vault.clock), **extra},
    )
    edge = Edge(rooms)
    app = edge.application()
    serving = asyncio.create_task(worker.serve()) if working else None
    try:
        async with client_of(app) as client:
            yield Api(edge, app, vault, client, rooms, rows, details)
    finally:
        if serving is not None:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
