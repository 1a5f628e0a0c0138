"""What Kraken allows an address and a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sextant.errors import Throttled
from sextant.venues.broker import Limit, Policy, Scope
from sextant.venues.library.kraken.wire import NAME

PUBLIC: Final = "public"
COUNTER: Final = "counter"
PRIVATE: Final = "/0/private/"
DOUBLE: Final = ("Ledgers", "QueryLedgers", "TradesHistory", "QueryTrades", "ClosedOrders")


def weigh(path: str) -> Mapping[str, float]:
    """The weight of a path: history of ledgers and trades raises the counter of a key by two."""
    if not path.startswith(PRIVATE):
        return {PUBLIC: 1}
    return {COUNTER: 2 if path.removeprefix(PRIVATE) in DOUBLE else 1}


def blames(error: Throttled) -> Scope:
    """A lockout is treated as of the whole address; a rate is of the key."""
    return "address" if error.reason == "ban" else "key"


POLICY: Final = Policy(
    venue=NAME,
    limits=(
        Limit(PUBLIC, "address", 15, 15),
        # The lowest tier: 15, falling by one in three seconds. A key's own tier is not told by the venue.
        Limit(COUNTER, "key", 15, 15 / 0.33, draining=True),
    ),
    weigh=weigh,
    blames=blames,
)
