"""What KuCoin allows one address and one user, and what its headers say is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sextant.venues.broker import Learnt, Limit, Policy
from sextant.venues.library.kucoin.wire import NAME

PUBLIC: Final = "public"
SPOT: Final = "spot"
MANAGEMENT: Final = "management"

WEIGHTS: Final[dict[str, dict[str, float]]] = {
    "/api/v2/symbols": {PUBLIC: 4},
    "/api/v1/market/allTickers": {PUBLIC: 15},
    "/api/v1/market/orderbook/level2_100": {PUBLIC: 4},
    "/api/v1/market/candles": {PUBLIC: 3},
    "/api/v1/bullet-public": {PUBLIC: 10},
    "/api/v1/accounts": {MANAGEMENT: 5},
    "/api/v1/user/api-key": {MANAGEMENT: 20},
}


def weigh(path: str) -> Mapping[str, float]:
    """The weight of a path in its pool."""
    return WEIGHTS.get(path, {SPOT if path.startswith("/api/v1/hf/") else PUBLIC: 3})


def read(path: str, headers: Mapping[str, str]) -> Sequence[Learnt]:
    """What is spent of the pool: its size and rest are told; a pool without a rest is silent until it is renewed."""
    told = [_number(headers.get(f"gw-ratelimit-{name}")) for name in ("limit", "remaining", "reset")]
    most, rest, reset_ms = told
    if most is None or rest is None:
        return ()
    silent_s = reset_ms / 1000 if reset_ms is not None and rest <= 0 else None
    return tuple(Learnt(name, used=most - rest, most=most, silent_s=silent_s) for name in weigh(path))


def _number(text: str | None) -> float | None:
    return float(text[:12]) if text is not None and text.isascii() and text.isdigit() else None


POLICY: Final = Policy(
    venue=NAME,
    limits=(
        Limit(PUBLIC, "address", 2_000, 30),
        Limit(SPOT, "user", 4_000, 30),
        Limit(MANAGEMENT, "user", 2_000, 30),
    ),
    weigh=weigh,
    read=read,
)
