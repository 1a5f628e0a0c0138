"""Sessions: log in, be recognised in one read, rotate, end; what is stored opens nothing."""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sextant.errors import Denied, Unauthenticated
from sextant.kit.clock import Clock
from sextant.kit.hot_reads import HotQuery, HotReads
from sextant.kit.ids import new_id, new_secret
from sextant.model.times import DAY_NS, SECOND_NS
from sextant.vault.attempts import Attempts
from sextant.vault.audit import Entry, Origin, append
from sextant.vault.passwords import Passwords, check_new_password
from sextant.vault.records import Identity, Permission, Tokens, User
from sextant.vault.signing import SigningKey
from sextant.vault.store import (
    REFRESH_TOKENS,
    SESSIONS,
    USER_COLUMNS,
    USERS,
    email_key,
    end_sessions,
    user_of,
)
from sextant.vault.tokens import ACCESS_LIFE_S, TokenReader, issue

REFRESH_LIFE_S: Final = 12 * 3_600  # api.md 1.2
REMEMBERED_LIFE_S: Final = 30 * 86_400  # api.md 1.2
KEPT_AFTER_END_NS: Final = 7 * DAY_NS  # long enough to recognise a token that comes back late


class _Held(NamedTuple):
    """Who holds a session, and whether it still goes on."""

    user: User
    permissions: frozenset[Permission]
    ended_ns: int | None
    expires_ns: int


def _held(row: Any) -> _Held:
    user = user_of(row)
    return _Held(user, user.permissions, row.ended_ns, row.expires_ns)


_WHO: Final = HotQuery(
    sa.select(*USER_COLUMNS, SESSIONS.c.ended_ns, SESSIONS.c.expires_ns)
    .join_from(SESSIONS, USERS, SESSIONS.c.user_id == USERS.c.user_id)
    .where(SESSIONS.c.session_id == sa.bindparam("session_id")),
    _held,
)
"""Who holds a session, as every request asks."""


