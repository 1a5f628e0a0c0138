"""What Coinbase allows one address and one user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sextant.venues.broker import Limit, Policy
from sextant.venues.library.coinbase.wire import NAME

PUBLIC: Final = "public"
PRIVATE: Final = "private"


def weigh(path: str) -> Mapping[str, float]:
    """The weight of a path: paths of the market need no key and count for the address."""
    return {PUBLIC if "/market/" in path else PRIVATE: 1}


POLICY: Final = Policy(
    venue=NAME,
    limits=(Limit(PUBLIC, "address", 10, 1), Limit(PRIVATE, "user", 30, 1)),
    weigh=weigh,
)
