"""The database: one metadata, two dialects, bounded pools, migrations under a lock."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
import weakref
from typing import Any, Final

import aiosqlite
import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config as MigrationConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.util import await_only

from sextant.errors import ConfigError

METADATA: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every ``store.py`` declares its tables here; migrations are compared with it."""

POOL_SIZE: Final = 8  # two cores serve eight concurrent queries; more would only queue in the database
POOL_WAIT_S: Final = 1.0  # api.md 4: a request waits at most 1 s for a connection
STATEMENT_S: Final = 2.0  # api.md 4: no statement may run longer
CONNECT_S: Final = 2.0  # a server that does not greet within this time is not there
SILENT_S: Final = (
    STATEMENT_S + 1.0
)  # the server ends a statement itself; one that stays silent longer is gone
WAL_ATTEMPTS: Final = 500  # of a fraction of a millisecond each, while another switches
MIGRATION_S: Final = 120.0  # a second process waits this long while the first migrates
MIGRATIONS: Final = "sextant:migrations"  # the package that alembic reads; named, not imported


class DatabaseNow(FunctionElement[int]):
    """Nanoseconds UTC by the database's clock, the one clock that all its processes share."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(DatabaseNow, "postgresql")
def _now_of_postgresql(*_: object, **__: object) -> str:
    # Not now(): that is the time at which the transaction began.
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) * 1000"


@compiles(DatabaseNow, "sqlite")
def _now_of_sqlite(*_: object, **__: object) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000000"


def open_engine(url: str) -> AsyncEngine:
    """An engine for ``sqlite+aiosqlite`` or ``postgresql+asyncpg`` with bounded waits.

    SQLite runs in WAL mode with full synchronisation: a committed row survives ``kill -9`` and
    the loss of power.

    Raises
    ------
    ConfigError
        If the URL names another dialect.
    """
    parsed = sa.make_url(url)
    if parsed.drivername == "sqlite+aiosqlite":
        connecting = _Connecting()
        engine = create_async_engine(
            parsed,
            connect_args={"timeout": STATEMENT_S, "async_creator_fn": connecting},
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=POOL_WAIT_S,
            hide_parameters=True,  # values of statements do not belong in traces
        )
        sa.event.listen(engine.sync_engine, "connect", _set_pragmas)
        sa.event.listen(engine.sync_engine, "engine_disposed", connecting.disposed)
        return engine
    if parsed.drivername == "postgresql+asyncpg":
        settings = {"statement_timeout": str(int(STATEMENT_S * 1000)), "application_name": "sextant"}
        return create_async_engine(
            parsed,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=POOL_WAIT_S,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "server_settings": settings,
                "timeout": CONNECT_S,
                "command_timeout": SILENT_S,
            },
        )
    raise ConfigError(
        f"Database dialect '{parsed.drivername}' is neither sqlite+aiosqlite nor postgresql+asyncpg."
    )


async def connect(db: AsyncEngine) -> asyncpg.Connection[Any]:
    """A connection of its own to the database of an engine, outside its pool, for notices and locks."""
    arguments, options = db.dialect.create_connect_args(db.url)
    options.pop("prepared_statement_cache_size", None)
    return await asyncpg.connect(*arguments, timeout=CONNECT_S, command_timeout=SILENT_S, **options)


class _Connecting:
    """Opens connections of SQLite and lets the end of their engine be the end of their threads.

    A connection that could not be opened, or whose opening was cancelled, is told to stop and not waited for; its
    thread then answers an event loop that may have closed.
    """

    def __init__(self) -> None:
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    def __call__(self, *given: Any, **named: Any) -> aiosqlite.Connection:
        """A connection that opens when it is awaited."""
        connection = aiosqlite.connect(*given, **named)
        thread = connection._thread  # noqa: SLF001  # there is no public way to it
        thread.daemon = True
        self._threads.add(thread)
        return connection

    def disposed(self, _: sa.Engine) -> None:
        """Wait for what still answers."""
        for thread in list(self._threads):
            if thread.is_alive():
                await_only(asyncio.to_thread(thread.join, STATEMENT_S))


async def exclusive(connection: AsyncConnection, name: str) -> None:
    """Wait until no other transaction holds the lock ``name``; it is held until this one ends.

    SQLite has one lock for all names, its write lock.
    """
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))
        return
    raw = await connection.get_raw_connection()
    if not raw.driver_connection.in_transaction:  # type: ignore[union-attr]  # aiosqlite's connection has it
        await connection.exec_driver_sql("BEGIN IMMEDIATE")


async def migrate(db: AsyncEngine, revision: str = "head") -> None:
    """Bring the schema to a revision, once, whoever else tries at the same time; ``base`` removes all of it."""
    postgresql = db.dialect.name == "postgresql"
    # A migration may outlast the bounds of requests, so on PostgreSQL it has a connection without them.
    patient = create_async_engine(db.url, poolclass=sa.NullPool, hide_parameters=True) if postgresql else db
    try:
        async with patient.connect() as connection:
            limit = int(MIGRATION_S * 1000)
            setting = (
                f"SET LOCAL statement_timeout = {limit}" if postgresql else f"PRAGMA busy_timeout={limit}"
            )
            await connection.exec_driver_sql(setting)
            await exclusive(connection, "migrate")
            await connection.run_sync(_run_migrations, revision)
            await connection.commit()
            if not postgresql:
                await connection.exec_driver_sql("PRAGMA busy_timeout=2000")
    finally:
        if postgresql:
            await patient.dispose()


def _run_migrations(connection: sa.Connection, revision: str) -> None:
    config = MigrationConfig()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    heads = ScriptDirectory.from_config(config)
    known = MigrationContext.configure(connection).get_current_revision()
    if revision == "base" or _is_older(heads, revision, known):
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def _is_older(scripts: ScriptDirectory, revision: str, known: str | None) -> bool:
    """Whether a revision lies behind the one the database has."""
    if known is None or revision == "head":
        return False
    return revision != known and revision in {step.revision for step in scripts.walk_revisions("base", known)}


def _set_pragmas(connection: Any, _: Any) -> None:
    """WAL lets readers run beside the one writer; FULL makes each commit durable."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=2000")
    _write_ahead(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Switch a new file to WAL; two that do it at once refuse each other without waiting, and one of them succeeds."""
    for attempt in range(WAL_ATTEMPTS):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if attempt == WAL_ATTEMPTS - 1:
                raise
        else:
            return
