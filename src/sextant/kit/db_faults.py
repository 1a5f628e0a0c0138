"""What a database's failure means for the caller, and whole transactions repeated while it may pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg
import sqlalchemy as sa

from sextant.errors import BudgetExceeded, SextantError
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline
from sextant.kit.ids import new_fraction
from sextant.kit.retry import Backoff

T = TypeVar("T")

BACKOFF: Final = Backoff(first_s=0.05, longest_s=1.0)
RETRY_AFTER_S: Final = 1.0  # a pool frees a connection, a server restarts, within about this time

_PASSING_STATES: Final = frozenset(
    {
        "40001",  # serialization failure
        "40P01",  # deadlock detected
        "53300",  # too many connections
        "57P01",  # admin shutdown
        "57P02",  # crash shutdown
        "57P03",  # cannot connect now
    }
)
"""SQLSTATEs (PostgreSQL 18 manual, appendix A) after which the same transaction may succeed; class 08 too."""

LOST: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What the driver raises where its connection is lost; the third when it is lost within a statement."""

_CANCELLED: Final = "57014"  # statement_timeout
_DISK_FULL: Final = "53100"
_SQLITE_BUSY: Final = ("database is locked", "database table is locked")
_SQLITE_FULL: Final = ("database or disk is full", "disk I/O error", "unable to open database file")

_LOG: Final = log.get("db")


def passing(error: BaseException) -> bool:
    """Whether a transaction that failed so may succeed when it is repeated as a whole."""
    if isinstance(error, sa.exc.TimeoutError):
        return False  # the pool was waited for already
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    state = _state(error)
    if state is not None:
        return state in _PASSING_STATES or state.startswith("08")
    if isinstance(error, sa.exc.OperationalError):
        return any(word in str(error.orig) for word in _SQLITE_BUSY)
    # An internal error without a state is the driver's own: its connection was lost within a statement.
    return isinstance(error, OSError | sa.exc.InterfaceError | sa.exc.InternalError)


def named(error: BaseException) -> SextantError | None:
    """The error of ours that a database's failure is, or None where it is a defect of the program."""
    if isinstance(error, sa.exc.TimeoutError):
        return _refused("No database connection became free in time.", "pool_exhausted")
    if _state(error) == _CANCELLED:
        return _refused("The database did not answer in time.", "deadline")
    if _state(error) == _DISK_FULL or _says(error, _SQLITE_FULL):
        return _refused("The database has no room to write.", "disk_full")
    if isinstance(error, sa.exc.SQLAlchemyError | OSError) and passing(error):
        return _refused("The database cannot be reached.", "database_unavailable")
    return None


def passing_or_full(error: BaseException) -> bool:
    """As ``passing``, and a full pool or a statement that took too long: for work that has time to ask again."""
    return isinstance(error, sa.exc.TimeoutError) or _state(error) == _CANCELLED or passing(error)


async def patiently(
    clock: Clock,
    deadline: Deadline,
    work: Callable[[bool], Awaitable[T]],
    may_pass: Callable[[BaseException], bool] = passing,
) -> T:
    """The result of a whole transaction, repeated with jitter while its failure may pass and time is left.

    Parameters
    ----------
    work
        One attempt from begin to commit. It is told whether an earlier attempt failed: that one may have
        been committed before its connection was lost, so a repeated attempt must look before it writes.
    may_pass
        Which failures are worth another attempt.

    Raises
    ------
    SextantError
        The meaning of the last failure, once the deadline leaves no room for another attempt.
    """
    attempt = 0
    while True:
        try:
            return await work(attempt > 0)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            wait_s = BACKOFF.wait_s(attempt, new_fraction)
            if not may_pass(error) or wait_s >= deadline.remaining_s():
                meaning = named(error)
                if meaning is None:
                    raise
                raise meaning from error
            if not attempt:
                _LOG.warning("db.retried", error=type(error).__name__, state=_state(error))
        attempt += 1
        await clock.sleep(wait_s)


def _state(error: BaseException) -> str | None:
    """The SQLSTATE that PostgreSQL gave, whether SQLAlchemy wrapped the error or not."""
    inner = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    state = getattr(inner, "sqlstate", None)
    return state if isinstance(state, str) else None


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    return isinstance(error, sa.exc.OperationalError) and any(word in str(error.orig) for word in words)


def _refused(message: str, reason: str) -> BudgetExceeded:
    return BudgetExceeded(message, reason=reason, retry_after_s=RETRY_AFTER_S)
