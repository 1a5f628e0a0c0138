"""Builds and wires every long-lived object; the only such place."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.api.server import Rooms, create
from sextant.config import Config
from sextant.errors import ConfigError
from sextant.evidence.events import EventTable
from sextant.evidence.store import keep
from sextant.kit import log
from sextant.kit.clock import Clock
from sextant.kit.db import migrate, open_engine
from sextant.kit.db_timing import pool_use, time_statements
from sextant.kit.health import Health, LoopLag, database_probe, disk_probe, in_process
from sextant.kit.metrics import Metrics
from sextant.market.state import MarketState
from sextant.model.view import Feed
from sextant.monitoring.gauges import add_gauges
from sextant.monitoring.incidents import Incidents
from sextant.monitoring.machine import Machine
from sextant.monitoring.store import IncidentRows
from sextant.monitoring.watch import Watch
from sextant.scans.diagnostics import ScanDiagnostics
from sextant.scans.keeper import Archive
from sextant.scans.ledger import open_ledger
from sextant.scans.lifecycle import Origin, Scans
from sextant.scans.recovery import Recovery
from sextant.scans.source import MarketSource
from sextant.scans.worker import ScanWorker
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from sextant.vault.audit import AuditTrail
from sextant.vault.keys import ApiKeys
from sextant.vault.sessions import Sessions
from sextant.vault.signing import load_key
from sextant.vault.users import Users

DRAIN_S: Final = 10  # faults.md P2: a stopping server has this long to finish what it began
BACKLOG: Final = 1024  # connections the kernel keeps while the loop is busy

_LOG: Final = log.get("app")


@dataclass(frozen=True)
class Server:
    """Everything a running server is made of."""

    rooms: Rooms
    db: AsyncEngine
    worker: ScanWorker
    recovery: Recovery
    source: MarketSource


@asynccontextmanager
async def assemble(
    config: Config, clock: Clock, feed: Feed, code_version: str, *, simulated: bool
) -> AsyncIterator[Server]:
    """A server with its database migrated and the scans of a lost process ended; closed at the end."""
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = open_engine(config.database_url)
    try:
        await migrate(db)
        key = load_key(config.token_key, config.data_dir)
        ledger = open_ledger(db)
        source = MarketSource(MarketState(feed, simulated=simulated), clock, CostAssumptions())
        worker = ScanWorker(ledger, clock, strategies(), source.read, _archive(db))
        recovery = Recovery(ledger, clock)
        diagnostics = ScanDiagnostics(ledger.rows, ledger.details, clock)
        waiting = await recovery.resume()
        if waiting:
            _LOG.warning("scans.resumed", count=waiting)
        lag = LoopLag(clock)
        probes = {
            "database": database_probe(db),
            "shared_store": in_process,
            "disk": disk_probe(config.data_dir),
            "loop": lag.probe,
            "feeds": source.probe,
        }
        metrics, health = Metrics(clock), Health(clock, probes)
        time_statements(db, clock, metrics.queried)
        worker.observer = metrics
        incidents = Incidents(IncidentRows(db), clock)
        watch = Watch(metrics, (health, lag), Machine(config.data_dir), incidents, clock)
        watch.attach(still_scans=diagnostics.still_s)
        add_gauges(metrics, watch, lag, clock, lambda: pool_use(db))
        origin = Origin(feed, simulated, code_version)
        rooms = Rooms(
            clock=clock,
            users=Users(db, clock),
            sessions=Sessions(db, clock, key),
            keys=ApiKeys(db, clock),
            trail=AuditTrail(db, clock),
            key=key,
            health=health,
            lag=lag,
            metrics=metrics,
            watch=watch,
            origin=lambda: origin,
            scans=Scans(ledger, worker, clock, lambda: origin),
            diagnostics=diagnostics,
            cors_origins=config.cors_origins,
        )
        yield Server(rooms, db, worker, recovery, source)
    finally:
        await db.dispose()


def _archive(db: AsyncEngine) -> Archive:
    """An archive of past events in the database; without the database the past is what the bars show."""

    async def archive(table: EventTable) -> EventTable:
        try:
            return await keep(db, table)
        except SQLAlchemyError as error:
            _LOG.warning("evidence.not_kept", strategy=table.strategy_id, error=type(error).__name__)
            return table

    return archive


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a taken port is a word and not a trace.

    Raises
    ------
    ConfigError
        If the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's wait off only for sockets that say TCP; 40 ms an answer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"{host}:{port} cannot be listened on: {error.strerror}; choose another with --port."
        ) from None
    return bound


async def serve(
    server: Server,
    bound: socket.socket,
    feeds: Sequence[Callable[[], Coroutine[Any, Any, None]]],
    ready: Callable[[], None],
) -> None:
    """Serve until the process is asked to stop; then finish what was begun, within ten seconds.

    Parameters
    ----------
    bound
        Where the API listens.
    feeds
        Coroutines that bring events to the source; they run until the end.
    ready
        Called once when the API answers.
    """
    settings = uvicorn.Config(
        create(server.rooms),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_S,
        h11_max_incomplete_event_size=16 * 1024,
    )

    def up() -> None:
        server.rooms.health.stage = "serving"
        ready()

    http = _Http(settings, up)

    def stop() -> None:
        server.rooms.health.stage = "draining"
        server.rooms.closing.set()  # streams say goodbye now; the server waits for them
        http.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(server.worker.serve()), group.create_task(server.rooms.lag.watch())]
        tasks.append(group.create_task(server.recovery.watch()))
        tasks.append(group.create_task(server.rooms.watch.run()))
        tasks += [group.create_task(feed()) for feed in feeds]
        try:
            await http.serve(sockets=[bound])
        finally:
            server.rooms.health.stage = "draining"
            server.rooms.closing.set()
            for task in tasks:
                task.cancel()


class _Http(uvicorn.Server):
    """The HTTP server, ended by a word of ours: a request to stop is a normal end and leaves exit status 0."""

    def __init__(self, settings: uvicorn.Config, up: Callable[[], None]) -> None:
        super().__init__(settings)
        self._up = up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self._up()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to us."""
        yield

    def stop(self) -> None:
        """Finish what was begun and end; asked again, end at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
