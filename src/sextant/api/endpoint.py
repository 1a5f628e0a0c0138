"""What a route is: one row of api.md as data, from which serving and the OpenAPI document are made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

from sextant.api.limits import POLICIES, Policy
from sextant.errors import Unauthenticated
from sextant.vault.audit import Origin
from sextant.vault.records import SESSION_ONLY, Identity, Permission

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Access = Literal["public", "any"] | tuple[Permission, ...]
"""``public``: the credential is ignored; ``any``: a valid one; else one of these permissions is needed."""

PUBLIC: Final = "public"
ANY: Final = "any"


class NoBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body without fields."""


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A query string without fields."""


Body = TypeVar("Body")
Query = TypeVar("Query")


class Call(msgspec.Struct, Generic[Body, Query], frozen=True, kw_only=True):
    """A request that has passed every check but that of its object.

    Parameters
    ----------
    who
        None on public routes.
    path
        Path parameters by name.
    headers
        Header fields by lower-case name.
    """

    who: Identity | None
    body: Body
    query: Query
    path: Mapping[str, str]
    headers: Mapping[str, str]
    origin: Origin
    url_path: str

    @property
    def identity(self) -> Identity:
        """Who asks; only for routes that are not public."""
        if self.who is None:
            raise Unauthenticated("A credential is needed.", reason="token_missing")
        return self.who

    @property
    def user_id(self) -> str:
        """The id of who asks."""
        return self.identity.user.user_id

    def may(self, permission: Permission) -> bool:
        """Whether the credential opens this."""
        return permission in self.identity.permissions


@dataclass(frozen=True)
class Answer:
    """A body with a status that is not 200, or with headers of its own; None is an answer without body."""

    body: msgspec.Struct | bytes | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(frozen=True)
class EventStream:
    """An answer that goes on: frames of server-sent events, made until the iterator ends."""

    frames: AsyncIterator[bytes]


Result = msgspec.Struct | Answer | EventStream
Handler = Callable[[Call[Any, Any]], Awaitable[Result]]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One route.

    Parameters
    ----------
    name
        Operation id, ``room_verb``.
    path
        With parameters as ``{scan_id}``.
    access
        Who may call it.
    answer
        Shape of the body; None where there is none, or it is no JSON.
    status
        Of success.
    errors
        Own statuses beyond the common ones.
    proof
        Check ids of api.md 6.1.
    policy
        Rate policy.
    idempotency
        Whether an Idempotency-Key may be sent; answers with secrets refuse it.
    loopback
        Whether callers on this machine need no credential.
    reads_credential
        Whether a public route is told who asks, if a valid credential says so.
    hot
        Whether it is asked so often that its requests go past the framework's router.
    """

    method: Method
    path: str
    name: str
    summary: str
    access: Access
    handler: Handler
    answer: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] = NoQuery
    status: int = 200
    errors: tuple[int, ...] = ()
    proof: tuple[str, ...] = ()
    policy_name: str = ""
    idempotency: bool = True
    loopback: bool = False
    reads_credential: bool = False
    hot: bool = False
    media_type: str = "application/json"

    @cached_property
    def policy(self) -> Policy:
        """How often it may be called."""
        return POLICIES[self.policy_name or ("anonymous" if self.access == PUBLIC else "default")]

    @property
    def session_only(self) -> bool:
        """Whether no personal API key can call it."""
        return isinstance(self.access, tuple) and all(item in SESSION_ONLY for item in self.access)
