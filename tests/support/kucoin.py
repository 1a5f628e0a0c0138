"""Listed symbols of KuCoin and frames of its topics."""

from __future__ import annotations

import json
from decimal import Decimal

from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.venues.port import Listing, SymbolTable

AT = 1_619_378_328_900_000_000
MS = 1_000_000


def listed(base: str) -> Listing:
    spec = InstrumentSpec(
        instrument=Instrument("kucoin", base, "USDT", "spot"),
        tick=Decimal("0.1"),
        lot=Decimal("0.00000001"),
        min_notional=None,
        contract_size=Decimal(1),
        status="trading",
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=AT,
    )
    return Listing("spot", f"{base}-USDT", spec)


BTC, ETH = listed("BTC"), listed("ETH")
TABLE = SymbolTable([BTC, ETH])


def message(topic: str, data: object, subject: str = "x") -> dict[str, object]:
    return {"data": data, "subject": subject, "topic": topic, "type": "message"}


def book(start: int, end: int, bids: object, asks: object, **more: object) -> dict[str, object]:
    data = {"sequenceStart": start, "symbol": "BTC-USDT", "changes": {"asks": asks, "bids": bids}, "sequenceEnd": end, **more}  # fmt: skip
    return message("/market/level2:BTC-USDT", data, "trade.l2update")


def candle(start: int, close: str = "11") -> dict[str, object]:
    row = [str(start), "10", close, "12", "9", "2", "21"]
    data = {"symbol": "BTC-USDT", "candles": row, "time": 1619378328806000034}
    return message("/market/candles:BTC-USDT_1min", data, "trade.candles.update")


def answer(data: object, code: str = "200000", msg: str = "") -> bytes:
    return json.dumps({"code": code, "msg": msg, "data": data}).encode()
