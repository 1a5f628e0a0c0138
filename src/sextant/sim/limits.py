"""What the venue counts and forbids: requests an address may send, and the ban that follows too many."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

WINDOW_MS: Final = 5_000
REQUESTS_A_WINDOW: Final = 600
BAN_MS: Final = 600_000
CONNECTS_MS: Final = 300_000
CONNECTS_A_WINDOW: Final = 500


@dataclass(slots=True)
class Counters:
    """What a test asserts about its client after the run.

    Parameters
    ----------
    requests, connections, frames
        REST calls, accepted sockets, frames sent.
    bans
        Times an address was banned.
    after_ban
        Calls made while banned; a correct client has 0.
    after_retry_after
        Calls made before a Retry-After had passed; a correct client has 0.
    limited
        Calls and messages refused as one too many; a client that keeps its budget has 0.
    forbidden
        Calls to paths that place orders or move money; always 0.
    slow_clients
        Sockets cut because they did not read.
    while_away
        Calls and connections attempted while nobody answered.
    paths
        REST calls by path.
    """

    requests: int = 0
    connections: int = 0
    frames: int = 0
    bans: int = 0
    after_ban: int = 0
    after_retry_after: int = 0
    limited: int = 0
    forbidden: int = 0
    slow_clients: int = 0
    while_away: int = 0
    paths: dict[str, int] = field(default_factory=dict)


class Limits:
    """Rolling windows and bans by address; they outlive connections.

    Parameters
    ----------
    counters
        Where breaches are counted.

    References
    ----------
    Bybit v5, rate limit: 600 requests within 5 s an address; 500 connections within 5 min; a breach is HTTP 403
    and asks for at least 10 min of silence.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._calls: dict[str, deque[int]] = {}
        self._connects: dict[str, deque[int]] = {}
        self._banned_until: dict[str, int] = {}
        self._wait_until: dict[str, int] = {}

    def admit(self, address: str, now_ms: int) -> bool:
        """Whether the address may call now; a call too many starts the ban."""
        if now_ms < self._wait_until.get(address, 0):
            self._counters.after_retry_after += 1
        if now_ms < self._banned_until.get(address, 0):
            self._counters.after_ban += 1
            return False
        calls = self._calls.setdefault(address, deque())
        if not within(calls, now_ms, WINDOW_MS, REQUESTS_A_WINDOW):
            self.ban(address, now_ms)
            return False
        return True

    def connect(self, address: str, now_ms: int) -> bool:
        """Whether the address may open a socket now."""
        if now_ms < self._banned_until.get(address, 0):
            self._counters.after_ban += 1
            return False
        return within(self._connects.setdefault(address, deque()), now_ms, CONNECTS_MS, CONNECTS_A_WINDOW)

    def ban(self, address: str, now_ms: int) -> None:
        """Refuse the address for ten minutes."""
        self._counters.bans += 1
        self._banned_until[address] = now_ms + BAN_MS

    def asked_to_wait(self, address: str, until_ms: int) -> None:
        """Remember that the address was told not to call before a moment."""
        self._wait_until[address] = until_ms

    def left(self, address: str, now_ms: int) -> int:
        """Calls left in the present window."""
        calls = self._calls.get(address, ())
        return max(0, REQUESTS_A_WINDOW - sum(1 for moment in calls if moment > now_ms - WINDOW_MS))


def within(moments: deque[int], now_ms: int, window_ms: int, most: int) -> bool:
    """Whether one more fits among the moments of a rolling window; if so it is counted."""
    while moments and moments[0] <= now_ms - window_ms:
        moments.popleft()
    if len(moments) >= most:
        return False
    moments.append(now_ms)
    return True
