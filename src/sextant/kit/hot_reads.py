"""Reads of a few rows by an index, as every request needs them: past the pool, and made once while nothing changes."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.db_faults import LOST
from sextant.kit.db_timing import observer_of, op_of
from sextant.kit.hot_lines import HotLines
from sextant.kit.hot_text import HotText, text_of

REMEMBERED: Final = 4_096  # answers of one reader; the rows of a poll are some hundred bytes
LASTING: Final = 1_024  # answers that never change, the least recently wanted is forgotten first

T = TypeVar("T")


def _never(_: object) -> bool:
    return False


@dataclass(frozen=True, eq=False)
class HotQuery(Generic[T]):
    """A select by an index, stated once, because making a statement costs more than running it.

    Parameters
    ----------
    select
        With named parameters where it asks for something.
    shape
        What a row is made into.
    lasting
        Whether what was made can never be told otherwise again.
    """

    select: sa.Select[Any]
    shape: Callable[[Any], T]
    lasting: Callable[[T], bool] = field(default=_never)


class _Known(NamedTuple):
    """Rows as they were made, none of which may change; an answer of one row has one."""

    rows: tuple[Any, ...]


class HotReads:
    """Answers selects by an index as of the last commit.

    On SQLite a read of a few indexed rows takes some microseconds, and its way through the pool and a worker thread a
    hundred times as long; so it is made at once, on a connection of its own that cannot write and never waits for a
    lock. SQLite also says whether anybody, in whichever process, has committed since it was asked last
    (https://sqlite.org/pragma.html#pragma_data_version, read 2026-11-25); while nobody has, the answer is the one it
    gave before. PostgreSQL says no such thing, so it is asked each time, on a few prepared connections. What either
    cannot answer so goes the way of all other reads.

    Parameters
    ----------
    db
        An engine of ``kit.db``; when it is disposed of, the connections here are closed too.
    """

    def __init__(self, db: AsyncEngine) -> None:
        self._db = db
        self._texts: dict[HotQuery[Any], HotText] = {}
        self._known: dict[tuple[Any, ...], _Known] = {}
        self._lasting: OrderedDict[tuple[Any, ...], _Known] = OrderedDict()
        self._version = -1
        self._cursor: sqlite3.Cursor | None = None
        self._lines: HotLines | None = None
        path = db.url.database
        self._path = None if path in (None, "", ":memory:") else path
        self._is_file = db.dialect.name == "sqlite" and self._path is not None
        if db.dialect.name == "postgresql":
            self._lines = HotLines(db)
        sa.event.listen(db.sync_engine, "engine_disposed", self._close)

    async def first(self, query: HotQuery[T], **values: Any) -> T | None:
        """The first row, or None; ``values`` are the query's named parameters."""
        key = (query, *values.values())
        known = self._remembered(key)
        if known is None:
            known = await self._read(query, key, values)
        return known.rows[0] if known.rows else None

    async def all(self, query: HotQuery[T], **values: Any) -> Sequence[T]:
        """All rows, of a query that has few."""
        key = (query, *values.values())
        known = self._remembered(key)
        if known is None:
            known = await self._read(query, key, values)
        return known.rows

    def _remembered(self, key: tuple[Any, ...]) -> _Known | None:
        """What is known of an answer and still holds."""
        lasting = self._lasting.get(key)
        if lasting is not None:
            self._lasting.move_to_end(key)
            return lasting
        if not self._is_file:
            return None
        try:
            # Fetched to the end: a statement that is not done would hold its snapshot, and with it the past.
            version = self._at_once().execute("PRAGMA data_version").fetchall()[0][0]
        except sqlite3.Error:
            self._close()
            return None
        if version != self._version:
            self._known.clear()
            self._version = version
        return self._known.get(key)

    async def _read(self, query: HotQuery[Any], key: tuple[Any, ...], values: dict[str, Any]) -> _Known:
        rows = self._from_file(query, values)
        at_once = rows is not None
        if rows is None and self._lines is not None:
            rows = await self._from_server(self._lines, query, values)
        if rows is None:
            async with self._db.connect() as connection:
                rows = (await connection.execute(query.select, values)).all()
        known = _Known(tuple(query.shape(row) for row in rows))
        if known.rows and all(query.lasting(row) for row in known.rows):
            self._lasting[key] = known
            if len(self._lasting) > LASTING:
                self._lasting.popitem(last=False)
        elif at_once:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = known
        return known

    def _from_file(self, query: HotQuery[Any], values: dict[str, Any]) -> Sequence[Any] | None:
        """The rows of a file of SQLite, read at once; None where it cannot be."""
        if not self._is_file:
            return None
        text = self._text(query)
        begun_ns = self._begun_ns()
        try:
            raw = self._at_once().execute(text.sql, text.arguments(values)).fetchall()
        except sqlite3.Error:
            self._close()
            return None
        self._tell(text, begun_ns)
        return [text.row(item) for item in raw]

    async def _from_server(
        self, lines: HotLines, query: HotQuery[Any], values: dict[str, Any]
    ) -> Sequence[Any] | None:
        """The rows of PostgreSQL; None where the connection was lost, so that the pool is asked."""
        text = self._text(query)
        begun_ns = self._begun_ns()
        try:
            raw = await lines.fetch(text.sql, text.arguments(values))
        except TimeoutError:
            raise  # a server that is silent is silent to the pool, too
        except LOST:
            return None
        self._tell(text, begun_ns)
        return [text.row(item) for item in raw]

    def _text(self, query: HotQuery[Any]) -> HotText:
        text = self._texts.get(query)
        if text is None:
            text = self._texts[query] = text_of(query.select, self._db.dialect)
        return text

    def _begun_ns(self) -> int:
        timed = observer_of(self._db)
        return 0 if timed is None else timed[0].monotonic_ns()

    def _tell(self, text: HotText, begun_ns: int) -> None:
        timed = observer_of(self._db)
        if timed is not None:
            clock, observe = timed
            observe(op_of(text.sql), (clock.monotonic_ns() - begun_ns) / 1e9, False)

    def _at_once(self) -> sqlite3.Cursor:
        if self._cursor is None:
            # Autocommit: each read begins at the last commit. Without a wait: whoever writes stops no reader.
            connection = sqlite3.connect(
                f"file:{quote(str(self._path))}?mode=ro",
                uri=True,
                timeout=0,
                isolation_level=None,
                check_same_thread=False,
            )
            self._cursor = connection.cursor()
            self._version = -1
        return self._cursor

    def _close(self, *_: object) -> None:
        cursor, self._cursor = self._cursor, None
        self._known.clear()
        if cursor is not None:
            cursor.connection.close()
        if self._lines is not None:
            self._lines.close()


def column(name: str) -> Callable[[Any], Any]:
    """A shape that is one column of the row."""
    return cast("Callable[[Any], Any]", attrgetter(name))


def same(row: Any) -> Any:
    """The shape that is the row itself, its columns by name."""
    return row
