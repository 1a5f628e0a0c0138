"""A few connections to PostgreSQL for hot reads: every statement is prepared once, nothing is reset between two."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.db import POOL_WAIT_S, STATEMENT_S, connect

LINES: Final = 4  # a read takes some tenths of a millisecond: four are ten thousand reads a second


class HotLines:
    """Reads on connections beside the pool.

    Parameters
    ----------
    db
        An engine of ``kit.db`` on PostgreSQL.
    """

    def __init__(self, db: AsyncEngine) -> None:
        self._db = db
        self._idle: list[asyncpg.Connection[Any]] = []
        self._free = asyncio.Semaphore(LINES)
        self._round = 0

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        """The rows of a statement.

        Raises
        ------
        sqlalchemy.exc.TimeoutError
            If no connection became free in time, as the pool says it.
        LOST
            If the connection was lost, or the server refused; the connection is not used again.
        """
        await self._wait()
        try:
            begun, whole = self._round, False
            line = await self._line()
            try:
                rows: Sequence[Any] = await line.fetch(sql, *arguments)
                whole = True
            finally:
                # One that was interrupted may be in the middle of something.
                if whole and begun == self._round:
                    self._idle.append(line)
                else:
                    line.terminate()
        finally:
            self._free.release()
        return rows

    def close(self) -> None:
        """Close every connection; the next read makes new ones."""
        self._round += 1
        idle, self._idle = self._idle, []
        for line in idle:
            line.terminate()

    async def _wait(self) -> None:
        """Take one of the places."""
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(POOL_WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            raise sa.exc.TimeoutError(f"None of {LINES} connections became free.") from None

    async def _line(self) -> asyncpg.Connection[Any]:
        """A connection that nobody uses."""
        while self._idle:
            line = self._idle.pop()
            if not line.is_closed():
                return line
        line = await connect(self._db)
        await line.execute(f"SET statement_timeout = {int(STATEMENT_S * 1_000)}")
        # Values of this type are text to SQLAlchemy's drivers; here nobody else would read it.
        await line.set_type_codec(
            "json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog", format="text"
        )
        return line
