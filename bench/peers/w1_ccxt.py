"""W1 through ccxt.pro's handlers: reads the frames of the file named first, prints processor seconds and frames.

Run by ``bench_w1.py`` with the interpreter of the peers' environment.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ccxt.pro  # type: ignore[import-not-found,import-untyped,unused-ignore]

URL = "wss://stream.bybit.com/v5/public/linear"


def reader(names: list[str]) -> Any:
    """Its exchange with these markets, told instead of fetched."""
    exchange = ccxt.pro.bybit()
    markets = [
        {
            "id": name,
            "symbol": f"{name.removesuffix('USDT')}/USDT:USDT",
            "base": name.removesuffix("USDT"),
            "quote": "USDT",
            "settle": "USDT",
            "type": "swap",
            "swap": True,
            "spot": False,
            "linear": True,
            "contract": True,
            "contractSize": 1,
            "precision": {"price": 0.01, "amount": 0.001},
            "limits": {},
            "info": {},
        }
        for name in names
    ]
    exchange.set_markets(markets)
    return exchange


def main() -> None:
    names, *frames = Path(sys.argv[1]).read_bytes().splitlines()
    exchange = reader(json.loads(names))
    heard = SimpleNamespace(
        url=URL, subscriptions={}, futures={}, resolve=lambda *_: None, reject=lambda *_: None
    )
    begun = time.process_time_ns()
    for frame in frames:
        exchange.handle_message(heard, json.loads(frame))
    spent = time.process_time_ns() - begun
    first = next(iter(exchange.orderbooks.values()))
    best = [first["bids"][0][0], first["asks"][0][0]]
    print(json.dumps({"frames": len(frames), "cpu_s": spent / 1e9, "best": best}))


main()
