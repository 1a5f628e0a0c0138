"""Notices of PostgreSQL: heard on a connection of their own, which is made anew whenever it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit import log
from sextant.kit.clock import Clock
from sextant.kit.db import connect
from sextant.kit.db_faults import BACKOFF, LOST
from sextant.kit.ids import new_fraction

ALIVE_S: Final = 10.0  # a connection that cannot answer this often is dead, whatever its socket says

_LOG: Final = log.get("db")


class Notices:
    """Listens to one channel.

    Parameters
    ----------
    db
        An engine of ``kit.db`` on PostgreSQL.
    clock
        Says when to try again.
    channel
        What is listened to.
    """

    def __init__(self, db: AsyncEngine, clock: Clock, channel: str) -> None:
        self._db = db
        self._clock = clock
        self._channel = channel

    async def hear(self, notice: Callable[[str], None], gap: Callable[[], None]) -> None:
        """Call ``notice`` with each payload until cancelled.

        Parameters
        ----------
        gap
            Called whenever listening begins anew: what was told before was not heard.
        """
        failures = 0
        while True:
            try:
                connection = await connect(self._db)
            except LOST as error:
                if not failures:
                    _LOG.warning("notices.lost", channel=self._channel, error=type(error).__name__)
                await self._clock.sleep(BACKOFF.wait_s(failures, new_fraction))
                failures += 1
                continue
            failures = 0
            try:
                await self._listen(connection, notice, gap)
            except LOST as error:
                _LOG.warning("notices.lost", channel=self._channel, error=type(error).__name__)
            finally:
                connection.terminate()

    async def _listen(
        self, connection: asyncpg.Connection[Any], notice: Callable[[str], None], gap: Callable[[], None]
    ) -> None:
        """Listen until the connection is lost."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(self._channel, lambda _, __, ___, payload: notice(str(payload)))
        gap()
        while not lost.is_set():
            try:
                await asyncio.wait_for(lost.wait(), ALIVE_S)
            except TimeoutError:
                await connection.execute("SELECT 1")
