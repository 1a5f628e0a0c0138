"""The error tree, drawn by what the caller should do.

::

    SextantError
    ├── InputError          the request is wrong: change it
    ├── Unauthenticated     nobody, or nobody any more, is behind the request: log in
    ├── Denied              the caller may not do this: do not repeat
    ├── NotFound            no such object, or not the caller's: do not repeat
    │   └── Expired         it existed and its retention has passed
    ├── Conflict            the state of something else forbids it: look, then change
    ├── Insufficient        too little data for a truthful answer: expected, counted, not logged
    ├── ConfigError         the operator must change the configuration
    ├── RateLimited         the caller asked too often: again after ``retry_after_s``
    ├── BudgetExceeded      the deadline passed; carries the partial result
    ├── StoreAway           the shared store did not do it: go on without it
    ├── MarketError
    │   ├── SequenceGap     an order book lost a message: rebuild it
    │   └── Stale           the newest fact is older than the caller allows
    └── VenueError
        ├── Unreachable     no answer: retry a read inside the same deadline
        ├── Throttled       the venue asked for silence: again after ``retry_after_s``
        ├── Rejected        the venue understood and refused: do not repeat
        ├── NonceRefused    resynchronise the nonce, then once more
        └── WireError       the venue's format changed: nothing is guessed from it
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

Retry = Literal["no", "after", "change", "login"]


class SextantError(Exception):
    """A failure that Sextant names; the base of every error raised on purpose.

    Parameters
    ----------
    message
        One sentence that names the value and the limit.
    reason
        A stable finer word than ``code``, for programs.
    facts
        Values behind the message: field names, limits, partial results. Never a secret.
    """

    code: ClassVar[str] = "internal"
    retry: ClassVar[Retry] = "no"

    def __init__(self, message: str, *, reason: str | None = None, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.facts = facts


class InputError(SextantError):
    """The request carries a value that is not allowed."""

    code = "input_error"
    retry = "change"


class Unauthenticated(SextantError):
    """The credential is missing, wrong, expired or revoked."""

    code = "unauthenticated"
    retry = "login"


class Denied(SextantError):
    """The caller is known and may not do this."""

    code = "denied"


class NotFound(SextantError):
    """There is no such object, or it is not the caller's; the two are never told apart."""

    code = "not_found"


class Expired(NotFound):
    """The object existed and its retention has passed."""

    code = "expired"


class Conflict(SextantError):
    """The present state of something else forbids the request."""

    code = "conflict"
    retry = "change"


class Insufficient(SextantError):
    """There is too little data for a truthful answer."""

    code = "insufficient"
    retry = "after"


class ConfigError(SextantError):
    """The configuration is wrong and the operator must change it."""

    code = "config_error"


class RateLimited(SextantError):
    """The caller asked more often than a named policy allows.

    Parameters
    ----------
    retry_after_s
        Seconds until the policy has room again.
    """

    code = "rate_limited"
    retry = "after"

    def __init__(
        self, message: str, *, retry_after_s: float, reason: str | None = None, **facts: Any
    ) -> None:
        super().__init__(message, reason=reason, retry_after_s=retry_after_s, **facts)
        self.retry_after_s = retry_after_s


class BudgetExceeded(SextantError):
    """The deadline passed; ``facts["partial"]`` holds what was finished, if anything was."""

    code = "budget_exceeded"
    retry = "after"


class StoreAway(SextantError):
    """The shared store did not do what was asked; whoever asked goes on without it.

    Notes
    -----
    ``reason`` is ``resting`` (not asked at all), ``timeout``, ``unreachable``, or the first word of the store's refusal.
    """

    code = "store_away"
    retry = "after"


class MarketError(SextantError):
    """The state of the market cannot answer truthfully just now."""

    code = "stale"
    retry = "after"


class SequenceGap(MarketError):
    """An order book lost a message and must be rebuilt from a snapshot."""

    code = "sequence_gap"


class Stale(MarketError):
    """The newest fact is older than the caller allows."""

    code = "stale"


class VenueError(SextantError):
    """A venue did not give what was asked."""

    code = "unreachable"


class Unreachable(VenueError):
    """No answer came: name resolution, connection, TLS or time."""

    code = "unreachable"
    retry = "after"


class Throttled(VenueError):
    """The venue asked for silence.

    Parameters
    ----------
    retry_after_s
        Seconds until the venue may be asked again.

    Attributes
    ----------
    told
        Headers of the answer, by lower-case name; some venues state in them alone how long to wait.
    """

    told: Mapping[str, str] = MappingProxyType({})
    code = "throttled"
    retry = "after"

    def __init__(
        self, message: str, *, retry_after_s: float, reason: str | None = None, **facts: Any
    ) -> None:
        super().__init__(message, reason=reason, retry_after_s=retry_after_s, **facts)
        self.retry_after_s = retry_after_s


class Rejected(VenueError):
    """The venue understood the request and refused it."""

    code = "rejected"
    retry = "change"


class NonceRefused(VenueError):
    """The venue refused the nonce of a private call."""

    code = "nonce_refused"
    retry = "change"


class WireError(VenueError):
    """The venue's answer does not have the documented shape."""

    code = "wire_error"
