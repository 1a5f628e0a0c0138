"""Past events outlive the bar window: each is stored once, before cost, and told again beside newer ones."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.evidence.events import FUNDING_UNKNOWN, EventTable
from sextant.kit.db import METADATA
from sextant.model.bar import Integers
from sextant.model.times import INTERVAL_NS, MINUTE_NS

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
"""Rows of one transaction, so that scans are not kept from writing theirs."""

KEPT_ROWS: Final = 200_000
"""The newest stored events that are told again for one strategy; older ones say little about today's market."""

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


_WAITS: Final = ("entry_rows", "exit_rows")
_READ: Final = ("instrument", *_WAITS, *_COPIED)
_INSTRUMENT_BITS: Final = 24
_DTYPES: Final[dict[str, type[np.generic]]] = {
    "strength": np.float64,
    "gross": np.float64,
    "adverse": np.float64,
    "favourable": np.float64,
    "funded": np.bool_,
    "ambiguous": np.bool_,
}
"""Of the columns that are no whole numbers."""


class EvidenceArchive:
    """Past events of all strategies: in the database for good, and the newest in memory, since every bar asks for them.

    Parameters
    ----------
    db
        The database; other processes may store the same events into it.
    aside
        Calls its first argument with the others where that holds up nobody, ``asyncio.to_thread`` in a server.
    """

    def __init__(self, db: AsyncEngine, aside: Callable[..., Awaitable[Any]]) -> None:
        self._db = db
        self._aside = aside
        insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
        self._insert = insert(EVENTS).on_conflict_do_nothing()
        self._pasts: dict[tuple[str, str], _Past] = {}

    async def keep(self, table: EventTable) -> EventTable:
        """The table with the stored events that ended before its own begin, after its own were stored.

        Notes
        -----
        Begins are taken instrument by instrument. Rows are counted from the first stored event on, so that the rows of
        the frame follow those of the past. Counts of void and pending signals stay those of the frame: a signal that
        gave no event is not stored.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            If the database cannot be read or written; what was not stored is tried again the next time.
        """
        name = (table.strategy_id, params_key(table))
        if name not in self._pasts:
            self._pasts[name] = await self._read(*name)
        past = self._pasts[name]
        fresh: list[int] = await self._aside(past.unknown, table)
        for first in range(0, len(fresh), WRITE_ROWS):
            rows = await self._aside(_rows, table, fresh[first : first + WRITE_ROWS])
            async with self._db.begin() as connection:
                await connection.execute(self._insert, rows)
        if fresh:
            await self._aside(past.add, table, fresh)
        told: EventTable = await self._aside(past.before, table)
        return told

    async def _read(self, strategy_id: str, key: str) -> _Past:
        asked = (
            sa.select(*(EVENTS.c[name] for name in _READ))
            .where(EVENTS.c.strategy_id == strategy_id, EVENTS.c.params_key == key)
            .order_by(EVENTS.c.entry_ns.desc())
            .limit(KEPT_ROWS)
        )
        async with self._db.connect() as connection:
            rows = (await connection.execute(asked)).all()
        past: _Past = await self._aside(_Past, rows)
        return past


