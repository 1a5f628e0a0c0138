"""The audit: entries that are only appended, each sealed with the hash of all before it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sextant.kit.clock import Clock
from sextant.kit.db import exclusive
from sextant.model.times import SECOND_NS
from sextant.vault.store import AUDIT

_LOCK: Final = "audit"
VERDICT_S: Final = 10.0  # the whole chain is walked at most this often, however often it is asked about
_BATCH: Final = 1_000  # entries read at a time while the chain is checked


class Origin(msgspec.Struct, frozen=True):
    """Where a request came from: network address and request id."""

    address: str = "local"
    request_id: str = "local"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody did to something; ``actor`` is a user id, or a word where nobody is known."""

    actor: str
    action: str
    object: str
    outcome: str
    origin: Origin


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it stands in the audit; ``position`` counts from 1."""

    position: int
    time_ns: int
    actor: str
    action: str
    object: str
    outcome: str
    address: str
    request_id: str
    hash: str


class AuditFilter(msgspec.Struct, frozen=True):
    """Which entries are wanted; times are half open: ``since_ns`` <= time < ``until_ns``."""

    user_id: str | None = None
    action: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None


class AuditTrail:
    """Reads the audit and says whether it is whole.

    Parameters
    ----------
    db
        An engine of ``kit.db``; its schema is migrated.
    clock
        Says when a verdict on the chain is too old.
    """

    def __init__(self, db: AsyncEngine, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._lock = asyncio.Lock()
        self._verdict: tuple[int, bool] | None = None
        self._end: tuple[int, str] = (0, "")

    async def page(self, only: AuditFilter, limit: int, before: int | None = None) -> list[Sealed]:
        """Entries, newest first, from before a position; ``user_id`` matches who acted and whom it was about."""
        query = sa.select(AUDIT).order_by(AUDIT.c.position.desc()).limit(limit)
        if before is not None:
            query = query.where(AUDIT.c.position < before)
        if only.user_id is not None:
            query = query.where(sa.or_(AUDIT.c.actor == only.user_id, AUDIT.c.object == only.user_id))
        if only.action is not None:
            query = query.where(AUDIT.c.action == only.action)
        if only.since_ns is not None:
            query = query.where(AUDIT.c.time_ns >= only.since_ns)
        if only.until_ns is not None:
            query = query.where(AUDIT.c.time_ns < only.until_ns)
        async with self._db.connect() as connection:
            return [Sealed(**row._asdict()) for row in await connection.execute(query)]

    async def note(self, entry: Entry) -> None:
        """Write an entry that stands for itself, because what it tells changes no row."""
        async with self._db.begin() as connection:
            await append(connection, entry, self._clock.now_ns())

    async def whole(self) -> bool:
        """Whether no entry was changed or removed; a verdict holds for ten seconds.

        The end of the chain cannot be missed by the chain itself, so the last entry this process has
        seen must still be where it was.
        """
        async with self._lock:
            now_ns = self._clock.monotonic_ns()
            if self._verdict is None or now_ns - self._verdict[0] >= VERDICT_S * SECOND_NS:
                self._verdict = (now_ns, await self._walk())
        return self._verdict[1]

    async def _walk(self) -> bool:
        position, sealed = self._end
        if position:
            query = sa.select(AUDIT.c.hash).where(AUDIT.c.position == position)
            async with self._db.connect() as connection:
                if (await connection.execute(query)).scalar() != sealed:
                    return False
        if await first_broken(self._db) is not None:
            return False
        newest = sa.select(AUDIT.c.position, AUDIT.c.hash).order_by(AUDIT.c.position.desc()).limit(1)
        async with self._db.connect() as connection:
            row = (await connection.execute(newest)).first()
        self._end = (0, "") if row is None else (row.position, row.hash)
        return True


async def append(connection: AsyncConnection, entry: Entry, now_ns: int) -> str:
    """The hash of an entry, written in the caller's transaction: both are committed or neither."""
    await exclusive(connection, _LOCK)
    newest = (
        await connection.execute(
            sa.select(AUDIT.c.position, AUDIT.c.hash).order_by(AUDIT.c.position.desc()).limit(1)
        )
    ).first()
    row: dict[str, Any] = {
        "position": 1 if newest is None else newest.position + 1,
        "time_ns": now_ns,
        "actor": entry.actor,
        "action": entry.action,
        "object": entry.object[:128],
        "outcome": entry.outcome,
        "address": entry.origin.address[:64],
        "request_id": entry.origin.request_id[:64],
    }
    row["hash"] = _seal("" if newest is None else newest.hash, row)
    await connection.execute(sa.insert(AUDIT), row)
    return str(row["hash"])


async def first_broken(db: AsyncEngine) -> int | None:
    """The position of the first entry that was changed or whose predecessor is missing; None if all is sealed."""
    before, position = "", 0
    while True:
        query = sa.select(AUDIT).where(AUDIT.c.position > position).order_by(AUDIT.c.position).limit(_BATCH)
        async with db.connect() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            position += 1
            if row.position != position or row.hash != _seal(before, row._asdict()):
                return position
            before = row.hash
        if len(rows) < _BATCH:
            return None


def _seal(before: str, row: dict[str, Any]) -> str:
    facts = [row[column.name] for column in AUDIT.c if column.name != "hash"]
    return hashlib.sha256(msgspec.json.encode([before, *facts])).hexdigest()
