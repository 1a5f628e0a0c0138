"""What Binance allows one address, and what its headers say is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sextant.venues.broker import Learnt, Limit, Policy
from sextant.venues.library.binance.wire import NAME

SPOT_WEIGHT: Final = "spot weight"
USDM_WEIGHT: Final = "usdm weight"
FUNDING: Final = "funding"
STATISTICS: Final = "statistics"
USED: Final = "x-mbx-used-weight-1m"

WEIGHTS: Final[dict[str, dict[str, float]]] = {
    "/api/v3/exchangeInfo": {SPOT_WEIGHT: 20},
    "/api/v3/ticker/24hr": {SPOT_WEIGHT: 80},
    "/api/v3/depth": {SPOT_WEIGHT: 25},
    "/api/v3/klines": {SPOT_WEIGHT: 2},
    "/api/v3/account": {SPOT_WEIGHT: 20},
    "/fapi/v1/exchangeInfo": {USDM_WEIGHT: 1},
    "/fapi/v1/ticker/24hr": {USDM_WEIGHT: 40},
    "/fapi/v1/depth": {USDM_WEIGHT: 10},
    "/fapi/v1/klines": {USDM_WEIGHT: 5},
    "/fapi/v1/fundingRate": {FUNDING: 1},
}
"""Of the questions as they are asked here; every other path counts one."""


def weigh(path: str) -> Mapping[str, float]:
    """The weight of a path in each budget."""
    known = WEIGHTS.get(path)
    if known is not None:
        return known
    if path.startswith("/futures/data/"):
        return {STATISTICS: 1}
    return {USDM_WEIGHT if path.startswith("/fapi/") else SPOT_WEIGHT: 1}


def read(path: str, headers: Mapping[str, str]) -> Sequence[Learnt]:
    """The weight that the venue has counted in the running minute, others on the address included."""
    used = headers.get(USED, "")
    if not used.isascii() or not used.isdigit() or path.startswith("/futures/"):
        return ()
    return (Learnt(USDM_WEIGHT if path.startswith("/fapi/") else SPOT_WEIGHT, used=float(used[:9])),)


POLICY: Final = Policy(
    venue=NAME,
    limits=(
        Limit(SPOT_WEIGHT, "address", 6_000, 60),
        Limit(USDM_WEIGHT, "address", 2_400, 60),
        Limit(FUNDING, "address", 500, 300),
        Limit(STATISTICS, "address", 1_000, 300),
    ),
    weigh=weigh,
    read=read,
)
