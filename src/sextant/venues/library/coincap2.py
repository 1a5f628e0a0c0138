"""CoinCap, version 2: retired by its owner; it stays listed so that who still asks for it is told so."""

from __future__ import annotations

from typing import Final

from sextant.venues.reference import PriceSource

PRICES: Final = PriceSource(
    name="coincap2",
    retired="CoinCap ended version 2 of its interface in 2025; use coincap, which needs a key.",
)
