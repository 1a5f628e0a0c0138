"""Reads of a few rows by an index, as every request needs them, without a thread between SQLite and the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.db_timing import time_as

_READ_ONLY: Final = "file:{path}?mode=ro&uri=true"


class HotReads:
    """Answers selects by an index as of the last commit.

    On SQLite a read of a few indexed rows takes tens of microseconds, and its way through a worker thread ten
    times as long; so it is made at once, on a connection of its own that cannot write and never waits for a lock.
    When that connection cannot answer, and on PostgreSQL always, the read goes the way of all others.

    Parameters
    ----------
    db
        An engine of ``kit.db``; when it is disposed of, the connection here is closed too.
    """

    def __init__(self, db: AsyncEngine) -> None:
        self._db = db
        self._connection: sa.Connection | None = None
        self._engine: sa.Engine | None = None
        self._timed = False
        path = db.url.database
        if db.dialect.name == "sqlite" and path not in (None, "", ":memory:"):
            self._engine = sa.create_engine(
                f"sqlite:///{_READ_ONLY.format(path=path)}",
                poolclass=sa.StaticPool,
                isolation_level="AUTOCOMMIT",
                connect_args={"check_same_thread": False, "timeout": 0},
                hide_parameters=True,
            )
            sa.event.listen(db.sync_engine, "engine_disposed", self._close)

    async def first(self, query: sa.Select[Any], **values: Any) -> Any:
        """The first row, or None; ``values`` are the query's named parameters."""
        if self._engine is not None:
            try:
                return self._at_once().execute(query, values).first()
            except sa.exc.OperationalError:
                self._close()
        async with self._db.connect() as connection:
            return (await connection.execute(query, values)).first()

    async def all(self, query: sa.Select[Any], **values: Any) -> Sequence[Any]:
        """All rows, of a query that has few."""
        if self._engine is not None:
            try:
                rows: Sequence[Any] = self._at_once().execute(query, values).all()
            except sa.exc.OperationalError:
                self._close()
            else:
                return rows
        async with self._db.connect() as connection:
            found: Sequence[Any] = (await connection.execute(query, values)).all()
        return found

    def _at_once(self) -> sa.Connection:
        if self._connection is None:
            if self._engine is None:
                raise AssertionError("only SQLite is read at once")
            if not self._timed:
                time_as(self._db, self._engine)
                self._timed = True
            self._connection = self._engine.connect()
        return self._connection

    def _close(self, *_: object) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if self._engine is not None:
            self._engine.dispose()
