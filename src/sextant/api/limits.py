"""What a request may weigh and how often it may come; every number is one of api.md 1.7 or 4."""

from __future__ import annotations

import json
import math
import re
from collections import OrderedDict, deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from sextant.api.problems import Refused
from sextant.errors import RateLimited, StoreAway
from sextant.kit.clock import Clock
from sextant.kit.shared_limits import PARTS, Allowance, SharedLimits
from sextant.model.times import SECOND_NS

BODY_BYTES: Final = 64 * 1024
URL_BYTES: Final = 4 * 1024
HEADER_BYTES: Final = 16 * 1024
JSON_DEPTH: Final = 16
JSON_KEYS: Final = 1_000
STRING_BYTES: Final = 8 * 1024
INTEGER_DIGITS: Final = 30
AT_ONCE: Final = 8  # requests of one user
STREAMS_PER_USER: Final = 5
STREAMS: Final = 500
COUNTED_CALLERS: Final = 10_000  # beyond it the caller idle for longest is forgotten; about 50 MB at worst

_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # text that PostgreSQL cannot hold
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]|\d+')


class Policy(msgspec.Struct, frozen=True):
    """So many requests in so many seconds, per user or per address."""

    name: str
    quota: int
    window_s: int
    per_address: bool = False


POLICIES: Final[Mapping[str, Policy]] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            Policy("default", 300, 60),
            Policy("anonymous", 60, 60, per_address=True),
            Policy("login", 5, 300, per_address=True),
            Policy("refresh", 10, 60, per_address=True),
            Policy("health", 600, 60, per_address=True),
            Policy("metrics", 600, 60, per_address=True),
            Policy("discover", 30, 60),
            Policy("onboard", 5, 3_600),
            Policy("scan.poll", 600, 60),
        )
    }
)


class Standing(msgspec.Struct, frozen=True):
    """What is left of a policy for a caller, and in how many seconds all of it is back."""

    policy: Policy
    remaining: int
    reset_s: int


