"""Routes of administrators: people, what is granted to them, and the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sextant.api.admin_schemas import (
    AuditAnswer,
    AuditQuery,
    AuditRow,
    CacheAnswer,
    GrantsAnswer,
    GrantsBody,
    UserBody,
    UserMade,
    UserPatch,
    UserRow,
    UsersAnswer,
    UsersQuery,
)
from sextant.api.cursors import Cursors
from sextant.api.endpoint import Answer, Call, Endpoint, NoBody, NoQuery
from sextant.api.times import time_field
from sextant.errors import InputError
from sextant.kit.clock import Clock
from sextant.model.times import iso_ms
from sextant.strategies.contract import Strategy
from sextant.vault.audit import AuditFilter, AuditTrail, Entry, Sealed
from sextant.vault.records import Permission, Role, User
from sextant.vault.users import UserChange, UserFilter, Users, UserSpec

BASE: Final = "/api/v1/admin"
READ: Final[tuple[Permission, ...]] = ("admin:read",)
WRITE: Final[tuple[Permission, ...]] = ("admin:write",)


def starting_grants(role: Role, catalogue: Mapping[str, Strategy]) -> tuple[str, ...]:
    """Strategies granted to a person from the start: all to an administrator, to others what onboarding gives them."""
    return tuple(catalogue) if role == "admin" else ()


class AdminRoutes:
    """Lists and changes people, replaces grants, reads the audit.

    Parameters
    ----------
    users, trail
        Front doors of the vault.
    catalogue
        The strategies there are.
    cursors
        Signs pages.
    clock
        Judges ends of grants.
    """

    def __init__(
        self,
        users: Users,
        trail: AuditTrail,
        catalogue: Mapping[str, Strategy],
        cursors: Cursors,
        clock: Clock,
    ) -> None:
        self._users = users
        self._trail = trail
        self._catalogue = catalogue
        self._cursors = cursors
        self._clock = clock

    async def list_users(self, call: Call[NoBody, UsersQuery]) -> UsersAnswer:
        """A page of people."""
        query = call.query
        bound = (call.user_id, "users", query.q, query.role, query.status)
        place = None if query.cursor is None else self._cursors.read(query.cursor, *bound)
        after = None if place is None else (int(place[0]), str(place[1]))
        only = UserFilter(query.q, query.role, query.status)
        page = await self._users.page(query.limit + 1, after, only)
        shown = page[: query.limit]
        last = shown[-1] if len(page) > query.limit else None
        return UsersAnswer(
            await self._rows(shown),
            None if last is None else self._cursors.make((last.created_ns, last.user_id), *bound),
        )

    async def add_user(self, call: Call[UserBody, NoQuery]) -> Answer:
        """A person and a password that is shown once."""
        body = call.body
        grants = starting_grants(body.role, self._catalogue)
        spec = UserSpec(body.email, body.full_name, body.role, body.status, grants)
        user, password = await self._users.add(spec, call.user_id, call.origin)
        return Answer(UserMade((await self._rows([user]))[0], password), 201)

    async def change_user(self, call: Call[UserPatch, NoQuery]) -> UserRow:
        """The person after the change; who becomes an administrator is granted every strategy."""
        user_id, body = call.path["user_id"], call.body
        before = await self._users.get(user_id)
        change = UserChange(body.role, body.status, body.full_name)
        user = await self._users.change(user_id, change, call.user_id, call.origin)
        if user.role == "admin" and before.role != "admin":
            await self._users.grant(user_id, list(self._catalogue), by=call.user_id, origin=call.origin)
        return (await self._rows([user]))[0]

    async def grant(self, call: Call[GrantsBody, NoQuery]) -> GrantsAnswer:
        """What the new set of grants added and took away."""
        body = call.body
        unknown = sorted(set(body.strategy_ids) - set(self._catalogue))
        if unknown:
            raise InputError(
                f"There is no strategy '{unknown[0]}'.", reason="not_a_choice", field="strategy_ids"
            )
        change = await self._users.grant(
            call.path["user_id"],
            body.strategy_ids,
            by=call.user_id,
            expires_ns=self._end_of(body.expires_at),
            origin=call.origin,
        )
        return GrantsAnswer(list(change.granted), list(change.revoked))

    async def clear_cache(self, call: Call[NoBody, NoQuery]) -> CacheAnswer:
        """That nothing had to be dropped: every answer is read from the rows."""
        user = await self._users.get(call.path["user_id"])
        await self._trail.note(
            Entry(
                actor=call.user_id,
                action="cache.clear",
                object=user.user_id,
                outcome="ok",
                origin=call.origin,
            )
        )
        return CacheAnswer(True, 0, "No rendered answers are kept; every answer is read from the rows.")

    async def audit(self, call: Call[NoBody, AuditQuery]) -> AuditAnswer:
        """A page of the audit, newest first."""
        query = call.query
        bound = (call.user_id, "audit", query.user_id, query.action, query.since, query.until)
        place = None if query.cursor is None else self._cursors.read(query.cursor, *bound)
        only = AuditFilter(
            query.user_id, query.action, time_field(query.since, "since"), time_field(query.until, "until")
        )
        page = await self._trail.page(only, query.limit + 1, None if place is None else int(place[0]))
        shown = page[: query.limit]
        more = len(page) > query.limit
        return AuditAnswer(
            [_entry(item) for item in shown],
            self._cursors.make((shown[-1].position,), *bound) if more else None,
            await self._trail.whole(),
        )

    def endpoints(self) -> list[Endpoint]:
        """The rows of api.md 2.9 about people and the audit."""
        return [*self._reading_endpoints(), *self._writing_endpoints()]

    def _reading_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=f"{BASE}/users",
                name="admin_users",
                summary="People in the order they were added",
                access=READ,
                handler=self.list_users,
                query=UsersQuery,
                answer=UsersAnswer,
                proof=("A01",),
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/audit",
                name="admin_audit",
                summary="The audit, newest first, and whether its chain is unbroken",
                access=READ,
                handler=self.audit,
                query=AuditQuery,
                answer=AuditAnswer,
                proof=("A34",),
            ),
        ]

    def _writing_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="POST",
                path=f"{BASE}/users",
                name="admin_add_user",
                summary="Add a person; the one-time password is shown once",
                access=WRITE,
                handler=self.add_user,
                body=UserBody,
                answer=UserMade,
                status=201,
                errors=(409,),
                proof=("A34",),
                idempotency=False,
            ),
            Endpoint(
                method="PATCH",
                path=f"{BASE}/users/{{user_id}}",
                name="admin_change_user",
                summary="Change role, status or name of a person",
                access=WRITE,
                handler=self.change_user,
                body=UserPatch,
                answer=UserRow,
                errors=(409,),
                proof=("A34",),
            ),
            Endpoint(
                method="PUT",
                path=f"{BASE}/users/{{user_id}}/grants",
                name="admin_grant",
                summary="Replace the set of strategies granted to a person",
                access=WRITE,
                handler=self.grant,
                body=GrantsBody,
                answer=GrantsAnswer,
                proof=("A05", "A34"),
            ),
            Endpoint(
                method="DELETE",
                path="/api/v1/scan-diagnostics/clear-scan-cache/{user_id}",
                name="diagnostics_clear_cache",
                summary="Drop rendered answers of a user; no scan and no result is touched",
                access=WRITE,
                handler=self.clear_cache,
                answer=CacheAnswer,
                proof=("A34", "A38"),
            ),
        ]

    async def _rows(self, users: Sequence[User]) -> list[UserRow]:
        counts = await self._users.grant_counts([user.user_id for user in users])
        return [_row(user, counts.get(user.user_id, 0)) for user in users]

    def _end_of(self, text: str | None) -> int | None:
        end_ns = time_field(text, "expires_at")
        if end_ns is not None and end_ns <= self._clock.now_ns():
            raise InputError(f"{text} has passed.", reason="out_of_range", field="expires_at")
        return end_ns


def _row(user: User, strategies: int) -> UserRow:
    return UserRow(
        id=user.user_id,
        email=user.email,
        full_name=user.full_name,
        role=user.role,
        status=user.status,
        created_at=iso_ms(user.created_ns),
        last_login=None if user.last_login_ns is None else iso_ms(user.last_login_ns),
        strategies_count=strategies,
        accounts_count=None,
    )


def _entry(item: Sealed) -> AuditRow:
    return AuditRow(
        time=iso_ms(item.time_ns),
        actor=item.actor,
        action=item.action,
        object=item.object,
        outcome=item.outcome,
        address=item.address,
        request_id=item.request_id,
        hash=item.hash,
    )
