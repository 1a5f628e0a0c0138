"""The order of checks: size and syntax, identity, permission, rate, fields, object."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from sextant.api.endpoint import PUBLIC, Call, Endpoint, NoBody, NoQuery, Result
from sextant.api.exchange import Exchange
from sextant.api.limits import BODY_BYTES, HEADER_BYTES, URL_BYTES, RateLimits, check_json
from sextant.api.problems import Refused, invalid_field
from sextant.errors import Denied, InputError, NotFound, Unauthenticated
from sextant.vault.audit import Origin
from sextant.vault.keys import MARK, ApiKeys
from sextant.vault.records import Identity
from sextant.vault.sessions import Sessions

IDEMPOTENCY_KEY: Final = re.compile(r"[A-Za-z0-9_-]{8,128}")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})
_NO_BODY: Final = NoBody()
_NO_QUERY: Final = NoQuery()


@dataclass(frozen=True)
class Gate:
    """Lets a request through to its handler, or says why not.

    Parameters
    ----------
    sessions, keys
        Recognise credentials.
    limits
        Counts requests.
    """

    sessions: Sessions
    keys: ApiKeys
    limits: RateLimits

    async def serve(self, endpoint: Endpoint, request: Exchange) -> Result:
        """The handler's answer to a request that passed every check.

        Raises
        ------
        SextantError
            Of the first check that refuses.
        """
        address = request.address
        if endpoint.access == PUBLIC:
            await self._count(endpoint, request, address)
        check_shape(request)
        fields = read_query(request)
        raw = await read_body(request) if request.scope["method"] in _WITH_BODY else b""
        check_key(endpoint, request.headers)
        who = await self._identify(endpoint, request, address)
        check_permission(endpoint, who)
        caller = request.caller = address if who is None else who.user.user_id
        if endpoint.access != PUBLIC:
            await self._count(endpoint, request, address if endpoint.policy.per_address else caller)
        call: Call[Any, Any] = Call(
            who=who,
            body=decode_body(endpoint, raw),
            query=decode_query(endpoint, fields),
            path=request.path,
            headers=request.headers,
            origin=Origin(address, request.request_id),
            url_path=request.scope["path"],
        )
        if who is None:
            return await endpoint.handler(call)
        self.limits.begin(caller)
        try:
            return await endpoint.handler(call)
        finally:
            self.limits.end(caller)

    async def _count(self, endpoint: Endpoint, request: Exchange, caller: str) -> None:
        request.standing = await self.limits.admit(endpoint.policy, caller)

    async def _identify(self, endpoint: Endpoint, request: Exchange, address: str) -> Identity | None:
        header = request.headers.get("authorization")
        if endpoint.reads_credential:
            return await self._known(header, address)
        if endpoint.access == PUBLIC or (endpoint.loopback and header is None and _is_loopback(address)):
            return None
        scheme, _, token = (header or "").partition(" ")
        if not token or scheme.lower() != "bearer":
            raise Unauthenticated("A Bearer token is needed.", reason="token_missing")
        return await self._recognise(token, address)

    async def _recognise(self, token: str, address: str) -> Identity:
        if token.startswith(MARK):
            return await self.keys.identify(token, address)
        return await self.sessions.identify(token)

    async def _known(self, header: str | None, address: str) -> Identity | None:
        """Who asks a public route, if the credential is valid; otherwise nobody."""
        scheme, _, token = (header or "").partition(" ")
        if not token or scheme.lower() != "bearer":
            return None
        try:
            return await self._recognise(token, address)
        except Unauthenticated:
            return None


def check_shape(request: Exchange) -> None:
    """Do nothing if path and headers have the size and spelling of the documented ones.

    Raises
    ------
    Refused
        If the URL or the headers are too large.
    NotFound
        If the path is spelled in another way than documented.
    """
    scope = request.scope
    raw_path = scope["raw_path"]
    if len(raw_path) + len(scope["query_string"]) > URL_BYTES:
        raise Refused("too_large", f"The URL has more than {URL_BYTES} bytes.", reason="url")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
        raise Refused("too_large", f"The headers have more than {HEADER_BYTES} bytes.", reason="header")
    path = raw_path.partition(b"?")[0]
    # A colon, of which ids of instruments are full, is escaped by most clients though no path needs it.
    path = path.replace(b"%3A", b":").replace(b"%3a", b":")
    if b"%" in path or b"//" in path or path.endswith(b"/"):
        raise NotFound("There is no such path.")


def read_query(request: Exchange) -> Mapping[str, str]:
    """The fields of the query string.

    Raises
    ------
    Refused
        If one is given twice.
    """
    if not request.scope["query_string"]:
        return _NO_FIELDS
    pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    fields = dict(pairs)
    if any("\x00" in text for pair in pairs for text in pair):
        raise Refused("malformed", "The query string has the character U+0000.", reason="bad_query")
    if len(fields) < len(pairs):
        raise Refused("malformed", "A query field is given twice.", reason="duplicate_key")
    return fields


async def read_body(request: Exchange) -> bytes:
    """The body, never more of it than allowed.

    Raises
    ------
    Refused
        If it is too large, compressed, of another type, or not JSON.
    """
    length = request.headers.get("content-length", "0")
    if not length.isdecimal():
        raise Refused("malformed", "Content-Length is not a number.", reason="bad_header")
    if int(length) > BODY_BYTES:
        raise _too_large()
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused("unsupported_media_type", "Bodies are not compressed.", reason="content_encoding")
    parts, size = [], 0
    async for part in request.body():
        size += len(part)
        if size > BODY_BYTES:
            raise _too_large()
        parts.append(part)
    body = b"".join(parts)
    if body:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Refused("unsupported_media_type", "Bodies are application/json.", reason="content_type")
        check_json(body)
    return body


def check_key(endpoint: Endpoint, headers: Mapping[str, str]) -> None:
    """Do nothing if an Idempotency-Key has the right shape, or is absent."""
    key = headers.get("idempotency-key")
    if key is None:
        return
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise Refused(
            "malformed", "Idempotency-Key is not 8..128 of A-Z, a-z, 0-9, _ and -.", reason="bad_header"
        )
    if not endpoint.idempotency:
        raise InputError(
            "Answers with secrets are never stored; send no Idempotency-Key.",
            reason="unknown_field",
            field="Idempotency-Key",
        )


def check_permission(endpoint: Endpoint, who: Identity | None) -> None:
    """Do nothing if the credential opens the route.

    Raises
    ------
    Denied
        With the reason: the role, the key's scopes, or the need of a session.
    """
    if who is None or not isinstance(endpoint.access, tuple):
        return
    if who.permissions.intersection(endpoint.access):
        return
    if who.via == "api_key":
        reason = "session_required" if endpoint.session_only else "scope"
        raise Denied(f"The API key does not open this: {' or '.join(endpoint.access)}.", reason=reason)
    if who.user.must_change:
        raise Denied("Choose a password of your own first.", reason="password_change_required")
    raise Denied(f"Your role does not open this: {' or '.join(endpoint.access)}.", reason="role")


def decode_body(endpoint: Endpoint, raw: bytes) -> Any:
    """The body in its declared shape; without one, that of no fields."""
    shape = endpoint.body or NoBody
    if not raw and shape is NoBody:
        return _NO_BODY
    try:
        return msgspec.json.decode(raw or b"{}", type=shape)
    except msgspec.ValidationError as error:
        raise invalid_field(error) from None


def decode_query(endpoint: Endpoint, fields: Mapping[str, str]) -> Any:
    """The query string in its declared shape."""
    if not fields and endpoint.query is NoQuery:
        return _NO_QUERY
    try:
        return msgspec.convert(fields, endpoint.query, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_field(error) from None


def _too_large() -> Refused:
    return Refused("too_large", f"The body has more than {BODY_BYTES} bytes.", reason="body")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
