"""People and what they may do: roles are rows of one table of permissions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

import msgspec

from sextant.model.account import Profile

Role = Literal["admin", "trader", "viewer", "api_only"]
UserStatus = Literal["active", "inactive", "suspended", "pending_verification"]
Via = Literal["session", "api_key"]
Permission = Literal[
    "market:read",
    "scan:run",
    "scan:read",
    "portfolio:read",
    "portfolio:write",
    "accounts:write",
    "chat:use",
    "alerts:read",
    "alerts:write",
    "self:write",
    "ops:read",
    "admin:read",
    "admin:write",
]

PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)

_READER: Final[frozenset[Permission]] = frozenset(
    {"market:read", "scan:run", "scan:read", "portfolio:read", "self:write"}
)

ROLE_PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        "admin": frozenset(PERMISSIONS),
        "trader": _READER | {"portfolio:write", "accounts:write", "chat:use", "alerts:read", "alerts:write"},
        "viewer": _READER | {"chat:use", "alerts:read"},
        "api_only": _READER | {"portfolio:write"},
    }
)
"""The table of api.md 1.3."""

SESSION_ONLY: Final[frozenset[Permission]] = frozenset({"accounts:write", "self:write", "admin:write"})
"""Permissions that no personal API key can hold."""

MUST_CHANGE: Final[frozenset[Permission]] = frozenset({"self:write"})
"""All that a session opened with a one-time password holds."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person who may ask; ``must_change`` while the password is a one-time one."""

    user_id: str
    email: str
    full_name: str
    role: Role
    status: UserStatus
    risk_profile: Profile
    created_ns: int
    last_login_ns: int | None
    must_change: bool

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the person may do in a session."""
        return MUST_CHANGE if self.must_change else ROLE_PERMISSIONS[self.role]


class Identity(msgspec.Struct, frozen=True):
    """Who is behind a request, by which credential, and what that credential opens.

    ``credential_id`` is the session's id or the key's id; ``expires_ns`` is when the credential ends.
    """

    user: User
    via: Via
    credential_id: str
    permissions: frozenset[Permission]
    expires_ns: int


class Tokens(msgspec.Struct, frozen=True):
    """A fresh pair of tokens; neither is stored, so a lost answer means a new login."""

    access_token: str
    refresh_token: str
    expires_in_s: int
    user: User


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A personal API key without its secret."""

    key_id: str
    name: str
    scopes: tuple[Permission, ...]
    addresses: tuple[str, ...]
    created_ns: int
    expires_ns: int
    last_used_ns: int | None
    last_address: str | None


class KeySpec(msgspec.Struct, frozen=True, kw_only=True):
    """A personal API key as it is asked for: its scopes, its life in days, and the networks it works from."""

    name: str
    scopes: tuple[Permission, ...]
    days: int = 90
    addresses: tuple[str, ...] = ()
