"""Listed products of Coinbase and frames of its books."""

from __future__ import annotations

import json
from decimal import Decimal

from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.venues.port import Listing, SymbolTable

AT = 1_786_309_548_500_000_000
STAMP = "2026-08-09T21:05:48.228568804Z"
STAMP_NS = 1_786_309_548_228_569_000


def product(base: str) -> Listing:
    spec = InstrumentSpec(
        instrument=Instrument("coinbase", base, "USD", "spot"),
        tick=Decimal("0.01"),
        lot=Decimal("0.00000001"),
        min_notional=Decimal(1),
        contract_size=Decimal(1),
        status="trading",
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=AT,
    )
    return Listing("spot", f"{base}-USD", spec)


BTC, ETH = product("BTC"), product("ETH")
TABLE = SymbolTable([BTC, ETH])


def frame(channel: str, number: int, *events: object) -> dict[str, object]:
    return {"channel": channel, "timestamp": STAMP, "sequence_num": number, "events": list(events)}


def level(side: str, price: str, size: str) -> dict[str, str]:
    return {"side": side, "event_time": STAMP, "price_level": price, "new_quantity": size}


def book(kind: str, *levels: dict[str, str], symbol: str = "BTC-USD") -> dict[str, object]:
    return {"type": kind, "product_id": symbol, "updates": list(levels)}


def encoded(message: object) -> bytes:
    return json.dumps(message).encode()
