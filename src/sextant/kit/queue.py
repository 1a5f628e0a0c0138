"""Work that is run once by one of many processes: pgqueuer on PostgreSQL, the same code in memory elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.inmemory import InMemoryDriver, InMemoryQueries
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import PgqException, RetryRequested
from pgqueuer.domain.models import Job
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sextant.kit import log
from sextant.kit.db import connect
from sextant.kit.db_faults import BACKOFF, LOST
from sextant.kit.ids import new_fraction

SCHEMA: Final = "jobs"  # a schema of its own: the tables of pgqueuer are not ours to migrate
CHANNEL: Final = "sextant_jobs"
NAME: Final = "scan"
DEQUEUE_S: Final = 1.0  # a worker looks this often even without a notice
HEARTBEAT_S: Final = 2.0  # work of a process that was silent for this long is given to another
AGAIN_S: Final = 0.5  # work that somebody else still holds is asked for again after this
KEPT: Final = timedelta(days=1)  # how long the queue remembers what is done
TIDY_S: Final = 600.0

Handler = Callable[[str], Awaitable[bool]]
"""Runs the work of an id; false where it must be asked for again because somebody else holds it."""

_LOG: Final = log.get("queue")


def install_script() -> str:
    """The statements that make the tables of the queue on PostgreSQL."""
    return QueryBuilderEnvironment(_settings()).build_install_query()


def uninstall_script() -> str:
    """The statements that remove the queue with all that waits in it."""
    return f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"


class WorkQueue:
    """Ids of work, each given to one of the processes that serve the queue.

    Parameters
    ----------
    db
        An engine of ``kit.db``. On PostgreSQL the queue lives in the database; elsewhere it lives in this
        process, which asks for unfinished work again when it starts.
    name
        The kind of work: processes take only that of the kinds they serve.
    """

    def __init__(self, db: AsyncEngine, name: str = NAME) -> None:
        self._db = db
        self._name = name
        self._memory = None if db.dialect.name == "postgresql" else _in_memory()

    async def put(self, connection: AsyncConnection, work_id: str) -> None:
        """Add work in the caller's transaction: it is there exactly if the transaction is committed."""
        if self._memory is None:
            raw: Any = await connection.get_raw_connection()
            queries = _queries(AsyncpgDriver(raw.driver_connection))
            await queries.enqueue(self._name, work_id.encode(), dedupe_key=work_id, on_conflict="skip")

    async def committed(self, work_id: str) -> None:
        """Take note that the transaction of ``put`` was committed."""
        if self._memory is not None:
            await self._memory.enqueue(self._name, work_id.encode(), dedupe_key=work_id, on_conflict="skip")

    async def again(self, work_id: str) -> None:
        """Ask for work that was lost; what still waits or runs is not doubled."""
        if self._memory is None:
            async with self._db.begin() as connection:
                await connection.exec_driver_sql(
                    "SELECT 1"
                )  # the driver's own statements begin no transaction
                await self.put(connection, work_id)
        await self.committed(work_id)

    async def serve(self, handle: Handler, places: int, stopping: asyncio.Event) -> None:
        """Run work until told to stop, at most ``places`` at a time; what was begun is waited for.

        Parameters
        ----------
        stopping
            Ends the service. Being cancelled sets it too, so that running work can let go.
        """
        failures = 0
        while not stopping.is_set():
            attempt = asyncio.ensure_future(self._serve_once(handle, places, stopping))
            try:
                await asyncio.shield(attempt)
                failures = 0
            except asyncio.CancelledError:
                stopping.set()
                await asyncio.wait({attempt})
                raise
            except (*LOST, PgqException) as error:
                _LOG.warning("queue.lost", error=type(error).__name__)
                await _pause(stopping, BACKOFF.wait_s(failures, new_fraction))
                failures += 1

    async def _serve_once(self, handle: Handler, places: int, stopping: asyncio.Event) -> None:
        async def run(job: Job) -> None:
            if not await handle((job.payload or b"").decode()):
                raise RetryRequested(timedelta(seconds=AGAIN_S), "held")

        async with self._opened() as queries:
            server = QueueManager(queries, Channel(CHANNEL))
            server.entrypoint(self._name)(run)
            ending = asyncio.ensure_future(_ended(stopping, server))
            tidying = asyncio.ensure_future(self._tidy(queries))
            try:
                await server.run(
                    dequeue_timeout=timedelta(seconds=DEQUEUE_S),
                    heartbeat_timeout=timedelta(seconds=HEARTBEAT_S),
                    batch_size=1,
                    max_concurrent_tasks=max(2, places),
                    shutdown_on_listener_failure=True,
                    log_aggregation_interval=timedelta(0),
                )
            finally:
                for task in (ending, tidying):
                    task.cancel()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Queries | InMemoryQueries]:
        """The queries of the queue, on a connection of their own where there is a database."""
        if self._memory is not None:
            self._memory.driver = InMemoryDriver()  # listeners of an earlier service are gone with it
            yield self._memory
            return
        connection = await connect(self._db)
        try:
            yield _queries(AsyncpgDriver(connection))
        finally:
            connection.terminate()

    async def _tidy(self, queries: Queries | InMemoryQueries) -> None:
        """Forget what was done long ago."""
        while True:
            if isinstance(queries, InMemoryQueries):
                await queries.clear_queue_log()
            else:
                done = f"DELETE FROM {SCHEMA}.pgqueuer_log WHERE created < now() - $1::interval"  # noqa: S608  # constants
                await queries.driver.execute(done, KEPT)
            await asyncio.sleep(TIDY_S)


def _settings() -> DBSettings:
    return DBSettings(prefix="", db_schema=SCHEMA, channel=Channel(CHANNEL))


def _queries(driver: AsyncpgDriver) -> Queries:
    settings = _settings()
    return Queries(
        driver,
        QueryBuilderEnvironment(settings),
        QueryQueueBuilder(settings),
        QuerySchedulerBuilder(settings),
    )


def _in_memory() -> InMemoryQueries:
    settings = _settings()
    return InMemoryQueries(
        InMemoryDriver(),
        QueryBuilderEnvironment(settings),
        QueryQueueBuilder(settings),
        QuerySchedulerBuilder(settings),
    )


async def _ended(stopping: asyncio.Event, server: QueueManager) -> None:
    await stopping.wait()
    server.shutdown.set()


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    await asyncio.wait({waiting := asyncio.ensure_future(stopping.wait())}, timeout=seconds)
    waiting.cancel()
