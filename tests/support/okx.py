"""Listed instruments of OKX, frames of its books, and answers of its REST interface as its documentation shows them."""

from __future__ import annotations

import json
from decimal import Decimal

from sextant.model.instrument import Instrument, InstrumentSpec, Kind, Style
from sextant.venues.port import Listing, SymbolTable

AT = 1_652_459_226_000_000_000
MS = 1_000_000


def listed(symbol: str, kind: Kind, unit: str = "1", style: Style = "linear") -> Listing:
    expiry_ns = 1_653_638_400_000_000_000 if kind == "future" else None
    base, quote = symbol.split("-")[:2]
    spec = InstrumentSpec(
        instrument=Instrument("okx", base, quote, kind, expiry_ns),
        tick=Decimal("0.1"),
        lot=Decimal(unit),
        min_notional=None,
        contract_size=Decimal(unit),
        status="trading",
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=AT,
        style=style,
    )
    return Listing("public", symbol, spec)


SPOT = listed("BTC-USDT", "spot")
SWAP = listed("BTC-USDT-SWAP", "perpetual", "0.01")
DATED = listed("BTC-USDT-220527", "future", "0.01")
INVERSE = listed("BTC-USD-SWAP", "perpetual", "100", "inverse")
TABLE = SymbolTable([SPOT, SWAP, DATED, INVERSE])


def books(
    action: str, bids: object, asks: object, symbol: str = "BTC-USDT-SWAP", **more: object
) -> dict[str, object]:
    row = {"asks": asks, "bids": bids, "ts": "1652459225393", "checksum": 0, **more}
    return {"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [row]}


def message(channel: str, *rows: object, symbol: str = "BTC-USDT-SWAP") -> dict[str, object]:
    return {"arg": {"channel": channel, "instId": symbol}, "data": list(rows)}


def answer(data: object, code: str = "0", msg: str = "") -> bytes:
    return json.dumps({"code": code, "msg": msg, "data": data}).encode()


TICKER = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "last": "30000", "lastSz": "1", "askPx": "30000.1", "askSz": "300", "bidPx": "29999.9", "bidSz": "400", "open24h": "25000", "high24h": "31003.3", "low24h": "27930.8", "sodUtc0": "1", "sodUtc8": "1", "volCcy24h": "2620", "vol24h": "262000", "ts": "1652459223003"}  # fmt: skip
INSTRUMENT = {"instId": "BTC-USDT-SWAP", "instType": "SWAP", "baseCcy": "", "quoteCcy": "", "settleCcy": "USDT", "ctType": "linear", "ctVal": "0.01", "ctMult": "1", "ctValCcy": "BTC", "expTime": "", "lever": "125", "lotSz": "0.1", "tickSz": "0.1", "minSz": "0.1", "state": "live", "uly": "BTC-USDT"}  # fmt: skip
BOOK = {"asks": [["30000.1", "3", "0", "1"]], "bids": [["29999.9", "4", "0", "2"]], "ts": "1652459223003", "seqId": 3235851742}  # fmt: skip
CANDLE = ["1597026360000", "10", "12", "9", "11", "1100", "11", "121", "1"]

ANSWERS = {
    "/api/v5/public/instruments": answer([INSTRUMENT]),
    "/api/v5/market/tickers": answer([TICKER]),
    "/api/v5/market/books": answer([BOOK]),
    "/api/v5/market/history-candles": answer([CANDLE]),
    "/api/v5/public/funding-rate-history": answer(
        [
            {
                "fundingRate": "0.0001",
                "realizedRate": "0.0002",
                "fundingTime": "1597026383085",
                "instId": "BTC-USDT-SWAP",
            }
        ]
    ),
    "/public/open-interest-history": answer([["1597026360000", "1100", "11", "330000"]]),
    "/public/long-short-account-ratio-contract": answer([["1597026360000", "1.5"]]),
}
"""By path; those of statistics under a path that says that no key is needed."""
