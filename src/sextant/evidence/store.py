"""Past events outlive the bar window: each is stored once, before cost, and read back beside newer ones."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sextant.evidence.events import FUNDING_UNKNOWN, EventTable
from sextant.kit.db import METADATA
from sextant.model.times import INTERVAL_NS

EVENTS: Final = sa.Table(
    "evidence_events",
    METADATA,
    sa.Column("strategy_id", sa.String(64), primary_key=True),
    sa.Column("params_key", sa.String(32), primary_key=True),
    sa.Column("instrument", sa.String(128), primary_key=True),
    sa.Column("entry_ns", sa.BigInteger, primary_key=True),
    sa.Column("exit_ns", sa.BigInteger, nullable=False),
    sa.Column("exit_rows", sa.Integer, nullable=False),
    sa.Column("entry_rows", sa.Integer, nullable=False),
    sa.Column("direction", sa.SmallInteger, nullable=False),
    sa.Column("strength", sa.Float, nullable=False),
    sa.Column("cell", sa.SmallInteger, nullable=False),
    sa.Column("gross", sa.Float, nullable=False),
    sa.Column("funded", sa.Boolean, nullable=False),
    sa.Column("exit_kind", sa.SmallInteger, nullable=False),
    sa.Column("ambiguous", sa.Boolean, nullable=False),
    sa.Column("adverse", sa.Float, nullable=False),
    sa.Column("favourable", sa.Float, nullable=False),
)
"""``entry_rows`` and ``exit_rows`` are rows from the signal to the entry and to the exit."""

WRITE_ROWS: Final = 2_000
"""Rows of one statement: 16 values each stay below SQLite's 32,766 variables, and below the time of a statement."""

READ_ROWS: Final = 200_000
"""The newest stored events that are read for one strategy; older ones say little about today's market."""

_COPIED: Final = (
    "entry_ns",
    "exit_ns",
    "direction",
    "strength",
    "cell",
    "gross",
    "funded",
    "exit_kind",
    "ambiguous",
    "adverse",
    "favourable",
)


def params_key(table: EventTable) -> str:
    """32 hex digits that name the parameters and the frame of a table."""
    stated = msgspec.json.encode((table.interval, table.horizon_rows, table.params))
    return hashlib.blake2b(stated, digest_size=16).hexdigest()


async def save(db: AsyncEngine, table: EventTable, since_ns: int = 0) -> int:
    """How many events were not stored before; each is stored once, whoever saves it first.

    Parameters
    ----------
    db
        The database.
    table
        Events of one strategy.
    since_ns
        Events that ended before are left out; 0 saves all.
    """
    chosen = np.flatnonzero(table.exit_ns >= since_ns)
    added = 0
    async with db.begin() as connection:
        for first in range(0, len(chosen), WRITE_ROWS):
            rows = list(_rows(table, chosen[first : first + WRITE_ROWS].tolist()))
            added += await _insert(connection, rows)
    return added


async def load(db: AsyncEngine, table: EventTable) -> EventTable:
    """The table with the stored events that ended before its own begin, instrument by instrument.

    Notes
    -----
    Rows are counted from the first stored event on, so that the rows of the frame follow those of the past. Counts of
    void and pending signals stay those of the frame: a signal that gave no event is not stored.
    """
    names = [str(instrument) for instrument in table.instruments]
    column_of = {name: column for column, name in enumerate(names)}
    begin_ns = _begins(table)
    asked = (
        sa.select(EVENTS)
        .where(EVENTS.c.strategy_id == table.strategy_id, EVENTS.c.params_key == params_key(table))
        .order_by(EVENTS.c.entry_ns.desc(), EVENTS.c.instrument)
        .limit(READ_ROWS)
    )
    async with db.connect() as connection:
        rows = (await connection.execute(asked)).mappings().all()
    kept = [
        row
        for row in reversed(rows)
        if row["instrument"] in column_of and row["exit_ns"] <= begin_ns[column_of[row["instrument"]]]
    ]
    return _joined(table, kept, column_of) if kept else table


async def keep(db: AsyncEngine, table: EventTable, since_ns: int = 0) -> EventTable:
    """The table with the stored events of the past before it, after its own were stored; see :func:`save`."""
    await save(db, table, since_ns)
    return await load(db, table)


def _begins(table: EventTable) -> list[int]:
    """Per instrument the entry of its first event, or the end of the window where it has none."""
    begins = np.full(len(table.instruments), table.window_end_ns or 0, dtype=np.int64)
    np.minimum.at(begins, table.column, table.entry_ns)
    return [int(begin) for begin in begins]


def _joined(table: EventTable, rows: list[Any], column_of: Mapping[str, int]) -> EventTable:
    step = INTERVAL_NS[table.interval]
    column = np.array([column_of[row["instrument"]] for row in rows], dtype=np.int64)
    entry_ns = np.array([row["entry_ns"] for row in rows], dtype=np.int64)
    origin_ns = table.window_start_ns or 0
    entry_row = (entry_ns - origin_ns) // step
    row = entry_row - np.array([item["entry_rows"] for item in rows], dtype=np.int64)
    exit_row = row + np.array([item["exit_rows"] for item in rows], dtype=np.int64)
    shift = -min(0, int(row.min()))
    old = {name: np.array([item[name] for item in rows]) for name in _COPIED} | {
        "column": column,
        "row": row,
        "entry_row": entry_row,
        "exit_row": exit_row,
    }
    order = np.argsort(np.concatenate((entry_ns, table.entry_ns)), kind="stable")
    joined: dict[str, Any] = {}
    for name, values in old.items():
        own = getattr(table, name)
        moved = shift if name in ("row", "entry_row", "exit_row") else 0
        joined[name] = (np.concatenate((values.astype(own.dtype), own)) + own.dtype.type(moved))[order]
    for name in ("funded", "ambiguous"):
        joined[name] = joined[name] > 0
    unknown = () if joined["funded"].all() or FUNDING_UNKNOWN in table.without else (FUNDING_UNKNOWN,)
    return dataclasses.replace(
        table,
        **joined,
        rows=table.rows + shift,
        without=table.without + unknown,
        window_start_ns=min(origin_ns, int(entry_ns.min())),
    )


def _rows(table: EventTable, chosen: list[int]) -> Iterator[dict[str, Any]]:
    key = params_key(table)
    copied = {name: getattr(table, name)[chosen].tolist() for name in _COPIED}
    signal = table.row[chosen]
    waits, lasts = (table.entry_row[chosen] - signal).tolist(), (table.exit_row[chosen] - signal).tolist()
    for place, column in enumerate(table.column[chosen].tolist()):
        yield {
            "strategy_id": table.strategy_id,
            "params_key": key,
            "instrument": str(table.instruments[column]),
            "entry_rows": waits[place],
            "exit_rows": lasts[place],
        } | {name: values[place] for name, values in copied.items()}


async def _insert(connection: AsyncConnection, rows: list[dict[str, Any]]) -> int:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    done = await connection.execute(insert(EVENTS).values(rows).on_conflict_do_nothing())
    return int(done.rowcount)
