"""What KuCoin counts: weights of requests from a pool of thirty seconds.

References
----------
www.kucoin.com/docs-new/rate-limit, read 2026-11-25: the public pool holds 2,000 for an address; headers tell its size, what
is left and the milliseconds until it is full again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sextant.sim.limits import Counters

POOL: Final = 2_000
POOL_MS: Final = 30_000
CONNECTS: Final = 30
CONNECTS_MS: Final = 60_000

_WEIGHTS: Final = {
    "/api/v1/symbols": 4,
    "/api/v2/symbols": 4,
    "/api/v1/market/allTickers": 15,
    "/api/v1/market/stats": 15,
    "/api/v1/market/orderbook/level1": 2,
    "/api/v1/market/orderbook/level2_20": 2,
    "/api/v1/market/orderbook/level2_100": 4,
    "/api/v1/bullet-public": 10,
}


def weight_of(path: str) -> int:
    """What a call costs."""
    return _WEIGHTS.get(path, 3)


@dataclass(slots=True)
class _Pool:
    ends_ms: int
    left: int


class PoolLimits:
    """The pool of each address, and who was told to wait.

    Parameters
    ----------
    counters
        Where breaches are counted.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._pools: dict[str, _Pool] = {}
        self._wait_until: dict[str, int] = {}

    def admit(self, address: str, weight: int, now_ms: int) -> bool:
        """Whether the address may spend that much now."""
        if now_ms < self._wait_until.get(address, 0):
            self._counters.after_retry_after += 1
        pool = self._pool(address, now_ms)
        if pool.left < weight:
            self._counters.limited += 1
            pool.left = 0
            self._wait_until[address] = pool.ends_ms
            return False
        pool.left -= weight
        return True

    def empty(self, address: str, now_ms: int) -> None:
        """Take what is left of the pool of an address."""
        self._counters.bans += 1
        pool = self._pool(address, now_ms)
        pool.left = 0
        self._wait_until[address] = pool.ends_ms

    def asked_to_wait(self, address: str, until_ms: int) -> None:
        """Remember that the address was told not to call before a moment."""
        self._wait_until[address] = until_ms

    def headers(self, address: str, now_ms: int) -> dict[str, str]:
        """Size of the pool, what is left of it, and the milliseconds until it is full again."""
        pool = self._pool(address, now_ms)
        return {
            "gw-ratelimit-limit": str(POOL),
            "gw-ratelimit-remaining": str(pool.left),
            "gw-ratelimit-reset": str(pool.ends_ms - now_ms),
        }

    def _pool(self, address: str, now_ms: int) -> _Pool:
        pool = self._pools.get(address)
        if pool is None or now_ms >= pool.ends_ms:
            pool = self._pools[address] = _Pool(now_ms + POOL_MS, POOL)
        return pool
