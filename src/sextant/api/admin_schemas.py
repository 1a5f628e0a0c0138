"""Shapes of bodies about other people and the audit, in the words of the wire."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from sextant.api.schemas import Email, FullName, Time
from sextant.vault.records import Role, UserStatus

Cursor = Annotated[str, Meta(min_length=1, max_length=512)]
Limit = Annotated[int, Meta(ge=1, le=200)]
StrategyId = Annotated[str, Meta(min_length=1, max_length=64, examples=["ai_spot_momentum_strategy"])]


class UsersQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which people are listed."""

    q: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    role: Role | None = None
    status: UserStatus | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class UserBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person to add."""

    email: Email
    full_name: FullName
    role: Role
    status: UserStatus = "active"


class UserPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an administrator changes of a person; absent fields stay."""

    role: Role | None = None
    status: UserStatus | None = None
    full_name: FullName | None = None


class GrantsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole set of strategies granted to a person."""

    strategy_ids: Annotated[list[StrategyId], Meta(max_length=64)]
    expires_at: Time | None = None


class AuditQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries of the audit are listed."""

    user_id: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    action: Annotated[str, Meta(min_length=1, max_length=48, examples=["login"])] | None = None
    since: Time | None = None
    until: Time | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    """A person as an administrator sees them."""

    id: str
    email: str
    full_name: str
    role: Role
    status: UserStatus
    created_at: Time
    last_login: Annotated[Time | None, Meta(description="Null before the first login.")]
    strategies_count: int
    accounts_count: Annotated[
        int | None, Meta(description="Null as long as this build connects no venue accounts.")
    ]


class UsersAnswer(msgspec.Struct, frozen=True):
    """A page of people in the order they were added."""

    users: list[UserRow]
    next_cursor: str | None


class UserMade(msgspec.Struct, frozen=True):
    """A fresh person; the password is shown this once, ends after 24 h and opens nothing but its own change."""

    user: UserRow
    one_time_password: str


class GrantsAnswer(msgspec.Struct, frozen=True):
    """What the new set of grants added and took away."""

    granted: list[str]
    revoked: list[str]


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the audit; ``hash`` covers it and the hash before it."""

    time: Time
    actor: str
    action: str
    object: str
    outcome: str
    address: str
    request_id: str
    hash: str


class AuditAnswer(msgspec.Struct, frozen=True):
    """A page of the audit, newest first, and whether the whole chain is unbroken."""

    entries: list[AuditRow]
    next_cursor: str | None
    chain_ok: bool


class CacheAnswer(msgspec.Struct, frozen=True):
    """How many rendered answers were dropped."""

    success: bool
    entries_deleted: int
    message: str
