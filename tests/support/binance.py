"""Listed instruments of Binance on both markets."""

from __future__ import annotations

from decimal import Decimal

from sextant.model.instrument import Instrument, InstrumentSpec, Kind
from sextant.venues.port import Category, Listing, SymbolTable

AT = 1_723_161_256_500_000_000


def listed(category: Category, symbol: str, kind: Kind, tick: str = "0.10") -> Listing:
    expiry_ns = 1_727_424_000_000_000_000 if kind == "future" else None
    spec = InstrumentSpec(
        instrument=Instrument("binance", symbol.partition("USDT")[0], "USDT", kind, expiry_ns),
        tick=Decimal(tick),
        lot=Decimal("0.001"),
        min_notional=Decimal(100),
        contract_size=Decimal(1),
        status="trading",
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=AT,
    )
    return Listing(category, symbol, spec)


SPOT = listed("spot", "BTCUSDT", "spot", "0.01")
PERP = listed("usdm", "BTCUSDT", "perpetual")
DATED = listed("usdm", "BTCUSDT_240927", "future")
TABLE = SymbolTable([SPOT, PERP, DATED])
