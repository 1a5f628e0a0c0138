"""The audit: entries that are only appended, each sealed with the hash of all before it."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sextant.kit.db import exclusive
from sextant.vault.store import AUDIT

_LOCK: Final = "audit"
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