class RateLimits:
    """Counts requests in a window that slides; strict, and never open.

    Parameters
    ----------
    clock
        Whose monotonic time counts.
    processes
        How many processes answer requests; each allows its share of every quota, and always at least one.
    shared
        Where all of them count together; each goes by its share while that is away or has forgotten.
    """

    def __init__(self, clock: Clock, processes: int = 1, shared: SharedLimits | None = None) -> None:
        self._clock = clock
        self._processes = processes
        self._shared = shared
        self._seen: OrderedDict[tuple[str, str], deque[int]] = OrderedDict()
        self._unknown: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._busy: dict[str, int] = {}
        self._streams: dict[str, int] = {}

    async def admit(self, policy: Policy, caller: str) -> Standing:
        """Count a request among those of all processes, else among those of this one as :meth:`take` does.

        Raises
        ------
        RateLimited
            If the policy has no room; the refused request is not counted.
        """
        if self._shared is None:
            return self.take(policy, caller)
        key, now_ns = (policy.name, caller), self._clock.monotonic_ns()
        own = len(self._recent(policy, caller, now_ns))
        allowance = Allowance(f"{policy.name}|{caller}", 1.0, policy.quota, policy.window_s, own)
        unknown = self._unknown.get(key, 0) > now_ns
        # Where the store has forgotten, a window must pass before it knows again what all have let pass.
        standing = self.take(policy, caller) if unknown else None
        try:
            spent = await self._shared.spend([allowance])
        except StoreAway:
            return standing or self.take(policy, caller)
        if spent.lost:
            self._unknown[key] = now_ns + policy.window_s * SECOND_NS
            self._unknown.move_to_end(key)
        if standing is not None or spent.lost:
            return standing or self.take(policy, caller)
        if spent.wait_s > 0:
            raise _refused(policy, spent.wait_s, math.ceil(policy.window_s * (1 + 1 / PARTS)))
        self._recent(policy, caller, now_ns).append(now_ns)
        self._bound()
        return Standing(policy, max(0, policy.quota - round(spent.used) - 1), policy.window_s)

    def take(self, policy: Policy, caller: str) -> Standing:
        """Count a request.

        Raises
        ------
        RateLimited
            If the policy has no room; the refused request is not counted.
        """
        policy = self._share(policy)
        now_ns = self._clock.monotonic_ns()
        window_ns = policy.window_s * SECOND_NS
        times = self._recent(policy, caller, now_ns)
        if len(times) >= policy.quota:
            # Together with others this process may have let more pass than its share: all but a share's worth must leave.
            leaves_ns = times[len(times) - policy.quota] + window_ns
            reset_s = -((now_ns - window_ns - times[-1]) // SECOND_NS)
            raise _refused(policy, (leaves_ns - now_ns) / SECOND_NS, reset_s)
        times.append(now_ns)
        self._bound()
        return Standing(policy, policy.quota - len(times), policy.window_s)

    def _recent(self, policy: Policy, caller: str, now_ns: int) -> deque[int]:
        """When this process let requests of a caller pass within the window."""
        key = (policy.name, caller)
        times = self._seen.get(key)
        if times is None:
            times = self._seen[key] = deque()
        self._seen.move_to_end(key)
        while times and times[0] <= now_ns - policy.window_s * SECOND_NS:
            times.popleft()
        return times

    def _bound(self) -> None:
        """Forget the caller idle for longest where there are too many."""
        if len(self._seen) > COUNTED_CALLERS:
            self._seen.popitem(last=False)
        if len(self._unknown) > COUNTED_CALLERS:
            self._unknown.popitem(last=False)

    def _share(self, policy: Policy) -> Policy:
        if self._processes == 1:
            return policy
        return msgspec.structs.replace(policy, quota=max(1, policy.quota // self._processes))

    def begin(self, caller: str) -> None:
        """Take one of the requests a user may have at a time; give it back with ``end``.

        Raises
        ------
        RateLimited
            If eight are being worked on.
        """
        busy = self._busy.get(caller, 0)
        if busy >= AT_ONCE:
            raise RateLimited(
                f"{AT_ONCE} requests at a time are allowed.", retry_after_s=1.0, reason="concurrency"
            )
        self._busy[caller] = busy + 1

    def end(self, caller: str) -> None:
        """Give a request back."""
        _give_back(self._busy, caller)

    def open_stream(self, caller: str) -> None:
        """Take one of the streams a user, and the process, may have; give it back with ``close_stream``.

        Raises
        ------
        RateLimited
            If the user has five, or the process five hundred.
        """
        if self._streams.get(caller, 0) >= STREAMS_PER_USER or sum(self._streams.values()) >= STREAMS:
            raise RateLimited(
                f"{STREAMS_PER_USER} streams of a user may be open.", retry_after_s=5.0, reason="concurrency"
            )
        self._streams[caller] = self._streams.get(caller, 0) + 1

    def close_stream(self, caller: str) -> None:
        """Give a stream back."""
        _give_back(self._streams, caller)


def _refused(policy: Policy, wait_s: float, reset_s: int) -> RateLimited:
    return RateLimited(
        f"{policy.quota} requests in {policy.window_s} s are allowed.",
        retry_after_s=wait_s,
        reason=policy.name,
        standing=Standing(policy, 0, reset_s),
    )


def check_json(body: bytes) -> None:
    """Do nothing if a body is JSON within bounds.

    Raises
    ------
    Refused
        ``malformed``, with the bound that was passed.
    """
    try:
        msgspec.json.decode(body)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        place = re.search(r"byte (\d+)", str(error))
        where = "" if place is None else f" at byte {place.group(1)}"
        raise Refused("malformed", f"The body is not JSON{where}.", reason="json_syntax") from None
    if _NUL.search(body):
        raise Refused("malformed", "A string has the character U+0000.", reason="json_syntax")
    # The body is JSON from here on, so every string ends and this pass is linear.
    depth = 0
    for token in _TOKEN.finditer(body):
        first, length = body[token.start()], token.end() - token.start()
        if first in b"{[":
            depth += 1
            if depth > JSON_DEPTH:
                raise _too_deep()
        elif first in b"}]":
            depth -= 1
        elif first == ord('"') and length > STRING_BYTES + 2:
            raise Refused(
                "malformed", f"A string has more than {STRING_BYTES} bytes.", reason="string_length"
            )
        elif first != ord('"') and length > INTEGER_DIGITS:
            raise Refused(
                "malformed", f"A number has more than {INTEGER_DIGITS} digits.", reason="integer_digits"
            )
    _check_keys(body)


def _check_keys(body: bytes) -> None:
    seen = 0

    def pairs(found: list[tuple[str, Any]]) -> None:
        nonlocal seen
        seen += len(found)
        if seen > JSON_KEYS:
            raise Refused("malformed", f"The body has more than {JSON_KEYS} keys.", reason="json_keys")
        if len({name for name, _ in found}) < len(found):
            raise Refused("malformed", "An object has the same key twice.", reason="duplicate_key")

    json.loads(body, object_pairs_hook=pairs)


def _too_deep() -> Refused:
    return Refused("malformed", f"The body is nested more than {JSON_DEPTH} deep.", reason="json_depth")


def _give_back(counts: dict[str, int], caller: str) -> None:
    left = counts.get(caller, 0) - 1
    if left > 0:
        counts[caller] = left
    else:
        counts.pop(caller, None)