class _Past:
    """The newest stored events of one strategy with one set of parameters, a column each.

    Parameters
    ----------
    rows
        Values of ``_READ``, in any order.
    """

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self._numbers: dict[str, int] = {}
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(_READ)
        self._columns = {"number": self._numbered(columns[0])} | {
            name: np.array(values, dtype=_DTYPES.get(name, np.int64))
            for name, values in zip(_READ[1:], columns[1:], strict=True)
        }

    def unknown(self, table: EventTable) -> list[int]:
        """Which events of a table are not among the stored ones."""
        number = self._numbered(map(str, table.instruments))[table.column]
        codes = _codes(table.entry_ns, number)
        stored = _codes(self._columns["entry_ns"], self._columns["number"])
        return [int(one) for one in np.flatnonzero(~np.isin(codes, stored))]

    def add(self, table: EventTable, chosen: Sequence[int]) -> None:
        """Take in events that are stored now; the oldest beyond ``KEPT_ROWS`` are let go."""
        signal = table.row[chosen]
        own = {name: getattr(table, name)[chosen] for name in _COPIED} | {
            "number": self._numbered(map(str, table.instruments))[table.column[chosen]],
            "entry_rows": table.entry_row[chosen] - signal,
            "exit_rows": table.exit_row[chosen] - signal,
        }
        joined = {
            name: np.concatenate((values, own[name].astype(values.dtype)))
            for name, values in self._columns.items()
        }
        newest = np.argsort(joined["entry_ns"], kind="stable")[-KEPT_ROWS:]
        self._columns = {name: values[newest] for name, values in joined.items()}

    def before(self, table: EventTable) -> EventTable:
        """The table with the stored events that ended before its own begin, instrument by instrument."""
        column_of = np.full(len(self._numbers) + len(table.instruments), -1, dtype=np.int64)
        column_of[self._numbered(map(str, table.instruments))] = np.arange(len(table.instruments))
        column = column_of[self._columns["number"]]
        over = (column >= 0) & (self._columns["exit_ns"] <= _begins(table)[column])
        if not over.any():
            return table
        old = {name: values[over] for name, values in self._columns.items()} | {"column": column[over]}
        return _joined(table, old)

    def _numbered(self, names: Iterable[str]) -> Integers:
        """A number for each name, the same one for as long as this object lives."""
        numbers = self._numbers
        return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def params_key(table: EventTable) -> str:
    """32 hex digits that name the parameters and the frame of a table."""
    stated = msgspec.json.encode((table.interval, table.horizon_rows, table.params))
    return hashlib.blake2b(stated, digest_size=16).hexdigest()


def _codes(entry_ns: Integers, number: Integers) -> Integers:
    """One integer for each event: entries are on whole minutes."""
    return (entry_ns // MINUTE_NS << _INSTRUMENT_BITS) | number


def _begins(table: EventTable) -> Integers:
    """Per instrument the entry of its first event, or the end of the window where it has none."""
    begins = np.full(len(table.instruments), table.window_end_ns or 0, dtype=np.int64)
    np.minimum.at(begins, table.column, table.entry_ns)
    return begins


def _joined(table: EventTable, past: dict[str, np.ndarray[Any, Any]]) -> EventTable:
    step = INTERVAL_NS[table.interval]
    origin_ns = table.window_start_ns or 0
    entry_row = (past["entry_ns"] - origin_ns) // step
    row = entry_row - past["entry_rows"]
    shift = -min(0, int(row.min()))
    old = {name: past[name] for name in ("column", *_COPIED)} | {
        "row": row,
        "entry_row": entry_row,
        "exit_row": row + past["exit_rows"],
    }
    column = np.concatenate((old["column"], table.column))
    order = np.lexsort((column, np.concatenate((past["entry_ns"], table.entry_ns))))
    joined: dict[str, Any] = {}
    for name, values in old.items():
        own = getattr(table, name)
        moved = shift if name in ("row", "entry_row", "exit_row") else 0
        both = np.concatenate((values.astype(own.dtype), own))[order]
        joined[name] = both + own.dtype.type(moved) if moved else both
    unknown = () if joined["funded"].all() or FUNDING_UNKNOWN in table.without else (FUNDING_UNKNOWN,)
    return dataclasses.replace(
        table,
        **joined,
        rows=table.rows + shift,
        without=table.without + unknown,
        window_start_ns=min(origin_ns, int(past["entry_ns"].min())),
    )


def _rows(table: EventTable, chosen: list[int]) -> list[dict[str, Any]]:
    """Events as rows of the database."""
    key = params_key(table)
    signal = table.row[chosen]
    columns = {name: getattr(table, name)[chosen].tolist() for name in _COPIED} | {
        "entry_rows": (table.entry_row[chosen] - signal).tolist(),
        "exit_rows": (table.exit_row[chosen] - signal).tolist(),
    }
    names = [str(table.instruments[column]) for column in table.column[chosen].tolist()]
    return [
        {"strategy_id": table.strategy_id, "params_key": key, "instrument": name}
        | dict(zip(columns, values, strict=True))
        for name, values in zip(names, zip(*columns.values(), strict=True), strict=True)
    ]
