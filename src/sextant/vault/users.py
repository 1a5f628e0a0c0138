"""People: who exists, what they may do, what is granted to them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sextant.errors import Conflict, InputError, NotFound
from sextant.kit.clock import Clock
from sextant.kit.db import exclusive
from sextant.kit.hot_reads import HotQuery, HotReads
from sextant.kit.ids import new_id, new_secret, new_uuid
from sextant.model.account import Profile
from sextant.model.times import SECOND_NS
from sextant.vault.audit import Entry, Origin, append
from sextant.vault.passwords import Passwords
from sextant.vault.records import Role, User, UserStatus
from sextant.vault.store import (
    GRANTS,
    ONBOARDINGS,
    USER_COLUMNS,
    USERS,
    email_key,
    end_sessions,
    user_of,
)

ONE_TIME_LIFE_S: Final = 86_400  # api.md 2.9: a one-time password ends after 24 h
_ONE_TIME_CHARACTERS: Final = 20  # 120 random bits, still copied by hand
MOST_EMAIL: Final = 254  # RFC 5321, 4.5.3.1.3
MOST_NAME: Final = 128


_GRANTS: Final = HotQuery(
    sa.select(GRANTS.c.strategy_id, GRANTS.c.expires_ns).where(GRANTS.c.user_id == sa.bindparam("user_id")),
    lambda row: (str(row.strategy_id), row.expires_ns),
)


class Onboarding(msgspec.Struct, frozen=True):
    """The first answer to a request for the starting package."""

    onboarding_id: str
    strategy_ids: tuple[str, ...]
    onboarded_ns: int


class UserSpec(msgspec.Struct, frozen=True):
    """A person to add.

    Parameters
    ----------
    grants
        Strategies granted from the start.
    must_change
        The password ends after 24 h and opens nothing but its own change; false for a demo, whose data is simulated.
    """

    email: str
    full_name: str
    role: Role
    status: UserStatus = "active"
    grants: tuple[str, ...] = ()
    must_change: bool = True


class UserFilter(msgspec.Struct, frozen=True):
    """Which people are listed; ``text`` is looked for in address and name, whatever the case of Latin letters."""

    text: str | None = None
    role: Role | None = None
    status: UserStatus | None = None


class GrantChange(msgspec.Struct, frozen=True):
    """What a new set of grants added and took away, in the order of their names."""

    granted: tuple[str, ...]
    revoked: tuple[str, ...]


class UserChange(msgspec.Struct, frozen=True):
    """What an administrator changes of a person; None leaves a field as it is."""

    role: Role | None = None
    status: UserStatus | None = None
    full_name: str | None = None


class Users:
    """Adds, reads and changes people.

    Parameters
    ----------
    db
        An engine of ``kit.db``; its schema is migrated.
    clock
        Gives the times written to rows.
    passwords
        Hashes one-time passwords.
    """

    def __init__(self, db: AsyncEngine, clock: Clock, passwords: Passwords | None = None) -> None:
        self._db = db
        self._clock = clock
        self._passwords = passwords or Passwords()
        self._reads = HotReads(db)

    async def add(
        self, spec: UserSpec, by: str = "operator", origin: Origin | None = None
    ) -> tuple[User, str]:
        """A person and the password that is shown once.

        Raises
        ------
        Conflict
            If the address is taken, whatever its case.
        InputError
            If the address or the name cannot be one.
        """
        _check(spec.email, spec.full_name)
        now_ns = self._clock.now_ns()
        password = new_secret()[:_ONE_TIME_CHARACTERS]
        user = User(
            user_id=new_uuid(),
            email=spec.email.strip(),
            full_name=spec.full_name,
            role=spec.role,
            status=spec.status,
            risk_profile="balanced",
            created_ns=now_ns,
            last_login_ns=None,
            must_change=spec.must_change,
        )
        row = msgspec.structs.asdict(user) | {
            "email_key": email_key(spec.email),
            "password_hash": await self._passwords.hash(password),
            "password_expires_ns": now_ns + ONE_TIME_LIFE_S * SECOND_NS if spec.must_change else None,
        }
        try:
            async with self._db.begin() as connection:
                await connection.execute(sa.insert(USERS), row)
                await _write_grants(connection, user.user_id, spec.grants, now_ns, None)
                entry = _entry(by, "user.add", user.user_id, origin or Origin())
                await append(connection, entry, now_ns)
        except sa.exc.IntegrityError:
            raise Conflict(f"There is a user with the address {user.email}.", reason="duplicate") from None
        return user, password

    async def get(self, user_id: str) -> User:
        """The person with this id.

        Raises
        ------
        NotFound
            If there is none.
        """
        return await self._one(USERS.c.user_id == user_id, user_id)

    async def by_email(self, email: str) -> User:
        """The person with this address, whatever its case.

        Raises
        ------
        NotFound
            If there is none.
        """
        return await self._one(USERS.c.email_key == email_key(email), email)

    async def page(
        self, limit: int, after: tuple[int, str] | None = None, only: UserFilter | None = None
    ) -> list[User]:
        """People in the order they were added, from after the one with this creation time and id."""
        only = only or UserFilter()
        query = sa.select(*USER_COLUMNS).order_by(USERS.c.created_ns, USERS.c.user_id).limit(limit)
        if only.text is not None:
            query = query.where(
                sa.or_(
                    USERS.c.email_key.icontains(only.text.casefold(), autoescape=True),
                    USERS.c.full_name.icontains(only.text, autoescape=True),
                )
            )
        if only.role is not None:
            query = query.where(USERS.c.role == only.role)
        if only.status is not None:
            query = query.where(USERS.c.status == only.status)
        if after is not None:
            query = query.where(sa.tuple_(USERS.c.created_ns, USERS.c.user_id) > sa.tuple_(*after))
        async with self._db.connect() as connection:
            return [user_of(row) for row in await connection.execute(query)]

    async def set_profile(
        self, user_id: str, *, full_name: str | None = None, risk_profile: Profile | None = None
    ) -> User:
        """The person after changing what they may change themselves."""
        facts: dict[str, Any] = {}
        if full_name is not None:
            _check_name(full_name)
            facts["full_name"] = full_name
        if risk_profile is not None:
            facts["risk_profile"] = risk_profile
        if facts:
            async with self._db.begin() as connection:
                await connection.execute(sa.update(USERS).where(USERS.c.user_id == user_id).values(**facts))
        return await self.get(user_id)

    async def change(self, user_id: str, change: UserChange, by: str, origin: Origin) -> User:
        """The person after an administrator's change; whoever is no longer active loses their sessions.

        Raises
        ------
        NotFound
            If there is no such person.
        Conflict
            If the change would leave no active administrator.
        """
        facts = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
        if change.full_name is not None:
            _check_name(change.full_name)
        now_ns = self._clock.now_ns()
        async with self._db.begin() as connection:
            await exclusive(connection, "users")
            where = USERS.c.user_id == user_id
            row = (await connection.execute(sa.select(*USER_COLUMNS).where(where))).first()
            if row is None:
                raise NotFound(f"There is no user '{user_id}'.")
            before = user_of(row)
            after = msgspec.structs.replace(before, **facts)
            if _administers(before) and not _administers(after):
                await _refuse_last_administrator(connection, user_id)
            if facts:
                await connection.execute(sa.update(USERS).where(where).values(**facts))
            if after.status != "active":
                await end_sessions(connection, user_id, now_ns, after.status)
            await append(connection, _entry(by, "user.change", user_id, origin), now_ns)
        return after

    async def grant_counts(self, user_ids: Collection[str]) -> dict[str, int]:
        """How many strategies are granted now to each of these people; people with none are absent."""
        query = (
            sa.select(GRANTS.c.user_id, sa.func.count().label("count_now"))
            .where(GRANTS.c.user_id.in_(user_ids), self._granted_now())
            .group_by(GRANTS.c.user_id)
        )
        async with self._db.connect() as connection:
            return {row.user_id: row.count_now for row in await connection.execute(query)}

    async def grants(self, user_id: str) -> frozenset[str]:
        """Strategies granted to a person now."""
        now_ns = self._clock.now_ns()
        held = await self._reads.all(_GRANTS, user_id=user_id)
        return frozenset(name for name, expires_ns in held if expires_ns is None or expires_ns > now_ns)

    async def grant(
        self,
        user_id: str,
        strategy_ids: Collection[str],
        *,
        by: str,
        expires_ns: int | None = None,
        origin: Origin | None = None,
    ) -> GrantChange:
        """What the new set of strategies granted to a person added and took away; it replaces the whole set.

        Raises
        ------
        NotFound
            If there is no such person.
        """
        now_ns = self._clock.now_ns()
        async with self._db.begin() as connection:
            await exclusive(connection, "users")
            known = sa.select(USERS.c.user_id).where(USERS.c.user_id == user_id)
            if (await connection.execute(known)).first() is None:
                raise NotFound(f"There is no user '{user_id}'.")
            query = sa.select(GRANTS.c.strategy_id).where(GRANTS.c.user_id == user_id, self._granted_now())
            before = set((await connection.execute(query)).scalars())
            await connection.execute(sa.delete(GRANTS).where(GRANTS.c.user_id == user_id))
            await _write_grants(connection, user_id, strategy_ids, now_ns, expires_ns)
            await append(connection, _entry(by, "user.grant", user_id, origin or Origin()), now_ns)
        wanted = set(strategy_ids)
        return GrantChange(tuple(sorted(wanted - before)), tuple(sorted(before - wanted)))

    async def onboard(self, user_id: str, strategy_ids: Collection[str]) -> Onboarding:
        """The starting package of a person; the first call grants it, later calls tell what the first one did."""
        now_ns = self._clock.now_ns()
        async with self._db.begin() as connection:
            await exclusive(connection, f"onboard {user_id}")
            query = sa.select(ONBOARDINGS).where(ONBOARDINGS.c.user_id == user_id)
            row = (await connection.execute(query)).first()
            if row is not None:
                return Onboarding(row.onboarding_id, tuple(row.strategy_ids), row.onboarded_ns)
            query_grants = sa.select(GRANTS.c.strategy_id).where(GRANTS.c.user_id == user_id)
            held = set((await connection.execute(query_grants)).scalars())
            missing = [strategy_id for strategy_id in strategy_ids if strategy_id not in held]
            await _write_grants(connection, user_id, missing, now_ns, None)
            first = Onboarding(new_id("onb"), tuple(strategy_ids), now_ns)
            await connection.execute(
                sa.insert(ONBOARDINGS),
                {
                    "user_id": user_id,
                    "onboarding_id": first.onboarding_id,
                    "strategy_ids": list(first.strategy_ids),
                    "onboarded_ns": now_ns,
                },
            )
            await append(connection, _entry(user_id, "user.onboard", user_id, Origin()), now_ns)
        return first

    def _granted_now(self) -> sa.ColumnElement[bool]:
        return sa.or_(GRANTS.c.expires_ns.is_(None), GRANTS.c.expires_ns > self._clock.now_ns())

    async def _one(self, where: sa.ColumnElement[bool], wanted: str) -> User:
        async with self._db.connect() as connection:
            row = (await connection.execute(sa.select(*USER_COLUMNS).where(where))).first()
        if row is None:
            raise NotFound(f"There is no user '{wanted}'.")
        return user_of(row)


async def _write_grants(
    connection: AsyncConnection,
    user_id: str,
    strategy_ids: Collection[str],
    now_ns: int,
    expires_ns: int | None,
) -> None:
    if strategy_ids:
        facts = {"user_id": user_id, "granted_ns": now_ns, "expires_ns": expires_ns}
        rows = [facts | {"strategy_id": strategy_id} for strategy_id in dict.fromkeys(strategy_ids)]
        await connection.execute(sa.insert(GRANTS), rows)


async def _refuse_last_administrator(connection: AsyncConnection, user_id: str) -> None:
    query = (
        sa.select(sa.func.count())
        .select_from(USERS)
        .where(USERS.c.role == "admin", USERS.c.status == "active", USERS.c.user_id != user_id)
    )
    if not (await connection.execute(query)).scalar_one():
        raise Conflict("This is the last active administrator.", reason="last_admin")


def _administers(user: User) -> bool:
    return user.role == "admin" and user.status == "active"


def _entry(actor: str, action: str, user_id: str, origin: Origin) -> Entry:
    return Entry(actor=actor, action=action, object=user_id, outcome="ok", origin=origin)


def _check(email: str, full_name: str) -> None:
    address = email.strip()
    local, at, domain = address.rpartition("@")
    if not (at and local and domain) or len(address) > MOST_EMAIL or any(c.isspace() for c in address):
        raise InputError(
            f"'{address[:MOST_EMAIL]}' is not an email address of at most {MOST_EMAIL} characters.",
            reason="out_of_range",
            field="email",
        )
    _check_name(full_name)


def _check_name(full_name: str) -> None:
    if not 1 <= len(full_name) <= MOST_NAME:
        raise InputError(
            f"full_name has {len(full_name)} characters; allowed are 1..{MOST_NAME}.",
            reason="out_of_range",
            field="full_name",
        )
