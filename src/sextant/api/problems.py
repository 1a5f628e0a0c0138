"""The only map from errors to HTTP: RFC 9457 bodies with a stable code, a reason and what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import msgspec

from sextant.errors import InputError, Retry, SextantError

MEDIA_TYPE: Final = "application/problem+json"
SOON_S: Final = 1.0  # when a failure names no time: a stale feed or a full pool is looked at again after this


class FieldError(msgspec.Struct, frozen=True):
    """One field that was refused: where it is, why, what it was and what is allowed."""

    pointer: str
    reason: str
    value: str | None = None
    limit: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal or failure; ``success`` is there for earlier clients."""

    type: str
    title: str
    status: int
    code: str
    reason: str | None
    detail: str
    instance: str
    request_id: str
    retry: Retry
    retry_after_s: float | None = None
    errors: tuple[FieldError, ...] = ()
    success: bool = False


class Refused(SextantError):
    """A request that the transport itself refuses, before any room is asked.

    Parameters
    ----------
    code
        A code of ``TITLES`` that no error of the tree has.
    """

    def __init__(self, code: str, message: str, *, reason: str | None = None, **facts: Any) -> None:
        super().__init__(message, reason=reason, **facts)
        self.wire_code = code


TITLES: Final[Mapping[str, tuple[HTTPStatus, Retry, str]]] = MappingProxyType(
    {
        "malformed": (HTTPStatus.BAD_REQUEST, "change", "The request cannot be read"),
        "unauthenticated": (HTTPStatus.UNAUTHORIZED, "login", "Nobody is known to be behind the request"),
        "denied": (HTTPStatus.FORBIDDEN, "no", "The caller may not do this"),
        "not_found": (HTTPStatus.NOT_FOUND, "no", "There is no such object"),
        "method_not_allowed": (HTTPStatus.METHOD_NOT_ALLOWED, "change", "The path has no such method"),
        "conflict": (HTTPStatus.CONFLICT, "change", "The present state forbids the request"),
        "insufficient": (HTTPStatus.CONFLICT, "after", "Too little data for a truthful answer"),
        "nonce_refused": (HTTPStatus.CONFLICT, "change", "The venue refused the key's counter"),
        "expired": (HTTPStatus.GONE, "no", "The object has passed its retention"),
        "too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "change", "The request is too large"),
        "unsupported_media_type": (
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "change",
            "The body is not plain JSON",
        ),
        "input_error": (HTTPStatus.UNPROCESSABLE_ENTITY, "change", "A value is not allowed"),
        "rejected": (HTTPStatus.UNPROCESSABLE_ENTITY, "change", "The venue refused the request"),
        "rate_limited": (HTTPStatus.TOO_MANY_REQUESTS, "after", "Too many requests"),
        "internal": (HTTPStatus.INTERNAL_SERVER_ERROR, "no", "The server failed"),
        "unreachable": (HTTPStatus.BAD_GATEWAY, "after", "A venue did not answer"),
        "wire_error": (HTTPStatus.BAD_GATEWAY, "no", "A venue answered in an unknown form"),
        "throttled": (HTTPStatus.SERVICE_UNAVAILABLE, "after", "A venue asked for silence"),
        "stale": (HTTPStatus.SERVICE_UNAVAILABLE, "after", "The market data is too old"),
        "sequence_gap": (HTTPStatus.SERVICE_UNAVAILABLE, "after", "An order book is being rebuilt"),
        "budget_exceeded": (HTTPStatus.SERVICE_UNAVAILABLE, "after", "The time for an answer has passed"),
        "store_away": (HTTPStatus.SERVICE_UNAVAILABLE, "after", "The shared store is away"),
        "config_error": (HTTPStatus.SERVICE_UNAVAILABLE, "no", "The feature is not configured"),
    }
)
"""Status, advice and title of each code: api.md 1.4."""

_PATH: Final = re.compile(r" - at `\$([^`]*)`$")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]*)`")
_WRONG_TYPE: Final = re.compile(r"Expected `([^`]*)`, got `")
_BOUND: Final = re.compile(r"([<>]=? [-+.\w]+)$")
_MISSING: Final = re.compile(r"Object missing required field `([^`]*)`")


def code_of(error: SextantError) -> str:
    """The stable code of an error."""
    return error.wire_code if isinstance(error, Refused) else error.code


def status_of(error: SextantError) -> int:
    """The HTTP status of an error."""
    return int(TITLES[code_of(error)][0])


def problem_of(error: SextantError, instance: str, request_id: str) -> Problem:
    """The body that tells an error to a caller."""
    code = code_of(error)
    status, retry, title = TITLES[code]
    return Problem(
        type=f"urn:sextant:problem:{code}",
        title=title,
        status=int(status),
        code=code,
        reason=error.reason,
        detail=error.message,
        instance=instance,
        request_id=request_id,
        retry=retry,
        retry_after_s=retry_after_s(error),
        errors=tuple(_field_errors(error)),
    )


def retry_after_s(error: SextantError) -> float | None:
    """Seconds after which a repetition makes sense; None where it does not."""
    if TITLES[code_of(error)][1] != "after":
        return None
    named = error.facts.get("retry_after_s")
    return SOON_S if named is None else max(SOON_S, float(named))


def invalid_field(error: msgspec.ValidationError) -> InputError:
    """The refusal that a decoder's complaint amounts to; it never repeats the value."""
    text = str(error)
    place = _PATH.search(text)
    message = _PATH.sub("", text)
    pointer = "" if place is None else _pointer(place.group(1))
    limit: str | None = None
    if (unknown := _UNKNOWN.search(message)) is not None:
        pointer, reason = f"{pointer}/{_escaped(unknown.group(1))}", "unknown_field"
    elif (missing := _MISSING.search(message)) is not None:
        pointer, reason = f"{pointer}/{missing.group(1)}", "missing_field"
    elif message.startswith("Invalid enum value"):
        message, reason = "The value is not one of the choices", "not_a_choice"
    elif (kinds := _WRONG_TYPE.search(message)) is not None:
        reason, limit = "wrong_type", kinds.group(1)
    else:
        bound = _BOUND.search(message)
        reason, limit = "out_of_range", None if bound is None else bound.group(1)
    return InputError(f"{message.replace('`', chr(39))}.", reason=reason, pointer=pointer or "/", limit=limit)


def _pointer(path: str) -> str:
    """``.a[0].b`` as the JSON pointer ``/a/0/b``."""
    known = path.replace("[...]", "")  # the decoder does not name the keys of free objects
    return known.replace("[", ".").replace("]", "").replace(".", "/")


def _escaped(name: str) -> str:
    """A name as RFC 6901 wants it in a pointer, cut where it is no name any more."""
    return name[:64].replace("~", "~0").replace("/", "~1")


def _field_errors(error: SextantError) -> list[FieldError]:
    pointer = error.facts.get("pointer")
    if pointer is None and "field" in error.facts:
        pointer = f"/{error.facts['field']}"
    if pointer is None:
        return []
    return [FieldError(pointer, error.reason or code_of(error), limit=error.facts.get("limit"))]
