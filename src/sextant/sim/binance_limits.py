"""What Binance counts and forbids: weights of requests within fixed minutes, and bans that grow.

References
----------
binance/binance-spot-api-docs at a5e0bc3, rest-api.md "LIMITS"; developers.binance.com, USD-M futures, general information;
read 2026-11-25. A breach is 429; who goes on is banned with 418, for 2 minutes to 3 days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sextant.sim.limits import Counters

SPOT: Final = "spot"
USDM: Final = "usdm"
MINUTE_MS: Final = 60_000
FIVE_MINUTES_MS: Final = 300_000
FIRST_BAN_MS: Final = 120_000
LONGEST_BAN_MS: Final = 3 * 86_400_000
PATIENCE: Final = 5
"""Calls beyond a limit within its window that are answered with 429; the next one is a ban. The venue states no number."""

CONNECTS: Final = 300


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit of one address within windows that begin at whole multiples of their length."""

    name: str
    most: int
    window_ms: int


BUDGETS: Final = {
    SPOT: Budget(SPOT, 6_000, MINUTE_MS),
    USDM: Budget(USDM, 2_400, MINUTE_MS),
    "funding": Budget("funding", 500, FIVE_MINUTES_MS),
    "statistics": Budget("statistics", 1_000, FIVE_MINUTES_MS),
    "connects": Budget("connects", CONNECTS, FIVE_MINUTES_MS),
}
_WEIGHT: Final = {
    "/api/v3/exchangeInfo": 20,
    "/api/v3/trades": 25,
    "/api/v3/aggTrades": 4,
    "/api/v3/klines": 2,
    "/api/v3/avgPrice": 2,
    "/fapi/v1/trades": 5,
    "/fapi/v1/aggTrades": 20,
}
_BY_SYMBOL: Final = {
    "/api/v3/ticker/24hr": (2, 80),
    "/api/v3/ticker/price": (2, 4),
    "/api/v3/ticker/bookTicker": (2, 4),
    "/fapi/v1/ticker/24hr": (1, 40),
    "/fapi/v1/ticker/price": (1, 2),
    "/fapi/v2/ticker/price": (1, 2),
    "/fapi/v1/ticker/bookTicker": (2, 5),
    "/fapi/v1/premiumIndex": (1, 10),
}
_BY_LIMIT: Final = {
    "/api/v3/depth": ((100, 5), (500, 25), (1_000, 50), (5_000, 250)),
    "/fapi/v1/depth": ((50, 2), (100, 5), (500, 10), (1_000, 20)),
    "/fapi/v1/klines": ((99, 1), (499, 2), (1_000, 5), (1_500, 10)),
}
_LIMIT_UNSAID: Final = {"/api/v3/depth": 100, "/fapi/v1/depth": 500, "/fapi/v1/klines": 500}
_FEW: Final = 20
_SOME: Final = 100


def spent(path: str, asked: Mapping[str, str]) -> tuple[str, int]:
    """The budget that a call is counted in, and its weight."""
    if path.startswith("/futures/data/"):
        return "statistics", 1
    if path in ("/fapi/v1/fundingRate", "/fapi/v1/fundingInfo"):
        return "funding", 1
    budget = USDM if path.startswith("/fapi/") else SPOT
    if path in _BY_SYMBOL:
        one, every = _BY_SYMBOL[path]
        named = asked.get("symbols", "").count('"') // 2
        if path == "/api/v3/ticker/24hr" and named:
            return budget, 2 if named <= _FEW else 40 if named <= _SOME else 80
        return budget, one if asked.get("symbol") else every
    if path in _BY_LIMIT:
        text = asked.get("limit", "")
        rows = int(text) if text.isascii() and text.isdigit() and text else _LIMIT_UNSAID[path]
        return budget, next(
            (weight for most, weight in _BY_LIMIT[path] if rows <= most), _BY_LIMIT[path][-1][1]
        )
    return budget, _WEIGHT.get(path, 1)


@dataclass(slots=True)
class _Window:
    number: int
    used: int = 0
    beyond: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that is not answered: 429 or 418, and the seconds until it may be made."""

    status: int
    wait_s: int
    budget: Budget | None
    until_ms: int


class WeightLimits:
    """Budgets and bans by address; they outlive connections.

    Parameters
    ----------
    counters
        Where breaches are counted.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._windows: dict[tuple[str, str], _Window] = {}
        self._wait_until: dict[str, int] = {}
        self._banned_until: dict[str, int] = {}
        self._bans: dict[str, int] = {}

    def admit(self, address: str, name: str, weight: int, now_ms: int) -> Refusal | None:
        """Nothing if the address may spend that much now; else why not."""
        if now_ms < self._wait_until.get(address, 0):
            self._counters.after_retry_after += 1
        if now_ms < self._banned_until.get(address, 0):
            self._counters.after_ban += 1
            return self._banned(address, now_ms)
        budget = BUDGETS[name]
        window = self._window(address, budget, now_ms)
        if window.used + weight <= budget.most:
            window.used += weight
            return None
        window.beyond += 1
        self._counters.limited += 1
        if window.beyond > PATIENCE:
            self.ban(address, now_ms)
            return self._banned(address, now_ms)
        until_ms = (window.number + 1) * budget.window_ms
        self._wait_until[address] = max(self._wait_until.get(address, 0), until_ms)
        return Refusal(429, _seconds(until_ms - now_ms), budget, until_ms)

    def banned(self, address: str, now_ms: int) -> Refusal | None:
        """The ban that an address is under, if any; a call while it lasts is counted."""
        if now_ms >= self._banned_until.get(address, 0):
            return None
        self._counters.after_ban += 1
        return self._banned(address, now_ms)

    def ban(self, address: str, now_ms: int) -> Refusal:
        """Refuse the address: two minutes at first, twice as long each further time, three days at most."""
        self._counters.bans += 1
        times = self._bans[address] = self._bans.get(address, 0) + 1
        self._banned_until[address] = now_ms + min(LONGEST_BAN_MS, FIRST_BAN_MS << min(times - 1, 20))
        return self._banned(address, now_ms)

    def asked_to_wait(self, address: str, until_ms: int) -> None:
        """Remember that the address was told not to call before a moment."""
        self._wait_until[address] = until_ms

    def used(self, address: str, name: str, now_ms: int) -> int:
        """Weight spent in the present window of a budget."""
        return self._window(address, BUDGETS[name], now_ms).used

    def _banned(self, address: str, now_ms: int) -> Refusal:
        until_ms = self._banned_until[address]
        return Refusal(418, _seconds(until_ms - now_ms), None, until_ms)

    def _window(self, address: str, budget: Budget, now_ms: int) -> _Window:
        number = now_ms // budget.window_ms
        window = self._windows.get((address, budget.name))
        if window is None or window.number != number:
            window = self._windows[address, budget.name] = _Window(number)
        return window


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1_000)
