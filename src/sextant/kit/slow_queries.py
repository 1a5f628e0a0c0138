"""Statements that take long are told, by their text and never with their parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit import log
from sextant.kit.clock import Clock

WARNING_S: Final = 1.0  # faults.md, alert lines
CRITICAL_S: Final = 2.0
SHOWN: Final = 300  # characters of a statement; its beginning names tables and columns
OPERATIONS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "WITH", "PRAGMA"})

_STATEMENT: Final = (
    2  # places in what SQLAlchemy tells of a statement: connection, cursor, statement, parameters,
)
_CONTEXT: Final = 4  # context, and whether there are many parameters

Observe = Callable[[str, float], None]
"""Takes the operation of a statement and the seconds it took."""

_LOG: Final = log.get("db")


def watch(db: AsyncEngine, clock: Clock, observe: Observe) -> None:
    """Measure every statement of an engine from now on.

    Parameters
    ----------
    observe
        Called with each statement, so that it can be counted.
    """

    def begin(context: Any) -> None:
        context.begun_ns = clock.monotonic_ns()

    def end(statement: str, context: Any) -> None:
        begun_ns = getattr(context, "begun_ns", None)
        if begun_ns is not None:
            seconds = (clock.monotonic_ns() - begun_ns) / 1e9
            operation = operation_of(statement)
            observe(operation, seconds)
            _tell(statement, operation, seconds)

    def before(*facts: Any) -> None:
        begin(facts[_CONTEXT])

    def after(*facts: Any) -> None:
        end(facts[_STATEMENT], facts[_CONTEXT])

    def failed(failure: sa.engine.ExceptionContext) -> None:
        if failure.statement is not None and failure.execution_context is not None:
            end(failure.statement, failure.execution_context)

    sa.event.listen(db.sync_engine, "before_cursor_execute", before)
    sa.event.listen(db.sync_engine, "after_cursor_execute", after)
    sa.event.listen(db.sync_engine, "handle_error", failed)


def operation_of(statement: str) -> str:
    """The operation of a statement in lower case; ``other`` where it is none of the usual ones.

    Examples
    --------
    >>> operation_of("SELECT 1"), operation_of("VACUUM")
    ('select', 'other')
    """
    word = statement.lstrip()[:10].partition(" ")[0].upper()
    return word.lower() if word in OPERATIONS else "other"


def _tell(statement: str, operation: str, seconds: float) -> None:
    if seconds <= WARNING_S:
        return
    shown = " ".join(statement.split())[:SHOWN]
    tell = _LOG.critical if seconds > CRITICAL_S else _LOG.warning
    tell("db.slow", op=operation, seconds=round(seconds, 3), statement=shown)
