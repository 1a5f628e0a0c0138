"""A listed pair of Kraken and frames of its book."""

from __future__ import annotations

from decimal import Decimal

from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.venues.port import Listing, SymbolTable

AT = 1_690_731_050_000_000_000


def pair(base: str, tick: str = "0.1", lot: str = "0.00000001") -> Listing:
    spec = InstrumentSpec(
        instrument=Instrument("kraken", base, "USD", "spot"),
        tick=Decimal(tick),
        lot=Decimal(lot),
        min_notional=None,
        contract_size=Decimal(1),
        status="trading",
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=AT,
    )
    return Listing("spot", f"{base}/USD", spec)


BTC, ETH = pair("BTC"), pair("ETH", "0.01")
TABLE = SymbolTable([BTC, ETH])


def levels(count: int, best: float, step: float, size: float = 1.0) -> list[dict[str, float]]:
    return [{"price": round(best + at * step, 1), "qty": size} for at in range(count)]


def book(kind: str, bids: object, asks: object, symbol: str = "BTC/USD", **more: object) -> dict[str, object]:
    row = {"symbol": symbol, "bids": bids, "asks": asks, "checksum": 0, **more}
    return {"channel": "book", "type": kind, "data": [row]}
