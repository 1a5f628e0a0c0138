"""What OKX allows one address: so many questions of a path in two seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sextant.venues.broker import Limit, Policy
from sextant.venues.library.okx.wire import NAME

WINDOW_S: Final = 2.0
OTHER: Final = "other"

MOST: Final[dict[str, float]] = {
    "/api/v5/public/instruments": 20,
    "/api/v5/market/tickers": 20,
    "/api/v5/market/books": 40,
    "/api/v5/market/history-candles": 20,
    "/api/v5/public/funding-rate-history": 10,
    "/api/v5/rubik/stat/contracts/open-interest-history": 5,
    "/api/v5/rubik/stat/contracts/long-short-account-ratio-contract": 5,
    OTHER: 5,
}
"""By path; the name of a budget is the path it is of."""


def weigh(path: str) -> Mapping[str, float]:
    """Every question counts one in the budget of its path."""
    return {path if path in MOST else OTHER: 1}


POLICY: Final = Policy(
    venue=NAME,
    limits=tuple(Limit(path, "address", most, WINDOW_S) for path, most in MOST.items()),
    weigh=weigh,
)
