"""Failed logins per account: counted before the password is looked at, so parallel guesses gain nothing."""

from __future__ import annotations

import hashlib
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.errors import RateLimited
from sextant.kit.clock import Clock
from sextant.kit.db import exclusive
from sextant.model.times import SECOND_NS
from sextant.vault.store import ATTEMPTS, email_key

MOST_FAILURES: Final = 10  # api.md 1.7
WINDOW_S: Final = 900  # api.md 1.7


class Attempts:
    """Bounds guesses at the password of an account, whoever guesses from wherever.

    Parameters
    ----------
    db
        Where the counts are kept; a restart forgives nothing.
    clock
        Says when an attempt is old enough to be forgotten.
    """

    def __init__(self, db: AsyncEngine, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def begin(self, email: str) -> int:
        """The time (ns) under which an attempt is counted, before its password is looked at.

        Raises
        ------
        RateLimited
            If the account, existing or not, had ten failures within 900 s.
        """
        now_ns = self._clock.now_ns()
        oldest_ns = now_ns - WINDOW_S * SECOND_NS
        account = _account(email)
        async with self._db.begin() as connection:
            await exclusive(connection, f"attempts {account}")
            await connection.execute(sa.delete(ATTEMPTS).where(ATTEMPTS.c.updated_ns <= oldest_ns))
            query = sa.select(ATTEMPTS.c.times_ns).where(ATTEMPTS.c.account == account)
            row = (await connection.execute(query)).first()
            recent = [] if row is None else [time_ns for time_ns in row.times_ns if time_ns > oldest_ns]
            if len(recent) < MOST_FAILURES:
                facts = {"times_ns": [*recent, now_ns], "updated_ns": now_ns}
                await connection.execute(
                    sa.insert(ATTEMPTS).values(account=account, **facts)
                    if row is None
                    else sa.update(ATTEMPTS).where(ATTEMPTS.c.account == account).values(**facts)
                )
        if len(recent) >= MOST_FAILURES:
            raise RateLimited(
                f"{MOST_FAILURES} failed logins within {WINDOW_S} s; live sessions go on working.",
                retry_after_s=max(1.0, (recent[0] - oldest_ns) / SECOND_NS),
                reason="login_failures",
            )
        return now_ns

    async def succeeded(self, email: str, begun_ns: int) -> None:
        """Forget an attempt whose password was right; earlier failures stay."""
        account = _account(email)
        async with self._db.begin() as connection:
            await exclusive(connection, f"attempts {account}")
            query = sa.select(ATTEMPTS.c.times_ns).where(ATTEMPTS.c.account == account)
            row = (await connection.execute(query)).first()
            if row is not None and begun_ns in row.times_ns:
                times = list(row.times_ns)
                times.remove(begun_ns)
                await connection.execute(
                    sa.update(ATTEMPTS).where(ATTEMPTS.c.account == account).values(times_ns=times)
                )


def _account(email: str) -> str:
    """A name of fixed length, so that addresses of strangers are not stored."""
    return hashlib.sha256(email_key(email).encode()).hexdigest()
