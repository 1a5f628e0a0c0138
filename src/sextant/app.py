"""Builds and wires every long-lived object; the only such place."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import uvicorn
from litestar.types import ASGIApp
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.api.connections import BoundedProtocol
from sextant.api.server import Rooms, create
from sextant.config import Config
from sextant.errors import ConfigError, SextantError
from sextant.evidence.events import EventTable
from sextant.evidence.store import EvidenceArchive
from sextant.kit import log
from sextant.kit.bus import Bus
from sextant.kit.clock import Clock
from sextant.kit.conditions import Conditions
from sextant.kit.db import migrate, open_engine
from sextant.kit.db_faults import BACKOFF, passing_or_full
from sextant.kit.db_timing import pool_use, telling, time_statements
from sextant.kit.health import Health, LoopLag, Probe, database_probe, disk_probe, in_process
from sextant.kit.ids import new_fraction
from sextant.kit.loop_errors import tell_loop_errors
from sextant.kit.metrics import Gauge, Metrics
from sextant.kit.notices import Notices
from sextant.kit.precedence import Precedence
from sextant.kit.shared_limits import SharedLimits
from sextant.kit.traces import open_traces
from sextant.kit.watchdog import Watchdog
from sextant.market.state import MarketState
from sextant.model.view import Feed
from sextant.monitoring.gauges import add_gauges
from sextant.monitoring.incidents import Incidents
from sextant.monitoring.machine import Machine
from sextant.monitoring.store import IncidentRows
from sextant.monitoring.streams import add_stream_gauges
from sextant.monitoring.watch import Watch
from sextant.scans.archive import ViewArchive, ViewKeeper
from sextant.scans.diagnostics import ScanDiagnostics
from sextant.scans.following import Follower, LiveIdeas
from sextant.scans.keeper import Archive
from sextant.scans.ledger import Ledger, open_ledger
from sextant.scans.lifecycle import Offer, Origin, Scans
from sextant.scans.recovery import Recovery
from sextant.scans.replaying import Replayer
from sextant.scans.roster import SIGN_S, Listing, Roster, Signature
from sextant.scans.scoring import Aside, Scoring
from sextant.scans.signals import CHANNEL
from sextant.scans.source import KEEP_ROWS, MarketSource
from sextant.scans.store import ScanRows
from sextant.scans.strategy_runs import StrategyRuns
from sextant.scans.stream_ages import StreamAges
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

BOOT_PAUSE_S: Final = 0.5  # faults.md D1: a database that comes back is found within 5 s

Task = Callable[[], Coroutine[Any, Any, None]]

_LOG: Final = log.get("app")


@dataclass(frozen=True)
class Base:
    """What every process has, whatever it does: the database and the books of scans in it.

    Parameters
    ----------
    replica
        Reads of reports go here; the database itself where no replica is configured.
    bus
        The shared store, where one is configured; it may be away at any time.
    """

    config: Config
    clock: Clock
    db: AsyncEngine
    replica: AsyncEngine
    ledger: Ledger
    recovery: Recovery
    metrics: Metrics
    conditions: Conditions
    bus: Bus | None = None

    async def prepare(self) -> None:
        """Bring the schema to this release and ask for scans that wait; a database that is away is waited for."""
        failures = 0
        while True:
            try:
                await migrate(self.db)
                waiting = await self.recovery.resume()
            except (SQLAlchemyError, OSError) as error:
                if not passing_or_full(error):
                    raise
                if not failures:
                    _LOG.warning("database.awaited", error=type(error).__name__)
                await self.clock.sleep(max(BOOT_PAUSE_S, BACKOFF.wait_s(failures, new_fraction)))
                failures += 1
            else:
                if waiting:
                    _LOG.warning("scans.resumed", count=waiting)
                return

    def tasks(self) -> list[Task]:
        """What runs beside everything else until the end."""
        tasks: list[Task] = [self.recovery.watch, Watchdog(self.clock).watch]
        if self.db.dialect.name == "postgresql":
            signals = self.ledger.signals
            notices = Notices(self.db, self.clock, CHANNEL)
            tasks.append(lambda: notices.hear(signals.hear, signals.hear_all))
        return tasks


@dataclass(frozen=True)
class Runner:
    """What runs scans: a market of its own and the worker that reads it."""

    worker: ScanWorker
    source: MarketSource
    origin: Origin
    roster: Roster | None
    after: tuple[Task, ...]

    def tasks(self, clock: Clock) -> list[Task]:
        """The worker, what becomes of its scans, and its signature where others go by it."""
        signing: list[Task] = [] if self.roster is None else [lambda: self._sign(clock)]
        return [self.worker.serve, *self.after, *signing]

    async def _sign(self, clock: Clock) -> None:
        """Say again and again that this process is there and what it knows."""
        while self.roster is not None:
            signature = Signature(
                worker_id=self.worker.name,
                feed=self.origin.feed,
                simulated=self.origin.simulated,
                code_version=self.origin.code_version,
                instruments=self.source.instruments(),
            )
            try:
                await self.roster.sign(signature)
            except (SQLAlchemyError, OSError) as error:
                _LOG.warning("roster.not_signed", error=type(error).__name__)
            await clock.sleep(SIGN_S)


@dataclass(frozen=True)
class Server:
    """Everything a process that answers requests is made of; ``runner`` is None where it runs no scans."""

    base: Base
    rooms: Rooms
    runner: Runner | None
    further: tuple[Task, ...] = ()

    @property
    def db(self) -> AsyncEngine:
        """The database."""
        return self.base.db

    @property
    def source(self) -> MarketSource:
        """The market of a process that runs scans."""
        if self.runner is None:
            raise AssertionError("this process has no market of its own")
        return self.runner.source

    @property
    def precedence(self) -> Precedence:
        """What goes before work that nobody waits for, in a process that runs scans."""
        if self.runner is None:
            raise AssertionError("this process runs no scans")
        return self.runner.worker.precedence

    def tasks(self) -> list[Task]:
        """What runs until the end."""
        running = [] if self.runner is None else self.runner.tasks(self.base.clock)
        return [self.rooms.lag.watch, self.rooms.watch.run, *self.base.tasks(), *running, *self.further]


@asynccontextmanager
async def based(config: Config, clock: Clock) -> AsyncIterator[Base]:
    """The database of a process, its schema at this release if it can be reached now; closed at the end."""
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    traces = open_traces(config.traces_url, clock)
    metrics = Metrics(clock, traces)
    db = open_engine(config.database_url)
    replica = db if config.replica_url is None else open_engine(config.replica_url)
    bus = None if config.redis_url is None else _counted(Bus(config.redis_url, clock), metrics)
    try:
        for one in {db, replica}:
            time_statements(one, clock, telling(metrics.queried))
        ledger = open_ledger(db)
        recovery = Recovery(ledger, clock)
        yield Base(config, clock, db, replica, ledger, recovery, metrics, Conditions(clock), bus)
    finally:
        if bus is not None:
            await bus.close()
        await db.dispose()
        await replica.dispose()
        await asyncio.to_thread(traces.close)


def _counted(bus: Bus, metrics: Metrics) -> Bus:
    """The shared store, whose calls are told by how they ended."""

    def read() -> list[tuple[tuple[str], float]]:
        return [((end,), float(count)) for end, count in sorted(bus.counts.items())]

    metrics.gauge(
        Gauge("sextant_store_calls", "Calls to the shared store, by how they ended.", ("outcome",), read)
    )
    return bus


@asynccontextmanager
async def assemble(
    config: Config, clock: Clock, feed: Feed, code_version: str, *, simulated: bool
) -> AsyncIterator[Server]:
    """A server that answers and runs scans; closed at the end.

    A file is migrated at once. PostgreSQL may be away: ``serve`` waits for it and says meanwhile that it boots.
    """
    async with based(config, clock) as base:
        if base.db.dialect.name != "postgresql":
            await base.prepare()
        runner = run_scans(base, Origin(feed, simulated, code_version))
        rooms = _rooms(base, runner.worker, lambda: runner.origin, runner.source.probe)
        source = runner.source
        scoring = Scoring(
            source.sight, clock, Aside(source.glance, base.conditions, runner.worker.precedence)
        )
        rooms.health.add("scores", scoring.probe)
        ages = StreamAges(source, clock)
        add_stream_gauges(base.metrics, lambda: ages.sums()[1])
        rooms = replace(rooms, scoring=scoring, streams=ages, board=runner.worker.keeper.board)
        yield Server(base, rooms, runner, (scoring.serve,))


@asynccontextmanager
async def assemble_api(config: Config, clock: Clock, code_version: str) -> AsyncIterator[Server]:
    """A server that answers from the database alone; scans are run by other processes. It begins without it too."""
    async with based(config, clock) as base:
        listing = Listing(Roster(base.db), clock, strategies())

        def origin() -> Origin:
            newest = listing.newest
            if newest is None:
                return Origin("live", simulated=False, code_version=code_version)
            return Origin(newest.feed, newest.simulated, code_version)

        rooms = _rooms(base, listing, origin, listing.probe)
        yield Server(base, rooms, None, (listing.watch,))


def run_scans(base: Base, origin: Origin) -> Runner:
    """What a process needs to run scans; its market is empty until a feed teaches its source."""
    state = MarketState(origin.feed, simulated=origin.simulated, keep_rows=KEEP_ROWS)
    source = MarketSource(state, base.clock, CostAssumptions())
    worker = ScanWorker(
        base.ledger, base.clock, strategies(), source.read, _archive(base.db, base.conditions)
    )
    worker.observer = base.metrics
    views = ViewKeeper(_views(base), base.clock, base.conditions)
    worker.seen = views.offer
    follower = Follower(LiveIdeas(base.db), base.clock, strategies(), source.read, base.conditions)
    shared = base.db.dialect.name == "postgresql"
    after = (views.serve, follower.serve)
    return Runner(worker, source, origin, Roster(base.db) if shared else None, after)


def _views(base: Base) -> ViewArchive:
    """What scans of this machine saw."""
    return ViewArchive(base.config.data_dir / "views")


def _rooms(base: Base, offer: Offer, origin: Callable[[], Origin], feeds: Probe) -> Rooms:
    db, clock, ledger = base.db, base.clock, base.ledger
    key = load_key(base.config.token_key, base.config.data_dir)
    lag = LoopLag(clock)
    probes = {
        "database": database_probe(db),
        "shared_store": in_process if base.bus is None else base.bus.probe,
        "disk": disk_probe(base.config.data_dir),
        "loop": lag.probe,
        "feeds": feeds,
    }
    health, diagnostics = (
        Health(clock, probes),
        ScanDiagnostics(ledger.rows, ledger.details, clock, ScanRows(base.replica)),
    )
    incidents = Incidents(IncidentRows(db), clock)
    watch = Watch(base.metrics, (health, lag), Machine(base.config.data_dir), incidents, clock)
    watch.attach(still_scans=diagnostics.still_s)
    add_gauges(base.metrics, watch, lag, clock, lambda: pool_use(db))
    return Rooms(
        clock=clock,
        users=Users(db, clock),
        sessions=Sessions(db, clock, key),
        keys=ApiKeys(db, clock),
        trail=AuditTrail(db, clock),
        key=key,
        health=health,
        lag=lag,
        metrics=base.metrics,
        watch=watch,
        origin=origin,
        scans=Scans(ledger, offer, clock, origin),
        runs=StrategyRuns(base.replica),
        replayer=Replayer(ledger, _views(base), strategies(), clock, origin().code_version),
        diagnostics=diagnostics,
        cors_origins=base.config.cors_origins,
        processes=base.config.api_processes,
        limits=None if base.bus is None else SharedLimits(base.bus),
    )


def _archive(db: AsyncEngine, conditions: Conditions) -> Archive:
    """An archive of past events in the database; without the database the past is what the bars show."""
    kept_events = EvidenceArchive(db, asyncio.to_thread)

    async def archive(table: EventTable) -> EventTable:
        kept, refused = table, {}
        try:
            kept = await kept_events.keep(table)
        except SQLAlchemyError as error:
            refused = {"error": type(error).__name__}
        conditions.note("evidence_not_kept", table.strategy_id, holds=bool(refused), at_once=True, **refused)
        return kept

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


def http_settings(application: ASGIApp) -> uvicorn.Config:
    """How the application is served: bounded heads, no upgrades, no names of ours in headers."""
    return uvicorn.Config(
        application,
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_S,
    )


async def serve(
    server: Server,
    bound: socket.socket,
    feeds: Sequence[Task],
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
    settings = http_settings(create(server.rooms))
    listening = asyncio.Event()
    http = _Http(settings, listening.set)
    tell_loop_errors(asyncio.get_running_loop())

    def stop() -> None:
        server.rooms.health.stage = "draining"
        server.rooms.closing.set()  # streams say goodbye now; the server waits for them
        if server.runner is not None:
            server.runner.worker.stop()
        http.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)

    async def begin() -> None:
        """Everything else begins once the server listens: until the database is there it says that it boots."""
        await listening.wait()
        await server.base.prepare()
        server.rooms.health.stage = "serving"
        ready()
        async with asyncio.TaskGroup() as tasks:
            for task in (*server.tasks(), *feeds):
                tasks.create_task(task())

    with _plainly():
        async with asyncio.TaskGroup() as group:
            beside = group.create_task(begin())
            try:
                await http.serve(sockets=[bound])
            finally:
                server.rooms.health.stage = "draining"
                server.rooms.closing.set()
                beside.cancel()


async def work(base: Base, runner: Runner, feeds: Sequence[Task], ready: Callable[[], None]) -> None:
    """Run scans until the process is asked to stop; those that run have some seconds to end."""
    stopping = asyncio.Event()
    tell_loop_errors(asyncio.get_running_loop())

    def stop() -> None:
        stopping.set()
        runner.worker.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    with _plainly():
        async with asyncio.TaskGroup() as group:
            booting = group.create_task(base.prepare())
            waiting = group.create_task(stopping.wait())
            await asyncio.wait({booting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not booting.done():
                booting.cancel()
                return
            ready()
            serving, *beside = runner.tasks(base.clock)
            others = [group.create_task(task()) for task in (*beside, *base.tasks(), *feeds)]
            try:
                await serving()
            finally:
                for task in others:
                    task.cancel()


@contextmanager
def _plainly() -> Iterator[None]:
    """Raise the failure of a group of tasks as itself where it has a name; whoever started us shows its words."""
    try:
        yield
    except BaseExceptionGroup as failures:
        failure: BaseException = failures
        while isinstance(failure, BaseExceptionGroup):
            failure = failure.exceptions[0]
        if isinstance(failure, SextantError):
            raise failure from None
        raise


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
