"""How long each statement of a database takes, by verb and table."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from sextant.kit import log
from sextant.kit.clock import Clock

WARNING_S: Final = 1.0  # faults.md, alert lines
CRITICAL_S: Final = 2.0

_LOG: Final = log.get("db")
_TABLE: Final = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+\"?(\w+)", re.IGNORECASE)
_BEGUN: Final = "sextant_begun_ns"
_TIMED: Final = "sextant_timed"

Observe = Callable[[str, float, bool], None]
"""Takes ``(op, seconds, failed)`` of a statement; must return at once."""


@functools.lru_cache(maxsize=1_024)
def op_of(statement: str) -> str:
    """Verb and first table of a statement, in lower case.

    Examples
    --------
    >>> op_of("SELECT scans.scan_id FROM scans WHERE 1 = 1"), op_of("PRAGMA busy_timeout=2000")
    ('select scans', 'pragma')
    """
    verb = statement.lstrip().partition(" ")[0].lower()
    table = _TABLE.search(statement)
    return verb if table is None else f"{verb} {table.group(1).lower()}"


def time_statements(db: AsyncEngine, clock: Clock, observe: Observe) -> None:
    """Tell every statement of an engine from now on, and those of reads that go past it."""
    db.sync_engine.update_execution_options(**{_TIMED: (clock, observe)})
    _listen(db.sync_engine, clock, observe)


def observer_of(db: AsyncEngine) -> tuple[Clock, Observe] | None:
    """Who is told the statements of an engine, and by which clock; for reads that go past it."""
    timed: tuple[Clock, Observe] | None = db.sync_engine.get_execution_options().get(_TIMED)
    return timed


def _listen(engine: sa.Engine, clock: Clock, observe: Observe) -> None:

    def begin(*facts: Any) -> None:
        facts[0].info[_BEGUN] = clock.monotonic_ns()

    def end(*facts: Any) -> None:
        tell(facts[0], facts[2], failed=False)

    def fail(context: sa.ExceptionContext) -> None:
        if context.connection is not None and context.statement is not None:
            tell(context.connection, context.statement, failed=True)

    def tell(connection: sa.Connection, statement: str, *, failed: bool) -> None:
        begun_ns = connection.info.pop(_BEGUN, None)
        if begun_ns is not None:
            observe(op_of(statement), (clock.monotonic_ns() - begun_ns) / 1e9, failed)

    sa.event.listen(engine, "before_cursor_execute", begin)
    sa.event.listen(engine, "after_cursor_execute", end)
    sa.event.listen(engine, "handle_error", fail)


def telling(observe: Observe) -> Observe:
    """An observer that also writes an event for each slow statement: its verb and table, never its parameters."""

    def told(op: str, seconds: float, failed: bool) -> None:
        observe(op, seconds, failed)
        if seconds > WARNING_S:
            tell = _LOG.critical if seconds > CRITICAL_S else _LOG.warning
            tell("db.slow", op=op, seconds=round(seconds, 3), failed=failed)

    return told


def pool_use(db: AsyncEngine) -> tuple[int, int]:
    """How many connections are in use, and how many there may be."""
    pool = db.sync_engine.pool
    if not isinstance(pool, QueuePool):
        return 0, 0
    return pool.checkedout(), pool.size() + max(0, pool._max_overflow)  # noqa: SLF001  # it has no public reader
