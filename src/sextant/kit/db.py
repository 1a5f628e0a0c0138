"""The database: one metadata, two dialects, bounded pools, migrations under a lock."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as MigrationConfig
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

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
MIGRATION_S: Final = 120.0  # a second process waits this long while the first migrates
MIGRATIONS: Final = "sextant:migrations"  # the package that alembic reads; named, not imported


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
        engine = create_async_engine(
            parsed,
            connect_args={"timeout": STATEMENT_S},
            pool_size=POOL_SIZE,
            pool_timeout=POOL_WAIT_S,
            hide_parameters=True,  # values of statements do not belong in traces
        )
        sa.event.listen(engine.sync_engine, "connect", _set_pragmas)
        return engine
    if parsed.drivername == "postgresql+asyncpg":
        settings = {"statement_timeout": str(int(STATEMENT_S * 1000)), "application_name": "sextant"}
        return create_async_engine(
            parsed,
            pool_size=POOL_SIZE,
            pool_timeout=POOL_WAIT_S,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"server_settings": settings},
        )
    raise ConfigError(
        f"Database dialect '{parsed.drivername}' is neither sqlite+aiosqlite nor postgresql+asyncpg."
    )


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
    async with db.connect() as connection:
        patient = int(MIGRATION_S * 1000)
        postgresql = connection.dialect.name == "postgresql"
        setting = (
            f"SET LOCAL statement_timeout = {patient}" if postgresql else f"PRAGMA busy_timeout={patient}"
        )
        await connection.exec_driver_sql(setting)
        await exclusive(connection, "migrate")
        await connection.run_sync(_run_migrations, revision)
        await connection.commit()
        if not postgresql:
            await connection.exec_driver_sql("PRAGMA busy_timeout=2000")


def _run_migrations(connection: sa.Connection, revision: str) -> None:
    config = MigrationConfig()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    if revision == "base":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def _set_pragmas(connection: Any, _: Any) -> None:
    """WAL lets readers run beside the one writer; FULL makes each commit durable."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=2000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
