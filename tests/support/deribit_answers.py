"""Answers of Deribit, each of the shape that its documentation and its recordings show, with few rows."""

from __future__ import annotations

import json
from typing import Any

OUT_US = 1_782_552_420_000_000


def answer(result: object) -> bytes:
    body = {"jsonrpc": "2.0", "result": result, "usIn": OUT_US - 500, "usOut": OUT_US, "usDiff": 500}
    return json.dumps({**body, "testnet": False}).encode()


def error(code: int, message: str) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "usOut": OUT_US}
    ).encode()


CALL: dict[str, Any] = {
    "state": "open",
    "price_index": "btc_usd",
    "kind": "option",
    "instrument_name": "BTC-28JUN26-60000-C",
    "maker_commission": 0.0003,
    "taker_commission": 0.0003,
    "instrument_type": "reversed",
    "expiration_timestamp": 1_782_633_600_000,
    "is_active": True,
    "creation_timestamp": 1_782_288_013_000,
    "instrument_id": 651_255,
    "tick_size": 0.0001,
    "contract_size": 1.0,
    "strike": 60_000.0,
    "base_currency": "BTC",
    "quote_currency": "BTC",
    "settlement_currency": "BTC",
    "option_type": "call",
    "min_trade_amount": 0.1,
    "settlement_period": "day",
    "counter_currency": "USD",
    "tick_size_steps": [{"tick_size": 0.0005, "above_price": 0.005}],
}
PUT = {**CALL, "instrument_name": "BTC-28JUN26-60000-P", "option_type": "put"}
LINEAR_CALL = {
    **CALL,
    "instrument_name": "SOL_USDC-25SEP26-150-C",
    "instrument_type": "linear",
    "base_currency": "SOL",
    "quote_currency": "USDC",
    "counter_currency": "USDC",
    "settlement_currency": "USDC",
    "strike": 150.0,
    "tick_size": 0.01,
    "min_trade_amount": 10,
    "contract_size": 10,
    "expiration_timestamp": 1_790_323_200_000,
}
PERPETUAL: dict[str, Any] = {
    "state": "open",
    "kind": "future",
    "instrument_name": "BTC-PERPETUAL",
    "instrument_type": "reversed",
    "expiration_timestamp": 32_503_708_800_000,
    "is_active": True,
    "tick_size": 0.5,
    "contract_size": 10.0,
    "base_currency": "BTC",
    "quote_currency": "USD",
    "counter_currency": "USD",
    "settlement_currency": "BTC",
    "min_trade_amount": 10.0,
    "settlement_period": "perpetual",
    "max_leverage": 50,
    "tick_size_steps": [],
}
FUTURE = {
    **PERPETUAL,
    "instrument_name": "BTC-25SEP26",
    "settlement_period": "month",
    "expiration_timestamp": 1_790_323_200_000,
    "tick_size": 2.5,
}
LINEAR_PERPETUAL = {
    **PERPETUAL,
    "instrument_name": "ETH_USDC-PERPETUAL",
    "instrument_type": "linear",
    "base_currency": "ETH",
    "quote_currency": "USDC",
    "counter_currency": "USDC",
    "settlement_currency": "USDC",
    "tick_size": 0.05,
    "contract_size": 0.001,
    "min_trade_amount": 0.001,
}
ROWS = (CALL, PUT, LINEAR_CALL, PERPETUAL, FUTURE, LINEAR_PERPETUAL)

CALL_SUMMARY: dict[str, Any] = {
    "instrument_name": "BTC-28JUN26-60000-C",
    "base_currency": "BTC",
    "quote_currency": "BTC",
    "creation_timestamp": 1_782_552_297_600,
    "bid_price": 0.006,
    "ask_price": 0.007,
    "mid_price": 0.0065,
    "mark_price": 0.0067,
    "mark_iv": 21.01,
    "last": None,
    "underlying_price": 60_245.57,
    "underlying_index": "index_price",
    "estimated_delivery_price": 60_245.6,
    "interest_rate": 0.0,
    "open_interest": 139.1,
    "volume": 130.6,
    "volume_usd": 53_362.08,
    "price_change": -28.5714,
    "high": 0.014,
    "low": 0.0035,
}
PERPETUAL_SUMMARY: dict[str, Any] = {
    "instrument_name": "BTC-PERPETUAL",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "creation_timestamp": 1_782_552_297_600,
    "bid_price": 60_250.0,
    "ask_price": 60_250.5,
    "mark_price": 60_000.0,
    "last": 60_250.5,
    "estimated_delivery_price": 60_245.6,
    "open_interest": 900_000_000.0,
    "volume": 7_000.5,
    "volume_usd": 420_000_000.0,
    "price_change": 1.5,
    "current_funding": 0.00004,
    "funding_8h": 0.00003,
}

BARS: dict[str, Any] = {
    "status": "ok",
    "ticks": [1_782_345_600_000, 1_782_432_000_000, 1_782_518_400_000],
    "open": [59_000.0, 60_000.0, 60_500.0],
    "high": [60_200.0, 61_000.0, 60_700.0],
    "low": [58_900.0, 59_500.0, 60_000.0],
    "close": [60_000.0, 60_500.0, 60_250.0],
    "volume": [100.0, 0.0, 50.0],
    "cost": [6_000_000.0, 0.0, 3_000_000.0],
}
FUNDING = [
    {
        "timestamp": 1_782_550_800_000,
        "index_price": 60_245.6,
        "prev_index_price": 60_200.0,
        "interest_1h": 0.000005,
        "interest_8h": 0.00003,
    },
    {
        "timestamp": 1_782_547_200_000,
        "index_price": 60_200.0,
        "prev_index_price": 60_100.0,
        "interest_1h": -0.000001,
        "interest_8h": 0.00002,
    },
]

ANSWERS = {
    "/market/instruments": answer(ROWS),
    "/market/summaries": answer([CALL_SUMMARY, PERPETUAL_SUMMARY]),
    "/market/bars": answer(BARS),
    "/market/funding": answer(FUNDING),
    "/market/refused": error(10_028, "too_many_requests"),
}
"""One answer of each kind by a made-up path."""
