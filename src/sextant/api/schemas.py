"""Shapes of bodies about people, sessions, keys and health, in the words of the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sextant.model.account import Profile
from sextant.vault.records import Permission, Role, UserStatus, Via

Email = Annotated[str, Meta(min_length=3, max_length=254, examples=["ada@example.org"])]
Password = Annotated[str, Meta(min_length=8, max_length=128, examples=["correct horse battery"])]
FullName = Annotated[str, Meta(min_length=1, max_length=128, examples=["Ada Lovelace"])]
Time = Annotated[
    str, Meta(description="ISO-8601 UTC with milliseconds and Z.", examples=["2026-03-01T12:00:00.123Z"])
]
HealthWord = Literal["healthy", "degraded", "unhealthy"]


class LoginBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants a session."""

    email: Email
    password: Password
    remember_me: bool = False
    mfa_code: Annotated[None, Meta(description="Null until second factors are built.")] = None
    tenant_id: Annotated[None, Meta(description="Always null.")] = None


class RefreshBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token to spend."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=512)]


class LogoutBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether to end this session, or every session of the user."""

    all: bool = False


class PasswordBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password there is and the one to be."""

    current_password: Annotated[str, Meta(min_length=1, max_length=128)]
    new_password: Password


class MeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person may change about themselves; absent fields stay."""

    full_name: FullName | None = None
    risk_profile: Profile | None = None


class KeyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A personal API key to make."""

    name: Annotated[str, Meta(min_length=1, max_length=64, examples=["script"])]
    scopes: Annotated[list[Permission], Meta(min_length=1, max_length=16, examples=[["scan:read"]])]
    expires_days: Annotated[int, Meta(ge=1, le=365)] = 90
    addresses: Annotated[
        list[str], Meta(max_length=16, description="Networks in CIDR form; empty: any address.")
    ] = []


class TokensBody(msgspec.Struct, frozen=True, kw_only=True):
    """Fresh tokens; neither can be asked for again."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int
    user_id: str
    role: Role
    tenant_id: None
    permissions: list[Permission]


class LogoutAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many sessions were ended."""

    message: str
    user_id: str
    sessions_cleaned: int
    token_blacklisted: bool


class MessageAnswer(msgspec.Struct, frozen=True):
    """A sentence about what was done."""

    message: str


class MeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The person behind the credential."""

    id: str
    email: str
    full_name: str
    role: Role
    status: UserStatus
    risk_profile: Profile
    tenant_id: None
    created_at: Time
    last_login: Time | None
    mfa_enabled: bool
    permissions: list[Permission]
    via: Via


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A personal API key without its secret."""

    key_id: str
    name: str
    scopes: list[Permission]
    addresses: list[str]
    created_at: Time
    expires_at: Time
    last_used_at: Time | None
    last_address: str | None


class KeysAnswer(msgspec.Struct, frozen=True):
    """The caller's personal API keys."""

    keys: list[KeyRow]


class KeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh personal API key; ``secret`` is shown this once."""

    key_id: str
    name: str
    scopes: list[Permission]
    addresses: list[str]
    created_at: Time
    expires_at: Time
    secret: str


class CheckBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a part of the system says of itself."""

    status: HealthWord
    detail: Annotated[str | None, Meta(description="Null while healthy.")]
    since: Time
    age_s: float


class HealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the system and of each part."""

    status: HealthWord
    version: str
    feed: Literal["live", "demo", "replay"]
    checks: dict[str, CheckBody]


class LiveAnswer(msgspec.Struct, frozen=True):
    """That the process turns, and how late its loop is."""

    status: Literal["ok"]
    loop_lag_ms: float


class ReadyAnswer(msgspec.Struct, frozen=True):
    """Whether the process can serve, and why not."""

    ready: bool
    reasons: list[str]


class PingAnswer(msgspec.Struct, frozen=True):
    """That the process answers."""

    status: Literal["ok"]
    timestamp: Time


class OpenApiAnswer(msgspec.Struct, frozen=True):
    """The OpenAPI document of this build."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]