class Sessions:
    """Opens, recognises, renews and ends sessions.

    Parameters
    ----------
    db
        An engine of ``kit.db``; its schema is migrated.
    clock
        Gives the times of tokens and rows.
    key
        Signs access tokens.
    passwords
        Verifies and hashes passwords.
    """

    def __init__(
        self, db: AsyncEngine, clock: Clock, key: SigningKey, passwords: Passwords | None = None
    ) -> None:
        self._db = db
        self._clock = clock
        self._key = key
        self._passwords = passwords or Passwords()
        self._attempts = Attempts(db, clock)
        self._reads = HotReads(db)
        self._tokens_read = TokenReader(key)

    async def login(self, email: str, password: str, origin: Origin, *, remember: bool = False) -> Tokens:
        """Fresh tokens of a new session.

        Raises
        ------
        Unauthenticated
            If the address or the password is wrong; the two are not told apart, in words or in time.
        Denied
            If the password is right and the person suspended, inactive or not yet verified.
        RateLimited
            If the account had too many failures.
        """
        begun_ns = await self._attempts.begin(email)
        query = sa.select(*USER_COLUMNS, USERS.c.password_hash, USERS.c.password_expires_ns).where(
            USERS.c.email_key == email_key(email)
        )
        async with self._db.connect() as connection:
            row = (await connection.execute(query)).first()
        matched = await self._passwords.matches(password, None if row is None else row.password_hash)
        now_ns = self._clock.now_ns()
        if row is None or not matched or _ended(row.password_expires_ns, now_ns):
            await self._note("nobody" if row is None else row.user_id, "login", "bad_credentials", origin)
            raise Unauthenticated("The address or the password is wrong.", reason="bad_credentials")
        user = user_of(row)
        await self._attempts.succeeded(email, begun_ns)
        if user.status != "active":
            await self._note(user.user_id, "login", user.status, origin)
            raise Denied(f"The account is {user.status.replace('_', ' ')}.", reason=user.status)
        return await self._open(user, origin, REMEMBERED_LIFE_S if remember else REFRESH_LIFE_S)

    async def identify(self, access_token: str) -> Identity:
        """Who holds an access token, as the database says now; one indexed read.

        Raises
        ------
        Unauthenticated
            If the token does not hold, its session has ended, or its person is gone or not active.
        """
        now_ns = self._clock.now_ns()
        user_id, session_id, end_s = self._tokens_read.read(access_token, now_ns // SECOND_NS)
        held = await self._reads.first(_WHO, session_id=session_id)
        if (
            held is None
            or held.user.user_id != user_id
            or held.user.status != "active"
            or held.ended_ns is not None
            or held.expires_ns <= now_ns
        ):
            raise _revoked()
        return Identity(held.user, "session", session_id, held.permissions, end_s * SECOND_NS)

    async def refresh(self, refresh_token: str, origin: Origin) -> Tokens:
        """Fresh tokens of the same session; the refresh token is spent.

        Raises
        ------
        Unauthenticated
            ``refresh_reused`` if it was spent before, and then the session has ended;
            ``token_expired``, ``session_revoked`` or ``token_invalid`` otherwise.
        """
        spent = _hashed(refresh_token)
        fresh = new_secret()
        now_ns = self._clock.now_ns()
        async with self._db.begin() as connection:
            moved = await connection.execute(
                sa.update(REFRESH_TOKENS)
                .where(REFRESH_TOKENS.c.token_hash == spent, REFRESH_TOKENS.c.used_ns.is_(None))
                .values(used_ns=now_ns)
            )
            row = (await connection.execute(_family(spent))).first()
            refused = _refusal(row, now_ns, first_use=moved.rowcount == 1)
            if row is not None and refused is None:
                await self._renew(connection, row, fresh, now_ns)
            elif row is not None and refused == "refresh_reused":
                await connection.execute(
                    sa.update(SESSIONS)
                    .where(SESSIONS.c.session_id == row.session_id, SESSIONS.c.ended_ns.is_(None))
                    .values(ended_ns=now_ns, end_reason=refused)
                )
                entry = _entry(row.user_id, "refresh", row.session_id, refused, origin)
                await append(connection, entry, now_ns)
        if row is None or refused is not None:
            raise Unauthenticated(
                "The refresh token is not valid any more; log in.", reason=refused or "token_invalid"
            )
        return self._tokens(user_of(row), row.session_id, fresh)

    async def logout(self, identity: Identity, origin: Origin, *, everywhere: bool = False) -> int:
        """How many sessions were ended: this one, or all of the person."""
        now_ns = self._clock.now_ns()
        async with self._db.begin() as connection:
            if everywhere:
                ended = await end_sessions(connection, identity.user.user_id, now_ns, "logout")
            else:
                result = await connection.execute(
                    sa.update(SESSIONS)
                    .where(SESSIONS.c.session_id == identity.credential_id, SESSIONS.c.ended_ns.is_(None))
                    .values(ended_ns=now_ns, end_reason="logout")
                )
                ended = int(result.rowcount)
            entry = _entry(identity.user.user_id, "logout", identity.credential_id, "ok", origin)
            await append(connection, entry, now_ns)
        return ended

    async def change_password(self, identity: Identity, current: str, chosen: str, origin: Origin) -> int:
        """How many other sessions of the person were ended by the new password.

        Raises
        ------
        Unauthenticated
            If the current password is wrong.
        InputError
            If the new one may not be chosen.
        RateLimited
            If the account had too many failures.
        """
        user = identity.user
        check_new_password(chosen, user.email)
        begun_ns = await self._attempts.begin(user.email)
        query = sa.select(USERS.c.password_hash).where(USERS.c.user_id == user.user_id)
        async with self._db.connect() as connection:
            stored = (await connection.execute(query)).scalar_one()
        if not await self._passwords.matches(current, stored):
            await self._note(user.user_id, "password", "bad_credentials", origin)
            raise Unauthenticated("The current password is wrong.", reason="bad_credentials")
        await self._attempts.succeeded(user.email, begun_ns)
        facts = {
            "password_hash": await self._passwords.hash(chosen),
            "must_change": False,
            "password_expires_ns": None,
        }
        now_ns = self._clock.now_ns()
        async with self._db.begin() as connection:
            await connection.execute(sa.update(USERS).where(USERS.c.user_id == user.user_id).values(**facts))
            ended = await end_sessions(
                connection, user.user_id, now_ns, "password", keep=identity.credential_id
            )
            await append(connection, _entry(user.user_id, "password", user.user_id, "ok", origin), now_ns)
        return ended

    async def forget_ended(self) -> int:
        """How many sessions, long over, were removed with their tokens."""
        before_ns = self._clock.now_ns() - KEPT_AFTER_END_NS
        async with self._db.begin() as connection:
            gone = await connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.expires_ns < before_ns))
        return int(gone.rowcount)

    async def _open(self, user: User, origin: Origin, life_s: int) -> Tokens:
        now_ns = self._clock.now_ns()
        session_id, fresh = new_id("ses"), new_secret()
        session = {
            "session_id": session_id,
            "user_id": user.user_id,
            "created_ns": now_ns,
            "expires_ns": now_ns + life_s * SECOND_NS,
            "life_s": life_s,
            "address": origin.address[:64],
        }
        async with self._db.begin() as connection:
            await connection.execute(sa.insert(SESSIONS), session)
            await _insert_token(connection, session_id, fresh, now_ns, life_s)
            await connection.execute(
                sa.update(USERS).where(USERS.c.user_id == user.user_id).values(last_login_ns=now_ns)
            )
            await append(connection, _entry(user.user_id, "login", session_id, "ok", origin), now_ns)
        return self._tokens(user, session_id, fresh)

    async def _renew(self, connection: AsyncConnection, row: sa.Row[Any], fresh: str, now_ns: int) -> None:
        await connection.execute(
            sa.update(SESSIONS)
            .where(SESSIONS.c.session_id == row.session_id)
            .values(expires_ns=now_ns + row.life_s * SECOND_NS)
        )
        await _insert_token(connection, row.session_id, fresh, now_ns, row.life_s)

    def _tokens(self, user: User, session_id: str, fresh: str) -> Tokens:
        access = issue(self._key, user.user_id, session_id, self._clock.now_ns() // SECOND_NS)
        return Tokens(access, fresh, ACCESS_LIFE_S, user)

    async def _note(self, actor: str, action: str, outcome: str, origin: Origin) -> None:
        now_ns = self._clock.now_ns()
        async with self._db.begin() as connection:
            await append(connection, _entry(actor, action, actor, outcome, origin), now_ns)


def _family(token_hash: str) -> sa.Select[Any]:
    return (
        sa.select(
            *USER_COLUMNS,
            SESSIONS.c.session_id,
            SESSIONS.c.life_s,
            SESSIONS.c.ended_ns,
            REFRESH_TOKENS.c.expires_ns,
        )
        .join_from(REFRESH_TOKENS, SESSIONS, REFRESH_TOKENS.c.session_id == SESSIONS.c.session_id)
        .join(USERS, SESSIONS.c.user_id == USERS.c.user_id)
        .where(REFRESH_TOKENS.c.token_hash == token_hash)
    )


def _refusal(row: sa.Row[Any] | None, now_ns: int, *, first_use: bool) -> str | None:
    if row is None:
        return "token_invalid"
    if not first_use:
        return "refresh_reused"
    if row.ended_ns is not None or row.status != "active":
        return "session_revoked"
    return "token_expired" if row.expires_ns <= now_ns else None


async def _insert_token(
    connection: AsyncConnection, session_id: str, token: str, now_ns: int, life_s: int
) -> None:
    facts = {
        "token_hash": _hashed(token),
        "session_id": session_id,
        "issued_ns": now_ns,
        "expires_ns": now_ns + life_s * SECOND_NS,
    }
    await connection.execute(sa.insert(REFRESH_TOKENS), facts)


def _hashed(token: str) -> str:
    """The token as it is stored; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def _ended(expires_ns: int | None, now_ns: int) -> bool:
    return expires_ns is not None and expires_ns <= now_ns


def _revoked() -> Unauthenticated:
    return Unauthenticated("The session has ended; log in.", reason="session_revoked")


def _entry(actor: str, action: str, thing: str, outcome: str, origin: Origin) -> Entry:
    return Entry(actor=actor, action=action, object=thing, outcome=outcome, origin=origin)
