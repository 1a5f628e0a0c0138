"""W1 through cryptofeed's handlers: reads the frames of the file named first, prints processor seconds and frames.

Run by ``bench_w1.py`` with the interpreter of the peers' environment.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptofeed.defines import CANDLES, L2_BOOK, PERPETUAL, TICKER, TRADES  # type: ignore[import-not-found]
from cryptofeed.exchanges import Bybit  # type: ignore[import-not-found]
from cryptofeed.symbols import Symbol, Symbols  # type: ignore[import-not-found]

UNHANDLED = b'"topic":"allLiquidation'  # it knows only the retired topic and would log a line for each


def reader(names: list[str]) -> Any:
    """Its feed for these instruments, their names told instead of fetched."""
    bases = [name.removesuffix("USDT") for name in names]
    normalized = {Symbol(base, "USDT", type=PERPETUAL).normalized: f"{base}USDT" for base in bases}
    info = {"tick_size": {}, "instrument_type": dict.fromkeys(normalized, PERPETUAL)}
    Symbols.set(Bybit.id, normalized, info)

    async def heard(*_: object) -> None:
        return None

    return Bybit(
        symbols=list(normalized),
        channels=[L2_BOOK, TRADES, TICKER, CANDLES],
        callbacks=dict.fromkeys((L2_BOOK, TRADES, TICKER, CANDLES), heard),
    )


async def main(names: bytes, frames: list[bytes]) -> None:
    feed = reader(json.loads(names))
    link = SimpleNamespace(
        address="wss://stream.bybit.com/v5/public/linear",
        subscription={feed.std_channel_to_exchange(TICKER): set(json.loads(names))},
        uuid="bench",
    )
    texts = [frame.decode() for frame in frames if UNHANDLED not in frame]
    begun = time.process_time_ns()
    for text in texts:
        await feed.message_handler(text, link, 0.0)
    spent = time.process_time_ns() - begun
    first = next(iter(feed._l2_book.values()))  # noqa: SLF001  # it has no public way to look at a book
    best = [float(first.book.bids.index(0)[0]), float(first.book.asks.index(0)[0])]
    print(json.dumps({"frames": len(texts), "cpu_s": spent / 1e9, "best": best}))


first_line, *rest = Path(sys.argv[1]).read_bytes().splitlines()
asyncio.run(main(first_line, rest))
