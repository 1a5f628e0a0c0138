"""Bybit listings made by hand, for tests that need no recording."""

from __future__ import annotations

from decimal import Decimal

from sextant.model.instrument import Instrument, InstrumentSpec, Kind
from sextant.venues.port import Listing


def listing(symbol: str, base: str, category: str = "linear") -> Listing:
    """A trading USDT listing: a perpetual in ``linear``, else spot."""
    linear = category == "linear"
    kind: Kind = "perpetual" if linear else "spot"
    return Listing(
        category,
        symbol,
        InstrumentSpec(
            instrument=Instrument("bybit", base, "USDT", kind),
            tick=Decimal("0.1"),
            lot=Decimal("0.001"),
            min_notional=Decimal(5),
            contract_size=Decimal(1),
            status="trading",
            funding_interval_s=28_800 if linear else None,
            max_leverage=Decimal(100) if linear else None,
            as_of_ns=1,
        ),
    )


BTC = listing("BTCUSDT", "BTC")
ETH = listing("ETHUSDT", "ETH")
BTC_SPOT = listing("BTCUSDT", "BTC", "spot")
